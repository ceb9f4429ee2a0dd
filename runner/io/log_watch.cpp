// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/io/log_watch.hpp"

#include "runner/io/io_loop.hpp"
#include "runner/support/error.hpp"
#include "runner/support/log.hpp"
#include "runner/support/log_bound.hpp"

#include <chrono>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

namespace vt {
namespace {

constexpr std::chrono::milliseconds interval{500};

}  // namespace

struct LogWatch::State : std::enable_shared_from_this<LogWatch::State> {
    State(IoLoop& its_loop, std::filesystem::path its_path)
        : loop(its_loop), path(std::move(its_path)), bound(path), timer(its_loop.context()) {}

    void wait() {
        timer.expires_after(interval);
        timer.async_wait([self = shared_from_this()](const auto& error) {
            if (!error && !self->over && self->look()) {
                self->wait();
            }
        });
    }

    /// False if it makes no sense to look again.
    bool look() {
        try {
            bound.check();
            return true;
        } catch (const Error& error) {
            log::warning("the log {} is not kept in bounds any more: {}", path.string(), error.what());
            return false;
        }
    }

    IoLoop& loop;
    std::filesystem::path path;
    LogBound bound;
    boost::asio::steady_timer timer;
    bool over = false;  ///< only on the loop's thread, as all here
};

LogWatch::LogWatch(IoLoop& loop, const std::filesystem::path& path)
    : state_(std::make_shared<State>(loop, path)) {
    if (log_limit() > 0) {
        loop.run_there([this] { state_->wait(); });
    }
}

LogWatch::~LogWatch() {
    state_->loop.run_there([this] {
        state_->over = true;
        state_->timer.cancel();
        state_->look();
    });
}

}  // namespace vt

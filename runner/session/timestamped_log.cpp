// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/session/timestamped_log.hpp"

#include "runner/support/error.hpp"
#include "runner/support/file.hpp"
#include "runner/support/log.hpp"
#include "runner/support/log_bound.hpp"
#include "runner/support/printable.hpp"
#include "runner/support/repeated_lines.hpp"
#include "runner/support/unique_fd.hpp"

#include <cerrno>
#include <ctime>
#include <mutex>

#include <fcntl.h>
#include <fmt/format.h>

namespace vt {
namespace {

std::string stamp_of_now() {
    const std::time_t now = std::time(nullptr);
    std::tm local{};
    localtime_r(&now, &local);
    char stamp[32];
    std::strftime(stamp, sizeof stamp, "%Y-%m-%d %H:%M:%S", &local);
    return stamp;
}

}  // namespace

struct TimestampedLog::Impl {
    explicit Impl(std::filesystem::path its_path) : path(std::move(its_path)), bound(path) {}

    std::filesystem::path path;
    LogBound bound;
    RepeatedLines repeated;
    std::mutex mutex;
    UniqueFd fd;
    bool failed = false;

    void fail(const std::string& reason) {
        failed = true;
        log::warning("log {} ends here: {}", path.string(), reason);
    }
    void append(std::string_view stamp, std::string_view line) {
        const auto text = fmt::format("{}: {}\n", stamp, printable(line));
        write_all(fd.get(), text);
        bound.grown(text.size());
    }
    /// Says how often the line before came, if it was not written each time.
    void append_count(std::string_view stamp) {
        if (const auto words = RepeatedLines::text(repeated.take_count()); !words.empty()) {
            append(stamp, words);
        }
    }
};

TimestampedLog::TimestampedLog(std::filesystem::path path) : impl_(std::make_unique<Impl>(std::move(path))) {
    impl_->fd.reset(::open(impl_->path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
    if (!impl_->fd) {
        impl_->fail("cannot be opened: " + errno_text(errno));
    }
}

TimestampedLog::~TimestampedLog() {
    if (impl_ && !impl_->failed) {
        try {
            impl_->append_count(stamp_of_now());
        } catch (const SystemError& error) {
            impl_->fail(error.what());
        }
    }
}

TimestampedLog::TimestampedLog(TimestampedLog&&) noexcept = default;
TimestampedLog& TimestampedLog::operator=(TimestampedLog&&) noexcept = default;

void TimestampedLog::write(std::string_view line) {
    const auto stamp = stamp_of_now();
    const std::lock_guard lock(impl_->mutex);
    if (impl_->failed || !impl_->repeated.take(line)) {
        return;
    }
    try {
        impl_->append_count(stamp);
        impl_->append(stamp, line);
    } catch (const SystemError& error) {
        impl_->fail(error.what());
    }
}

}  // namespace vt

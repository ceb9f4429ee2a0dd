// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/session/timestamped_log.hpp"

#include "runner/support/error.hpp"
#include "runner/support/file.hpp"
#include "runner/support/log.hpp"
#include "runner/support/printable.hpp"
#include "runner/support/unique_fd.hpp"

#include <cerrno>
#include <ctime>
#include <mutex>

#include <fcntl.h>
#include <fmt/format.h>

namespace vt {

struct TimestampedLog::Impl {
    std::filesystem::path path;
    std::mutex mutex;
    UniqueFd fd;
    bool failed = false;

    void fail(const std::string& reason) {
        failed = true;
        log::warning("log {} ends here: {}", path.string(), reason);
    }
};

TimestampedLog::TimestampedLog(std::filesystem::path path) : impl_(std::make_unique<Impl>()) {
    impl_->path = std::move(path);
    impl_->fd.reset(::open(impl_->path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
    if (!impl_->fd) {
        impl_->fail("cannot be opened: " + errno_text(errno));
    }
}

TimestampedLog::~TimestampedLog() = default;
TimestampedLog::TimestampedLog(TimestampedLog&&) noexcept = default;
TimestampedLog& TimestampedLog::operator=(TimestampedLog&&) noexcept = default;

void TimestampedLog::write(std::string_view line) {
    const std::time_t now = std::time(nullptr);
    std::tm local{};
    localtime_r(&now, &local);
    char stamp[32];
    std::strftime(stamp, sizeof stamp, "%Y-%m-%d %H:%M:%S", &local);
    const std::lock_guard lock(impl_->mutex);
    if (impl_->failed) {
        return;
    }
    try {
        write_all(impl_->fd.get(), fmt::format("{}: {}\n", stamp, printable(line)));
    } catch (const SystemError& error) {
        impl_->fail(error.what());
    }
}

}  // namespace vt

// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/support/log_bound.hpp"

#include "runner/support/error.hpp"
#include "runner/support/unique_fd.hpp"

#include <algorithm>
#include <cerrno>
#include <string>
#include <string_view>

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

namespace vt {
namespace {

// NOLINTNEXTLINE(cppcoreguidelines-avoid-non-const-global-variables): a setting of the whole process
std::size_t process_limit = std::size_t{64} << 20;

constexpr std::size_t piece = std::size_t{1} << 20;
constexpr std::size_t longest_line = 4096;  // beyond it a line may be cut in two

std::string read_at(int fd, std::uint64_t at, std::size_t bytes) {
    std::string text(bytes, '\0');
    const auto size = ::pread(fd, text.data(), bytes, static_cast<off_t>(at));
    if (size < 0) {
        throw SystemError("cannot read a log that has grown too long", errno);
    }
    text.resize(static_cast<std::size_t>(size));
    return text;
}

void write_at(int fd, std::uint64_t at, std::string_view text) {
    while (!text.empty()) {
        const auto size = ::pwrite(fd, text.data(), text.size(), static_cast<off_t>(at));
        if (size < 0) {
            throw SystemError("cannot shorten a log that has grown too long", errno);
        }
        text.remove_prefix(static_cast<std::size_t>(size));
        at += static_cast<std::uint64_t>(size);
    }
}

/// Where the line around \p at begins.
std::uint64_t line_start(int fd, std::uint64_t at) {
    const auto from = at - std::min<std::uint64_t>(at, longest_line);
    const auto text = read_at(fd, from, static_cast<std::size_t>(at - from));
    const auto end = text.rfind('\n');
    return end == std::string::npos ? at : from + end + 1;
}

}  // namespace

void set_log_limit(std::size_t bytes) {
    process_limit = bytes;
}

std::size_t log_limit() {
    return process_limit;
}

void LogBound::grown(std::size_t bytes) {
    size_ += bytes;
    if (limit_ > 0 && size_ > limit_) {
        check();
    }
}

void LogBound::check() {
    if (limit_ == 0) {
        return;
    }
    // Not for appending: the system would then write at the end, whatever place is given.
    const UniqueFd fd(::open(path_.c_str(), O_RDWR | O_CLOEXEC));
    struct stat info {};
    if (!fd || ::fstat(fd.get(), &info) != 0) {
        throw SystemError("cannot look at " + path_.native(), errno);
    }
    size_ = static_cast<std::uint64_t>(info.st_size);
    if (size_ > limit_) {
        cut(fd.get(), size_);
    }
}

void LogBound::cut(int fd, std::uint64_t size) {
    if (head_ == 0) {
        head_ = line_start(fd, limit_ / 2);
    }
    auto from = std::max<std::uint64_t>(line_start(fd, size - limit_ / 4), head_ + gap_);
    missing_ += from - (head_ + gap_);
    const auto gap = fmt::format(
        "[... {} bytes are left out here: the log is longer than vt.common.log_limit ...]\n", missing_);
    write_at(fd, head_, gap);
    gap_ = gap.size();
    auto to = head_ + gap_;
    while (from < size) {
        const auto text = read_at(fd, from, std::min<std::uint64_t>(piece, size - from));
        if (text.empty()) {
            break;
        }
        write_at(fd, to, text);
        from += text.size();
        to += text.size();
    }
    if (::ftruncate(fd, static_cast<off_t>(to)) != 0) {
        throw SystemError("cannot shorten " + path_.native(), errno);
    }
    size_ = to;
}

}  // namespace vt

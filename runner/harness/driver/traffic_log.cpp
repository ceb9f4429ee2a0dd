// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/harness/driver/traffic_log.hpp"

#include "runner/support/error.hpp"
#include "runner/support/file.hpp"
#include "runner/support/log.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <ctime>
#include <utility>

#include <fcntl.h>

namespace vt::driver {
namespace {

constexpr std::size_t shown_bytes = 256;
constexpr std::size_t buffer_size = std::size_t{64} << 10;
constexpr std::size_t stamp_size = 64;
/// A number of bytes and the words around it.
constexpr std::size_t number_size = 40;
constexpr std::string_view hex_digits = "0123456789abcdef";

/// " 00" to " ff", one after the other.
constexpr auto hex_words = [] {
    std::array<char, 256 * 3> words{};
    for (std::size_t byte = 0; byte < 256; ++byte) {
        words[byte * 3] = ' ';
        words[byte * 3 + 1] = hex_digits[byte >> 4U];
        words[byte * 3 + 2] = hex_digits[byte & 15U];
    }
    return words;
}();

/// The most that write_printable() makes of so many bytes.
constexpr std::size_t printable_size(std::size_t bytes) {
    return 4 * bytes + 2;
}

/// Returns the end of what it wrote.
char* write_printable(char* into, std::string_view bytes) {
    *into++ = '"';
    for (const char c : bytes) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte >= 0x20 && byte < 0x7f && c != '"' && c != '\\') {
            *into++ = c;
            continue;
        }
        *into++ = '\\';
        if (c == '"' || c == '\\') {
            *into++ = c;
        } else if (c == '\n' || c == '\r' || c == '\t') {
            *into++ = c == '\n' ? 'n' : (c == '\r' ? 'r' : 't');
        } else {
            *into++ = 'x';
            *into++ = hex_digits[byte >> 4U];
            *into++ = hex_digits[byte & 15U];
        }
    }
    *into++ = '"';
    return into;
}

char* write_text(char* into, std::string_view text) {
    std::memcpy(into, text.data(), text.size());
    return into + text.size();
}

}  // namespace

std::string printable(std::string_view bytes) {
    std::string text(printable_size(bytes.size()), '\0');
    text.resize(static_cast<std::size_t>(write_printable(text.data(), bytes) - text.data()));
    return text;
}

TrafficLog::TrafficLog(std::filesystem::path file) : file_(std::move(file)), on_(!file_.empty()) {}

TrafficLog::~TrafficLog() {
    flush();
}

char* TrafficLog::stamp(char* into) {
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    if (now.tv_sec != second_) {
        second_ = now.tv_sec;
        tm parts{};
        ::localtime_r(&now.tv_sec, &parts);
        std::array<char, stamp_size> text{};
        second_text_.assign(text.data(),
                            std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S.", &parts));
    }
    into = write_text(into, second_text_);
    long rest = now.tv_nsec / 1000;
    for (int i = 5; i >= 0; --i, rest /= 10) {
        into[i] = static_cast<char>('0' + rest % 10);
    }
    into[6] = ' ';
    return into + 7;
}

char* TrafficLog::room(std::size_t size) {
    if (buffer_.size() < used_ + size) {
        buffer_.resize(std::max(used_ + size, buffer_size + buffer_size / 4));
    }
    return buffer_.data() + used_;
}

void TrafficLog::record(std::string_view who, std::string_view arrow, std::string_view bytes) {
    if (!on()) {
        return;
    }
    const std::string_view shown = bytes.substr(0, shown_bytes);
    const std::lock_guard lock(mutex_);
    char* into = room(stamp_size + who.size() + arrow.size() + number_size + 3 * shown.size() +
                      printable_size(shown.size()));
    into = write_text(stamp(into), who);
    into = write_text(into, arrow);
    into = std::to_chars(into, into + number_size, bytes.size()).ptr;
    into = write_text(into, bytes.size() == 1 ? " byte:" : " bytes:");
    for (const char c : shown) {
        into = write_text(into, {&hex_words[static_cast<unsigned char>(c) * std::size_t{3}], 3});
    }
    *into++ = ' ';
    into = write_printable(into, shown);
    into = write_text(into, shown.size() < bytes.size() ? " ...\n" : "\n");
    used_ = static_cast<std::size_t>(into - buffer_.data());
    if (used_ >= buffer_size) {
        flush_locked();
    }
}

void TrafficLog::event(std::string_view who, std::string_view what) {
    if (!on()) {
        return;
    }
    const std::lock_guard lock(mutex_);
    char* into = room(stamp_size + who.size() + what.size() + 2);
    into = write_text(stamp(into), who);
    *into++ = ' ';
    into = write_text(into, what);
    *into++ = '\n';
    used_ = static_cast<std::size_t>(into - buffer_.data());
}

void TrafficLog::flush() {
    const std::lock_guard lock(mutex_);
    flush_locked();
}

void TrafficLog::flush_locked() {
    if (!on() || used_ == 0) {
        return;
    }
    try {
        if (!fd_) {
            fd_.reset(::open(file_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
        }
        if (!fd_) {
            throw SystemError("open " + file_.string(), errno);
        }
        write_all(fd_.get(), std::string_view(buffer_.data(), used_));
    } catch (const Error& error) {
        log::warning("the record of what was sent and received is left off: {}", error.what());
        on_ = false;
    }
    used_ = 0;
}

}  // namespace vt::driver

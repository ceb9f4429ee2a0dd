// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/harness/driver/traffic_log.hpp"

#include "runner/support/error.hpp"
#include "runner/support/file.hpp"
#include "runner/support/log.hpp"

#include <array>
#include <cerrno>
#include <ctime>
#include <utility>

#include <fcntl.h>

namespace vt::driver {
namespace {

constexpr std::size_t shown_bytes = 256;
constexpr std::size_t buffer_size = std::size_t{64} << 10;
constexpr std::string_view hex_digits = "0123456789abcdef";

void append_printable(std::string& text, std::string_view bytes) {
    text += '"';
    for (const char c : bytes) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            text += '\\';
            text += c;
        } else if (byte >= 0x20 && byte < 0x7f) {
            text += c;
        } else if (c == '\n' || c == '\r' || c == '\t') {
            text += c == '\n' ? "\\n" : (c == '\r' ? "\\r" : "\\t");
        } else {
            text += "\\x";
            text += hex_digits[byte >> 4U];
            text += hex_digits[byte & 15U];
        }
    }
    text += '"';
}

}  // namespace

std::string printable(std::string_view bytes) {
    std::string text;
    append_printable(text, bytes);
    return text;
}

TrafficLog::TrafficLog(std::filesystem::path file) : file_(std::move(file)), on_(!file_.empty()) {}

TrafficLog::~TrafficLog() {
    flush();
}

void TrafficLog::stamp() {
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    if (now.tv_sec != second_) {
        second_ = now.tv_sec;
        tm parts{};
        ::localtime_r(&now.tv_sec, &parts);
        std::array<char, 32> text{};
        second_text_.assign(text.data(),
                            std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S.", &parts));
    }
    buffer_ += second_text_;
    std::array<char, 7> micros{"000000"};
    long rest = now.tv_nsec / 1000;
    for (int i = 5; i >= 0; --i, rest /= 10) {
        micros[static_cast<std::size_t>(i)] = static_cast<char>('0' + rest % 10);
    }
    buffer_.append(micros.data(), 6);
    buffer_ += ' ';
}

void TrafficLog::record(std::string_view who, std::string_view arrow, std::string_view bytes) {
    if (!on()) {
        return;
    }
    const std::lock_guard lock(mutex_);
    stamp();
    buffer_ += who;
    buffer_ += arrow;
    buffer_ += std::to_string(bytes.size());
    buffer_ += bytes.size() == 1 ? " byte:" : " bytes:";
    const std::string_view shown = bytes.substr(0, shown_bytes);
    for (const char c : shown) {
        const auto byte = static_cast<unsigned char>(c);
        buffer_ += ' ';
        buffer_ += hex_digits[byte >> 4U];
        buffer_ += hex_digits[byte & 15U];
    }
    buffer_ += ' ';
    append_printable(buffer_, shown);
    buffer_ += shown.size() < bytes.size() ? " ...\n" : "\n";
    if (buffer_.size() >= buffer_size) {
        flush_locked();
    }
}

void TrafficLog::event(std::string_view who, std::string_view what) {
    if (!on()) {
        return;
    }
    const std::lock_guard lock(mutex_);
    stamp();
    buffer_ += who;
    buffer_ += ' ';
    buffer_ += what;
    buffer_ += '\n';
}

void TrafficLog::flush() {
    const std::lock_guard lock(mutex_);
    flush_locked();
}

void TrafficLog::flush_locked() {
    if (!on() || buffer_.empty()) {
        return;
    }
    try {
        if (!fd_) {
            fd_.reset(::open(file_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
        }
        if (!fd_) {
            throw SystemError("open " + file_.string(), errno);
        }
        write_all(fd_.get(), buffer_);
    } catch (const Error& error) {
        log::warning("the record of what was sent and received is left off: {}", error.what());
        on_ = false;
    }
    buffer_.clear();
}

}  // namespace vt::driver

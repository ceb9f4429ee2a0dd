// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/session/terminal.hpp"

#include "runner/support/log.hpp"

#include <algorithm>

namespace vt {
namespace {

constexpr char esc = '\x1b';
/// A sequence that has not ended by then is none.
constexpr std::size_t longest_sequence = 64;
/// Lines without an end are passed on in pieces of this size.
constexpr std::size_t longest_line = std::size_t{64} << 10;

bool is_final(char c) {
    return c >= 0x40 && c <= 0x7E;
}

/// The length of the control sequence (ESC [ … final) at the beginning of \p text; nothing if it is
/// unfinished, 0 if it is none.
std::optional<std::size_t> csi_length(std::string_view text) {
    if (text.size() < 2) {
        return std::nullopt;
    }
    if (text[1] != '[') {
        return 0;
    }
    for (std::size_t i = 2; i < text.size(); ++i) {
        if (is_final(text[i])) {
            return i + 1;
        }
        if (text[i] < 0x20 || text[i] > 0x3F || i >= longest_sequence) {
            return 0;
        }
    }
    return std::nullopt;
}

/// True for what asks the terminal something (device status, attributes) or switches its modes.
bool is_query_or_mode(std::string_view sequence) {
    const char final = sequence.back();
    const bool is_private = sequence.size() > 2 && sequence[2] == '?';
    return final == 'n' || final == 'c' || (is_private && (final == 'h' || final == 'l'));
}

}  // namespace

std::string TerminalFilter::feed(std::string_view chunk) {
    std::string joined;
    if (!held_.empty()) {
        joined = held_ + std::string(chunk);
        held_.clear();
        chunk = joined;
    }
    std::string out;
    out.reserve(chunk.size());
    while (!chunk.empty()) {
        const std::size_t special = chunk.find_first_of("\x1b\r");
        out += chunk.substr(0, special);
        if (special == std::string_view::npos) {
            break;
        }
        chunk.remove_prefix(special);
        if (chunk.front() == '\r') {
            if (chunk.size() == 1) {
                held_ = chunk;
                break;
            }
            if (chunk[1] != '\n') {
                out += '\r';
            }
            chunk.remove_prefix(1);
            continue;
        }
        const auto length = csi_length(chunk);
        if (!length && chunk.size() <= longest_sequence) {
            held_ = chunk;
            break;
        }
        const std::size_t taken = length.value_or(0);
        if (taken == 0) {
            out += esc;
            chunk.remove_prefix(1);
            continue;
        }
        const auto sequence = chunk.substr(0, taken);
        if (!is_query_or_mode(sequence)) {
            out += sequence;
        } else if (sequence == "\x1b[?2004l") {
            // readline writes this one with a CR: both belong together.
            if (chunk.size() == taken) {
                held_ = chunk;
                break;
            }
            if (chunk[taken] == '\r') {
                chunk.remove_prefix(1);
            }
        }
        chunk.remove_prefix(taken);
    }
    return out;
}

std::string TerminalFilter::flush() {
    const std::string held = std::exchange(held_, {});
    return held == "\x1b[?2004l" ? std::string() : held;
}

std::size_t control_sequence_length(std::string_view text) {
    if (text.size() < 2) {
        return text.size();
    }
    if (text[1] == '[') {
        const auto length = csi_length(text);
        return length ? std::max<std::size_t>(*length, 2) : text.size();
    }
    if (text[1] == ']') {  // OSC, up to BEL or ESC backslash
        const std::size_t end = text.find_first_of("\x07\x1b\n", 2);
        if (end == std::string_view::npos) {
            return text.size();
        }
        return text[end] == '\n' ? end : text[end] == esc ? std::min(end + 2, text.size()) : end + 1;
    }
    // ESC, intermediate bytes, one final byte.
    std::size_t i = 1;
    while (i < text.size() && text[i] >= 0x20 && text[i] <= 0x2F) {
        ++i;
    }
    return std::min(i + 1, text.size());
}

std::string strip_control_sequences(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    while (!text.empty()) {
        const std::size_t special = text.find(esc);
        out += text.substr(0, special);
        if (special == std::string_view::npos) {
            break;
        }
        text.remove_prefix(special);
        text.remove_prefix(control_sequence_length(text));
    }
    return out;
}

OutputBuffer::OutputBuffer(std::size_t limit) : limit_(limit) {}

void OutputBuffer::set_line_handler(LineHandler handler) {
    const std::lock_guard lock(line_mutex_);
    handler_ = std::move(handler);
}

void OutputBuffer::append(std::string_view chunk) {
    std::string text;
    {
        const std::lock_guard lock(mutex_);
        if (finished_) {
            return;
        }
        text = filter_.feed(chunk);
        data_ += text;
        if (data_.size() > limit_) {
            data_.erase(0, data_.size() - limit_);
            if (!std::exchange(dropped_, true)) {
                log::warning("nobody reads a session: output beyond the last {} MiB is dropped",
                             limit_ >> 20U);
            }
        }
    }
    changed_.notify_all();
    pass_lines(text);
}

void OutputBuffer::finish(std::optional<int> status, const std::string& why) {
    std::string rest;
    {
        const std::lock_guard lock(mutex_);
        if (finished_) {
            return;
        }
        rest = filter_.flush();
        data_ += rest;
        finished_ = true;
        status_ = status;
        why_ = why;
    }
    changed_.notify_all();
    pass_lines(rest);
    const std::lock_guard lock(line_mutex_);
    if (handler_ && !line_.empty()) {
        handler_(std::exchange(line_, {}));
    }
}

std::string OutputBuffer::take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(data_, {});
}

bool OutputBuffer::wait(const Deadline& deadline) {
    std::unique_lock lock(mutex_);
    // A day at most per turn: Seconds::max() would overflow the clock.
    while (data_.empty() && !finished_ && !deadline.expired()) {
        changed_.wait_for(lock, std::min(deadline.remaining(), Seconds{86400}));
    }
    return !data_.empty();
}

bool OutputBuffer::finished() const {
    const std::lock_guard lock(mutex_);
    return finished_;
}

std::optional<int> OutputBuffer::exit_status() const {
    const std::lock_guard lock(mutex_);
    return status_;
}

std::string OutputBuffer::end_reason() const {
    const std::lock_guard lock(mutex_);
    return why_;
}

void OutputBuffer::pass_lines(std::string_view text) {
    const std::lock_guard lock(line_mutex_);
    while (!text.empty()) {
        const std::size_t end = text.find('\n');
        line_ += text.substr(0, end);
        const bool ended = end != std::string_view::npos;
        text.remove_prefix(ended ? end + 1 : text.size());
        if (!ended && line_.size() < longest_line) {
            break;
        }
        while (!line_.empty() && line_.back() == '\r') {
            line_.pop_back();
        }
        if (handler_) {
            handler_(line_);
        }
        line_.clear();
    }
}

}  // namespace vt

// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/env/setup/kernel_log.hpp"

#include "runner/support/error.hpp"
#include "runner/support/pattern.hpp"
#include "runner/support/strings.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <optional>

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

namespace vt {

namespace {

constexpr std::size_t longest_record = 8192;  // the kernel's own bound

template <typename Number>
Number number(std::string_view text) {
    Number value{};
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

/// "6,339,5140900,-;text"; lines that begin with a blank go with the one before.
std::optional<KernelMessage> parse_record(std::string_view line) {
    const auto semicolon = line.find(';');
    if (line.empty() || line.front() == ' ' || semicolon == std::string_view::npos) {
        return std::nullopt;
    }
    const auto fields = split(line.substr(0, semicolon), ',');
    if (fields.size() < 3) {
        return std::nullopt;
    }
    return KernelMessage{number<int>(fields[0]) & 7, number<std::uint64_t>(fields[2]),
                         to_valid_utf8(line.substr(semicolon + 1))};
}

/// The expressions of "'x.*', 'y.*'"; quotes may be left out.
std::vector<Pattern> parse_patterns(const std::string& list) {
    std::vector<Pattern> patterns;
    std::string current;
    char quote = '\0';
    const auto flush = [&] {
        if (const auto text = trim(current); !text.empty()) {
            patterns.emplace_back(std::string(text));
        }
        current.clear();
    };
    for (const char letter : list) {
        if (quote != '\0') {
            if (letter == quote) {
                quote = '\0';
            } else {
                current += letter;
            }
        } else if (letter == '\'' || letter == '"') {
            quote = letter;
        } else if (letter == ',') {
            flush();
        } else {
            current += letter;
        }
    }
    flush();
    return patterns;
}

}  // namespace

KernelLog::KernelLog(const std::filesystem::path& device)
    : fd_(::open(device.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC)) {
    if (!fd_ || ::lseek(fd_.get(), 0, SEEK_END) < 0) {
        throw SystemError("cannot read the kernel's log " + device.native(), errno);
    }
}

std::vector<KernelMessage> KernelLog::read() {
    std::vector<KernelMessage> messages;
    std::array<char, longest_record> record{};
    for (;;) {
        const auto count = ::read(fd_.get(), record.data(), record.size());
        if (count < 0 && (errno == EPIPE || errno == EINTR)) {
            continue;  // EPIPE: what came next was overwritten; reading goes on behind it
        }
        if (count <= 0) {
            break;
        }
        rest_.append(record.data(), static_cast<std::size_t>(count));
        for (auto end = rest_.find('\n'); end != std::string::npos; end = rest_.find('\n')) {
            if (auto message = parse_record(std::string_view(rest_).substr(0, end))) {
                messages.push_back(std::move(*message));
            }
            rest_.erase(0, end + 1);
        }
    }
    return messages;
}

std::vector<KernelMessage> parse_raw_dmesg(std::string_view text) {
    std::vector<KernelMessage> messages;
    for (const auto& line : split(text, '\n')) {
        const auto close = line.find('>');
        if (line.empty() || line.front() != '<' || close == std::string::npos) {
            continue;
        }
        KernelMessage message;
        message.level = number<int>(std::string_view(line).substr(1, close - 1)) & 7;
        std::string_view said = trim(std::string_view(line).substr(close + 1));
        const auto bracket = said.find(']');
        if (said.starts_with('[') && bracket != std::string_view::npos) {
            const auto time = split(trim(said.substr(1, bracket - 1)), '.');
            message.usec = number<std::uint64_t>(time.front()) * 1'000'000;
            if (time.size() > 1) {
                message.usec += number<std::uint64_t>(time[1]);
            }
            said = trim(said.substr(bracket + 1));
        }
        message.text = to_valid_utf8(said);
        messages.push_back(std::move(message));
    }
    return messages;
}

std::vector<KernelMessage> unexpected_messages(const std::vector<KernelMessage>& messages, int levels,
                                               const std::string& expected) {
    const auto patterns = parse_patterns(expected);
    std::vector<KernelMessage> found;
    for (const auto& message : messages) {
        if (message.level < levels &&
            std::none_of(patterns.begin(), patterns.end(),
                         [&](const Pattern& pattern) { return pattern.search(message.text); })) {
            found.push_back(message);
        }
    }
    return found;
}

std::string to_text(const std::vector<KernelMessage>& messages) {
    static constexpr std::array<const char*, 8> names{"emerg", "alert",  "crit", "err",
                                                      "warn",  "notice", "info", "debug"};
    std::string text;
    for (const auto& message : messages) {
        text += fmt::format("{} [{}.{:06}] {}\n", names[static_cast<std::size_t>(message.level) & 7],
                            message.usec / 1'000'000, message.usec % 1'000'000, message.text);
    }
    return text;
}

}  // namespace vt

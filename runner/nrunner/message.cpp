// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/nrunner/message.hpp"

#include "runner/nrunner/base64.hpp"
#include "runner/support/printable.hpp"
#include "runner/support/strings.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <ctime>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

namespace vt::nrunner {
namespace {

constexpr std::size_t longest_reason = std::size_t{8} << 10;
constexpr std::size_t longest_traceback = std::size_t{256} << 10;

std::string json_string(const std::string& text) {
    return nlohmann::json(text).dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
}

/// Python's repr of text (\p binary: of bytes).
std::string python_string(std::string_view text, bool binary) {
    const bool doubled =
        text.find('\'') != std::string_view::npos && text.find('"') == std::string_view::npos;
    const char quote = doubled ? '"' : '\'';
    std::string out = binary ? "b" : "";
    out += quote;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == quote || c == '\\') {
            out += '\\';
            out += c;
        } else if (c == '\n') {
            out += "\\n";
        } else if (c == '\r') {
            out += "\\r";
        } else if (c == '\t') {
            out += "\\t";
        } else if (byte < 0x20 || byte == 0x7f || (binary && byte > 0x7f)) {
            out += fmt::format("\\x{:02x}", byte);
        } else {
            out += c;
        }
    }
    return out + quote;
}

std::int64_t monotonic_microseconds() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return std::int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1000;
}

/// The wall clock as Python's logging prints it.
std::string clock_text() {
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    std::tm local{};
    ::localtime_r(&now.tv_sec, &local);
    return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02},{:03}", local.tm_year + 1900, local.tm_mon + 1,
                       local.tm_mday, local.tm_hour, local.tm_min, local.tm_sec, now.tv_nsec / 1'000'000);
}

}  // namespace

std::string Message::json() const {
    std::string out;
    for (const auto& [name, value] : fields_) {
        out += out.empty() ? "{" : ", ";
        out += json_string(name) + ": ";
        if (const auto* text = std::get_if<std::string>(&value)) {
            out += json_string(*text);
        } else if (const auto* bytes = std::get_if<Bytes>(&value)) {
            out += "{\"__base64_encoded__\": \"" + encode_base64(bytes->data) + "\"}";
        } else if (const auto* number = std::get_if<std::int64_t>(&value)) {
            out += fmt::format("{}", *number);
        } else {
            out += fmt::format("{:.6f}", std::get<double>(value));
        }
    }
    return out + "}";
}

std::string Message::python() const {
    std::string out;
    for (const auto& [name, value] : fields_) {
        out += out.empty() ? "{" : ", ";
        out += python_string(name, false) + ": ";
        if (const auto* text = std::get_if<std::string>(&value)) {
            out += python_string(to_valid_utf8(*text), false);
        } else if (const auto* bytes = std::get_if<Bytes>(&value)) {
            out += python_string(bytes->data, true);
        } else if (const auto* number = std::get_if<std::int64_t>(&value)) {
            out += fmt::format("{}", *number);
        } else {
            out += fmt::format("{:.6f}", std::get<double>(value));
        }
    }
    return out + "}";
}

Message MessageMaker::complete(Message message, const char* status) {
    last_time_ = std::max(last_time_ + 1, monotonic_microseconds());
    message.add("status", status);
    message.add("time", static_cast<double>(last_time_) / 1e6);
    if (!id_.empty()) {
        message.add("id", id_);
    }
    if (!job_id_.empty()) {
        message.add("job_id", job_id_);
    }
    return message;
}

Message MessageMaker::running(const char* type) {
    Message message;
    message.add("type", type);
    return message;
}

Message MessageMaker::started(const std::string& output_dir) {
    Message message;
    message.add("output_dir", output_dir);
    return complete(std::move(message), "started");
}

Message MessageMaker::log(log::Level level, std::string_view logger, std::string_view lines) {
    static constexpr std::array<std::int64_t, 4> numbers{10, 20, 30, 40};  // Python's logging
    auto message = running("log");
    message.add("log", Bytes{printable(lines)});
    message.add("encoding", "utf-8");
    message.add("log_name", to_valid_utf8(logger));
    message.add("log_level", numbers.at(static_cast<std::size_t>(level)));
    message.add("log_levelname", std::string(log::level_name(level)));
    return complete(std::move(message), "running");
}

Message MessageMaker::stream(std::string_view name, std::string_view bytes) {
    // As it came: these are the test's own files, and nothing of them is shown on the way.
    auto message = running(name == "stderr" ? "stderr" : "stdout");
    message.add("log", Bytes{std::string(bytes)});
    return complete(std::move(message), "running");
}

Message MessageMaker::whiteboard(std::string_view text) {
    auto message = running("whiteboard");
    message.add("log", Bytes{to_valid_utf8(text)});
    message.add("encoding", "utf-8");
    return complete(std::move(message), "running");
}

Message MessageMaker::file(std::string_view path, std::string_view bytes) {
    auto message = running("file");
    message.add("path", std::string(path));
    message.add("log", Bytes{std::string(bytes)});
    return complete(std::move(message), "running");
}

Message MessageMaker::output(std::string_view text) {
    auto message = running("output");
    message.add("log", Bytes{printable(text)});
    message.add("encoding", "utf-8");
    return complete(std::move(message), "running");
}

Message MessageMaker::finished(const TestResult& result) {
    Message message;
    message.add("result", std::string(status_name(result.status)));
    // Empty for a test that passed: without it Avocado's results have "<unknown>".
    message.add("fail_reason", one_line(result.reason, longest_reason));
    if (result.returncode) {
        message.add("returncode", std::int64_t{*result.returncode});
    }
    message.add("class_name", "VirtTest");
    if (!result.fail_class.empty()) {
        message.add("fail_class", one_line(result.fail_class, longest_reason));
    }
    if (!result.traceback.empty()) {
        message.add("traceback", printable(cut(result.traceback, longest_traceback).front()));
    }
    return complete(std::move(message), "finished");
}

std::string format_log_line(log::Level level, std::string_view logger, std::string_view line) {
    return fmt::format("{} {} {:<5.5}| {}", clock_text(), printable_line(logger), log::level_name(level),
                       printable(line));
}

std::vector<std::string_view> cut(std::string_view text, std::size_t limit) {
    std::vector<std::string_view> parts;
    while (text.size() > limit) {
        auto end = limit;
        // Not inside a character: at most three continuation bytes back.
        for (int back = 0; back < 3 && end > 1 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80;
             ++back) {
            --end;
        }
        parts.push_back(text.substr(0, end));
        text.remove_prefix(end);
    }
    parts.push_back(text);
    return parts;
}

std::string one_line(std::string_view text, std::size_t limit) {
    std::string line(text);
    std::replace_if(
        line.begin(), line.end(), [](char c) { return c == '\n' || c == '\r' || c == '\t'; }, ' ');
    std::string result = printable_line(trim(line));
    if (result.size() > limit) {
        result = std::string(cut(result, limit).front()) + "…";
    }
    return result;
}

}  // namespace vt::nrunner

// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/monitor/qmp_parser.hpp"

#include "runner/monitor/monitor_error.hpp"
#include "runner/session/shell_error.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace vt {
namespace {

/// The beginning of \p line for messages.
std::string excerpt(const std::string& line) {
    constexpr std::size_t shown = 200;
    return python_repr(std::string_view(line).substr(0, shown)) + (line.size() > shown ? "…" : "");
}

/// How deep brackets nest in \p line, which need not be JSON.
int depth_of(const std::string& line) {
    int depth = 0;
    int deepest = 0;
    bool quoted = false;
    for (std::size_t i = 0; i < line.size(); ++i) {
        const char c = line[i];
        if (quoted) {
            if (c == '\\') {
                ++i;
            } else if (c == '"') {
                quoted = false;
            }
        } else if (c == '"') {
            quoted = true;
        } else if (c == '{' || c == '[') {
            deepest = std::max(deepest, ++depth);
        } else if (c == '}' || c == ']') {
            --depth;
        }
    }
    return deepest;
}

}  // namespace

std::vector<std::string> QmpParser::feed(std::string_view bytes) {
    std::vector<std::string> lines;
    while (!bytes.empty()) {
        const std::size_t end = bytes.find('\n');
        const auto part = bytes.substr(0, end);
        if (line_.size() + part.size() > line_limit_) {
            throw MonitorProtocolError(fmt::format("a QMP message is longer than {} bytes: {}", line_limit_,
                                                   excerpt(line_ + std::string(part))));
        }
        line_ += part;
        if (end == std::string_view::npos) {
            break;
        }
        bytes.remove_prefix(end + 1);
        while (!line_.empty() && (line_.back() == '\r' || line_.back() == ' ')) {
            line_.pop_back();
        }
        if (!line_.empty()) {
            lines.push_back(std::move(line_));
        }
        line_.clear();
    }
    return lines;
}

nlohmann::json QmpParser::parse(const std::string& line) {
    if (depth_of(line) > depth_limit) {
        throw MonitorProtocolError(
            fmt::format("a QMP message nests deeper than {} levels: {}", depth_limit, excerpt(line)));
    }
    auto message = nlohmann::json::parse(line, nullptr, false);
    if (message.is_discarded() || !message.is_object()) {
        throw MonitorProtocolError("a QMP message is no JSON object: " + excerpt(line));
    }
    return message;
}

}  // namespace vt

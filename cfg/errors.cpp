// SPDX-License-Identifier: GPL-2.0-or-later
#include "cfg/errors.hpp"

#include "cfg/unicode.hpp"

#include <algorithm>

#include <fmt/core.h>

namespace vt::cfg {
namespace {

constexpr std::size_t shown_width = 120;

/// The line and a caret below the column; a long line is cut around it.
std::string show_line(const std::string& line, std::uint32_t offset) {
    std::vector<std::string_view> characters;
    for (std::size_t position = 0; position < line.size();) {
        const unsigned length = unicode::decode(line, position).length;
        characters.push_back(std::string_view(line).substr(position, length));
        position += length;
    }
    const std::size_t caret = std::min<std::size_t>(offset, characters.size());
    const std::size_t first = caret > shown_width * 2 / 3 ? caret - shown_width * 2 / 3 : 0;
    const std::size_t last = std::min(characters.size(), first + shown_width);
    std::string result = first > 0 ? "    …" : "    ";
    for (std::size_t i = first; i < last; ++i) {
        result += characters[i];
    }
    result += last < characters.size() ? "…\n    " : "\n    ";
    result.append(caret - first + (first > 0 ? 1 : 0), ' ');
    return result + "^";
}

std::string render(const ErrorReport& report, std::uint32_t indent) {
    std::string text = report.where.to_string() + (report.where.file.empty() ? "" : ": ") + report.message;
    if (!report.line.empty()) {
        const std::uint32_t column = report.where.column;
        text += "\n" + show_line(report.line, column > indent ? column - indent - 1 : 0);
    }
    if (!report.expected.empty()) {
        text += "\n    expected: " + report.expected;
    }
    for (const Location& where : report.included_from) {
        text += "\n    included from " + where.to_string();
    }
    return text;
}

}  // namespace

std::string Location::to_string() const {
    if (line == 0) {
        return file;
    }
    return column == 0 ? fmt::format("{}:{}", file, line) : fmt::format("{}:{}:{}", file, line, column);
}

ErrorReport report_of(std::string message, std::string file, std::uint32_t line, std::string expected) {
    ErrorReport report;
    report.message = std::move(message);
    report.where.file = std::move(file);
    report.where.line = line;
    report.where.column = line == 0 ? 0 : 1;
    report.expected = std::move(expected);
    return report;
}

ParserError::ParserError(ErrorReport report)
    : Error(render(report, report.indent)), report_(std::move(report)) {}

SourceError::SourceError(std::string path, int error_number)
    : Error(fmt::format("cannot read the configuration file {}: {}", path, errno_text(error_number))),
      path_(std::move(path)),
      error_number_(error_number) {}

}  // namespace vt::cfg

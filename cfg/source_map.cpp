// SPDX-License-Identifier: GPL-2.0-or-later
#include "cfg/source_map.hpp"

#include "cfg/unicode.hpp"

namespace vt::cfg {

const std::vector<std::string_view>& SourceMap::lines_of(std::uint32_t file) {
    const auto [place, fresh] = lines_.try_emplace(file);
    if (!fresh) {
        return place->second;
    }
    const std::string_view text = image_->text(image_->files[file].source);
    std::size_t begin = 0;
    for (std::size_t position = 0; position < text.size();) {
        if (text[position] >= ' ' && text[position] < 0x7F) {  // nearly all of a file
            ++position;
            continue;
        }
        const unicode::Character c = unicode::decode(text, position);
        const std::size_t end = position;
        position += c.length;
        if (unicode::is_line_end(c.code)) {
            position += c.code == '\r' && position < text.size() && text[position] == '\n' ? 1 : 0;
            place->second.push_back(text.substr(begin, end - begin));
            begin = position;
        }
    }
    if (begin < text.size()) {
        place->second.push_back(text.substr(begin));
    }
    return place->second;
}

std::string_view SourceMap::raw_line(std::uint32_t file, std::uint32_t line) {
    const auto& lines = lines_of(file);
    return line == 0 || line > lines.size() ? std::string_view() : lines[line - 1];
}

std::string_view SourceMap::line(const Stmt& statement) {
    return unicode::strip(raw_line(statement.file, statement.line));
}

Location SourceMap::where(const Stmt& statement, std::string_view part) {
    const std::string_view raw = raw_line(statement.file, statement.line);
    std::size_t at = part.empty() ? std::string_view::npos : raw.find(part);
    if (at == std::string_view::npos) {
        at = raw.size() - unicode::strip_left(raw).size();
    }
    // Columns as the language counts them: tabs to multiples of eight.
    std::uint32_t column = 0;
    for (std::size_t i = 0; i < at;) {
        const unicode::Character c = unicode::decode(raw, i);
        column = c.code == '\t' ? (column / 8 + 1) * 8 : column + 1;
        i += c.length;
    }
    return {std::string(image_->text(image_->files[statement.file].path)), statement.line, column + 1};
}

}  // namespace vt::cfg

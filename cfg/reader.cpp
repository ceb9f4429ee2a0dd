// SPDX-License-Identifier: GPL-2.0-or-later
#include "cfg/reader.hpp"

#include "cfg/reader_blocks.hpp"
#include "cfg/unicode.hpp"

#include <algorithm>

#include <fmt/core.h>

namespace vt::cfg {
namespace {

/// How the file maps call whatever is no file.
constexpr std::string_view text_name = "<string>";

/// Bytes of a line that an error report keeps.
constexpr std::size_t longest_shown = 4096;

struct OperatorSign {
    std::size_t position = std::string_view::npos;
    std::size_t length = 0;
    Op op = Op::set;
};

/// The leftmost operator: the first `=` and what belongs to it.
OperatorSign find_operator(std::string_view line) {
    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos) {
        return {};
    }
    const char before = equals > 0 ? line[equals - 1] : ' ';
    const bool question = equals > 1 && line[equals - 2] == '?';
    switch (before) {
        case '+':
            return question ? OperatorSign{equals - 2, 3, Op::regex_append}
                            : OperatorSign{equals - 1, 2, Op::append};
        case '<':
            return question ? OperatorSign{equals - 2, 3, Op::regex_prepend}
                            : OperatorSign{equals - 1, 2, Op::prepend};
        case '~':
            return {equals - 1, 2, Op::lazy_set};
        case '?':
            return {equals - 1, 2, Op::regex_set};
        default:
            return {equals, 1, Op::set};
    }
}

bool needs_no_escape(std::string_view value) {
    bool odd = false;
    for (const char c : value) {
        odd |= static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\';
    }
    return !odd;
}

bool starts_with(std::string_view text, std::string_view prefix) {
    return text.substr(0, prefix.size()) == prefix;
}

}  // namespace

void Reader::read_file(const std::string& path) {
    read_source(read_source_file(path, options_.limits.total_bytes), path, directory_of(path), false);
}

void Reader::read_text(std::string_view text, const std::string& name) {
    read_source({std::string(text), {}}, name, {}, false);
}

ErrorReport Reader::report(std::string message, std::string expected, std::size_t position) const {
    const SourceFrame& source = *frames_.back();
    ErrorReport result;
    result.message = std::move(message);
    result.expected = std::move(expected);
    result.indent = static_cast<std::uint32_t>(std::max<std::int64_t>(source.line.indent, 0));
    const std::string_view line = source.line.text;
    position = std::min(position, line.size());
    result.where = {source.path, source.line.number,
                    result.indent + static_cast<std::uint32_t>(unicode::count(line.substr(0, position))) + 1};
    // Of a very long line only what is around the place.
    std::size_t first = position > longest_shown / 2 ? position - longest_shown / 2 : 0;
    while (first > 0 && (static_cast<unsigned char>(line[first]) & 0xC0U) == 0x80U) {
        --first;
    }
    std::size_t last = std::min(line.size(), first + longest_shown);
    while (last < line.size() && (static_cast<unsigned char>(line[last]) & 0xC0U) == 0x80U) {
        ++last;
    }
    result.indent += static_cast<std::uint32_t>(unicode::count(line.substr(0, first)));
    result.line = std::string(line.substr(first, last - first));
    for (std::size_t i = frames_.size() - 1; i-- > 0;) {
        result.included_from.push_back({frames_[i]->path, frames_[i]->line.number, 0});
    }
    return result;
}

void Reader::refuse(std::string message, std::string expected, std::size_t position) {
    throw ParserError(report(std::move(message), std::move(expected), position));
}

void Reader::refuse_token(const Token& token, std::string expected) {
    refuse(fmt::format("{} cannot stand here", token_name(token.kind)), std::move(expected), token.position);
}

void Reader::limit(const std::string& message) {
    throw LimitError(report(message, {}, 0));
}

void Reader::check_encoding(std::string_view text, const std::string& path) {
    const auto bad = unicode::find_invalid(text);
    if (!bad) {
        return;
    }
    const std::string_view before = text.substr(0, *bad);
    const auto line = static_cast<std::uint32_t>(std::count(before.begin(), before.end(), '\n') + 1);
    const std::size_t start = before.rfind('\n') + 1;
    ErrorReport result;
    result.message = fmt::format("the byte 0x{:02x} is not UTF-8", static_cast<unsigned char>(text[*bad]));
    result.expected = "a text in UTF-8";
    result.where = {path, line, static_cast<std::uint32_t>(unicode::count(before.substr(start)) + 1)};
    for (std::size_t i = frames_.size(); i-- > 0;) {
        result.included_from.push_back({frames_[i]->path, frames_[i]->line.number, 0});
    }
    throw LexerError(result);
}

void Reader::read_source(SourceText source, const std::string& path, const std::string& directory,
                         bool in_condition) {
    check_encoding(source.text, path);
    const auto kept = builder_.blob.add_source(std::move(source.text));
    if (!kept) {
        throw LimitError(
            report_of(fmt::format("the sources together have more than {} bytes (limit total_bytes)",
                                  builder_.blob.limit()),
                      path));
    }
    File file;
    file.path = builder_.blob.add(path);
    file.source = builder_.blob.place(*kept);
    file.identity = source.identity;
    if (!frames_.empty()) {
        file.included_by = frame().file;
        file.included_line = frame().line.number;
    }
    const std::uint32_t number = builder_.add_file(file);
    if (number > UINT16_MAX) {
        throw LimitError(report_of("more than 65535 sources are read (limit files)", path));
    }
    frames_.push_back(std::make_unique<SourceFrame>(SourceFrame{
        path, directory, number, builder_.add_map_file(source.identity.inode == 0 ? text_name : path),
        LineReader(builder_.blob, *kept), Line{}, source.identity}));
    read_block(-1, in_condition, 0);
    frames_.pop_back();
}

void Reader::read_block(std::int64_t outer_indent, bool in_condition, unsigned depth) {
    depth_ += 1;
    if (depth_ > options_.limits.nesting_depth) {
        limit(fmt::format("blocks are nested deeper than {} (limit nesting_depth)",
                          options_.limits.nesting_depth));
    }
    Block block;
    block.outer_indent = outer_indent;
    block.in_condition = in_condition;
    block.depth = depth;
    while (const auto line = frame().lines.next(outer_indent)) {
        frame().line = *line;
        if (frame().lines.longest() > options_.limits.line_length) {
            frame().line.number = frame().lines.longest_line();
            limit(fmt::format("the line has more than {} bytes (limit line_length)",
                              options_.limits.line_length));
        }
        if (++statements_ > options_.limits.statements) {
            limit(fmt::format("there are more than {} statements (limit statements)",
                              options_.limits.statements));
        }
        try {
            read_line(block);
        } catch (const BadCharacter& bad) {
            throw LexerError(report(bad.message, {}, bad.position));
        } catch (const BadToken& bad) {
            refuse(bad.message, bad.expected, bad.token.position);
        }
    }
    if (block.suffix) {
        Stmt& statement = add(Op::suffix, 0);
        statement.value = block.suffix->value;
        statement.line = block.suffix->line;
    }
    depth_ -= 1;
}

void Reader::read_line(Block& block) {
    const std::string_view line = frame().line.text;
    if (block.header) {
        if (line.front() != '-') {
            refuse("something other than a variant stands in a variants block",
                   "a line beginning with '- name:'", 0);
        }
        read_variants(block);
        return;
    }
    switch (line.front()) {
        case 'v':
            if (starts_with(line, "variants:") || starts_with(line, "variants ")) {
                read_variants_header(block, 8);
                return;
            }
            break;
        case '-':
            refuse("a variant stands outside a variants block", "'variants:' above it", 0);
        case 'o':
            if (starts_with(line, "only ")) {
                read_filter_statement(Op::only, 5);
                return;
            }
            break;
        case 'n':
            if (starts_with(line, "no ")) {
                read_filter_statement(Op::no, 3);
                return;
            }
            break;
        case 'i':
            if (starts_with(line, "include ")) {
                read_include(block);
                return;
            }
            break;
        case 'd':
            if (starts_with(line, "del ")) {
                read_del(4);
                return;
            }
            break;
        case 's':
            if (starts_with(line, "suffix ")) {
                read_suffix(block, 7);
                return;
            }
            break;
        case 'j':
            if (starts_with(line, "join ")) {
                read_join(5);
                return;
            }
            break;
        default:
            break;
    }
    read_other(block);
}

void Reader::read_other(Block& block) {
    const std::string_view line = frame().line.text;
    const OperatorSign sign = find_operator(line);
    const std::size_t colon = line.find(':');
    if (sign.length > 0 && (colon == std::string_view::npos || colon > sign.position + sign.length)) {
        const std::string_view key = unicode::strip_right(line.substr(0, sign.position));
        read_assignment(sign.op, key, unicode::strip_left(line.substr(sign.position + sign.length)));
        return;
    }
    read_condition(block);
}

void Reader::read_assignment(Op op, std::string_view key, std::string_view value) {
    if (!value.empty() && value.front() == value.back() && (value.front() == '"' || value.front() == '\'')) {
        value = value.size() == 1 ? std::string_view() : value.substr(1, value.size() - 2);
    }
    const bool regex = op == Op::regex_set || op == Op::regex_append || op == Op::regex_prepend;
    const std::uint32_t target = regex ? builder_.add_pattern(key) : builder_.keys.intern(key);
    if (!regex && target < reserved::count) {
        return;
    }
    set_value(add(op, target), value);
}

void Reader::set_value(Stmt& statement, std::string_view value) {
    if (value.find('$') != std::string_view::npos) {
        const std::uint32_t number = builder_.add_template(value);
        if (number != none) {
            statement.flags |= Stmt::substitutes;
            statement.value = {number, 0};
            return;
        }
    }
    statement.value = builder_.blob.place(value);
    if (needs_no_escape(value)) {
        statement.flags |= Stmt::plain;
    }
}

Stmt& Reader::add(Op op, std::uint32_t a, std::uint8_t flags) {
    Stmt statement;
    statement.op = op;
    statement.flags = flags;
    statement.file = static_cast<std::uint16_t>(frame().file);
    statement.line = frame().line.number;
    statement.a = a;
    node().statements.push_back(statement);
    return node().statements.back();
}

FilterWords Reader::filter(const std::vector<Token>& tokens) {
    return read_filter(builder_, tokens);
}

std::vector<Token> Reader::tokens_to_end(Tokenizer& tokens, Token first) {
    std::vector<Token> result;
    result.push_back(std::move(first));
    while (result.back().kind != TokenKind::end) {
        result.push_back(tokens.next());
    }
    return result;
}

void Reader::read_condition(Block& block) {
    const std::string_view line = frame().line.text;
    Tokenizer tokenizer(line, 0);
    Token token = tokenizer.next();
    const bool negated = token.kind == TokenKind::bang;
    if (!negated && token.kind != TokenKind::identifier) {
        refuse_token(token, "a statement, an assignment or a condition");
    }
    std::vector<Token> tokens;
    if (negated) {
        token = tokenizer.next();
    }
    for (; token.kind != TokenKind::colon; token = tokenizer.next()) {
        if (token.kind == TokenKind::end || token.kind == TokenKind::assign ||
            token.kind == TokenKind::operation) {
            refuse("this is no statement", "'KEY = VALUE' or 'FILTER:'", token.position);
        }
        if (token.kind != TokenKind::white) {
            tokens.push_back(token);
        }
    }
    const Token colon = token;
    tokens.push_back({TokenKind::end, {}, colon.position, colon.after});
    const std::uint32_t number = builder_.add_filter(filter(tokens));
    const auto condition = static_cast<std::uint32_t>(builder_.conditions.size());
    builder_.conditions.push_back({number, negated ? 1U : 0U, 0, {}});
    add(Op::condition, condition);

    const Line opener = frame().line;
    const std::string_view rest = unicode::strip(line.substr(colon.after));
    if (!rest.empty()) {
        frame().lines.push_back({rest, opener.indent + 1, opener.number});
    }
    read_block(opener.indent, true, block.depth + 1);
    builder_.conditions[condition].end = static_cast<std::uint32_t>(node().statements.size());
}

void Reader::read_filter_statement(Op op, std::size_t position) {
    Tokenizer tokenizer(frame().line.text, position);
    const std::vector<Token> tokens = tokens_to_end(tokenizer, tokenizer.next_solid());
    add(op, builder_.add_filter(filter(tokens)));
}

void Reader::read_join(std::size_t position) {
    Tokenizer tokenizer(frame().line.text, position);
    const FilterWords words = filter(tokens_to_end(tokenizer, tokenizer.next_solid()));
    if (words.size() > options_.limits.join_depth) {
        limit(fmt::format("a join has more than {} words (limit join_depth)", options_.limits.join_depth));
    }
    std::uint32_t first = 0;
    for (std::size_t i = 0; i < words.size(); ++i) {
        const std::uint32_t number = builder_.add_filter({words[i]});
        first = i == 0 ? number : first;
    }
    add(Op::join, first).value = {0, static_cast<std::uint32_t>(words.size())};
}

void Reader::read_suffix(Block& block, std::size_t position) {
    Tokenizer tokenizer(frame().line.text, position);
    const Token name = tokenizer.next_solid();
    const Token end = tokenizer.next();
    if (name.kind != TokenKind::identifier) {
        refuse_token(name, "the suffix");
    }
    if (end.kind != TokenKind::end || end.position < frame().line.text.size()) {
        refuse_token(end, "the end of the line after the suffix");
    }
    block.suffix = SuffixStatement{builder_.blob.add(name.text), frame().line.number};
}

void Reader::read_del(std::size_t position) {
    Tokenizer tokenizer(frame().line.text, position);
    const Token name = tokenizer.next_solid();
    const Token end = tokenizer.next_solid();
    if (name.kind != TokenKind::identifier) {
        refuse_token(name, "the name of a key");
    }
    if (end.kind != TokenKind::end) {
        refuse_token(end, "one plain key");
    }
    const std::uint32_t key = builder_.keys.intern_copy(name.text, builder_.blob);
    if (key >= reserved::count) {
        add(Op::del, key);
    }
}

}  // namespace vt::cfg

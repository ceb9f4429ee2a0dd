// SPDX-License-Identifier: GPL-2.0-or-later
#include "cfg/tokens.hpp"

#include "cfg/unicode.hpp"

#include <optional>

#include <fmt/core.h>

namespace vt::cfg {
namespace {

bool is_name_character(char32_t code) {
    return code == '_' || code == '-' || unicode::is_alnum(code);
}

bool begins_operator(char32_t code) {
    return code == '+' || code == '<' || code == '?' || code == '~';
}

std::optional<TokenKind> punctuation(char32_t code) {
    switch (code) {
        case '.':
            return TokenKind::dot;
        case ':':
            return TokenKind::colon;
        case '@':
            return TokenKind::at;
        case ',':
            return TokenKind::comma;
        case '[':
            return TokenKind::left_bracket;
        case ']':
            return TokenKind::right_bracket;
        case '(':
            return TokenKind::left_paren;
        case ')':
            return TokenKind::right_paren;
        case '!':
            return TokenKind::bang;
        default:
            return std::nullopt;
    }
}

bool is_operator(const std::string& text) {
    return text == "~" || text == "+" || text == "<" || text == "?" || text == "?+" || text == "?<";
}

}  // namespace

std::string_view token_name(TokenKind kind) {
    switch (kind) {
        case TokenKind::identifier:
            return "a name";
        case TokenKind::white:
            return "white space";
        case TokenKind::dot:
            return "'.'";
        case TokenKind::colon:
            return "':'";
        case TokenKind::at:
            return "'@'";
        case TokenKind::comma:
            return "','";
        case TokenKind::left_bracket:
            return "'['";
        case TokenKind::right_bracket:
            return "']'";
        case TokenKind::left_paren:
            return "'('";
        case TokenKind::right_paren:
            return "')'";
        case TokenKind::bang:
            return "'!'";
        case TokenKind::dash:
            return "'-'";
        case TokenKind::assign:
            return "'='";
        case TokenKind::operation:
            return "an operator";
        case TokenKind::string:
            return "a quoted text";
        case TokenKind::end:
            return "the end of the line";
    }
    return "a token";
}

Token Tokenizer::next() {
    while (ready_.empty()) {
        scan();
    }
    Token token = std::move(ready_.front());
    ready_.pop_front();
    return token;
}

Token Tokenizer::next_solid() {
    Token token = next();
    while (token.kind == TokenKind::white) {
        token = next();
    }
    return token;
}

void Tokenizer::emit(TokenKind kind, std::size_t position, std::size_t length, std::string text) {
    ready_.push_back({kind, std::move(text), position, position + length});
}

void Tokenizer::flush_identifier() {
    if (!identifier_.empty()) {
        emit(TokenKind::identifier, identifier_position_, identifier_.size(), std::move(identifier_));
        identifier_.clear();
    }
}

void Tokenizer::scan() {
    if (ended_ || position_ >= line_.size()) {
        flush_identifier();
        emit(TokenKind::end, line_.size(), 0);
        ended_ = true;
        return;
    }
    std::size_t at = position_;
    unicode::Character c = unicode::decode(line_, at);
    if (!is_name_character(c.code) && begins_operator(c.code)) {
        if (!identifier_.empty()) {
            operator_.clear();
        }
        flush_identifier();
        operator_ += static_cast<char>(c.code);
        position_ = at + c.length;
        return;
    }
    if (unicode::is_space(c.code)) {
        flush_identifier();
        const std::size_t start = at;
        while (at < line_.size() && unicode::is_space(c.code)) {
            at += c.length;
            c = at < line_.size() ? unicode::decode(line_, at) : c;
        }
        position_ = at;
        if (at >= line_.size()) {
            return;
        }
        emit(TokenKind::white, start, at - start);
    }
    position_ = at + c.length;
    take(at, c.code, c.length);
}

void Tokenizer::take(std::size_t position, char32_t code, unsigned length) {
    if (is_name_character(code)) {
        if (identifier_.empty()) {
            identifier_position_ = position;
        }
        identifier_ += line_.substr(position, length);
        return;
    }
    flush_identifier();
    if (code == '=') {
        if (!operator_.empty() && !is_operator(operator_)) {
            throw BadCharacter{position, fmt::format("'{}=' is no operator", operator_)};
        }
        emit(operator_.empty() ? TokenKind::assign : TokenKind::operation, position, 1,
             operator_.empty() ? std::string() : operator_ + "=");
        operator_.clear();
    } else if (const auto kind = punctuation(code)) {
        emit(*kind, position, length);
    } else if (code == '"') {
        take_string(position);
    } else if (code == '#') {
        ended_ = true;
    } else if (begins_operator(code)) {
        operator_ += static_cast<char>(code);
    } else {
        throw BadCharacter{position,
                           fmt::format("'{}' can stand only in a value", line_.substr(position, length))};
    }
}

void Tokenizer::take_string(std::size_t position) {
    const std::size_t close = line_.find('"', position + 1);
    if (close == std::string_view::npos) {
        throw BadCharacter{position, "this quote is never closed"};
    }
    const std::string_view text = line_.substr(position + 1, close - position - 1);
    emit(TokenKind::string, position, close + 1 - position, std::string(text));
    identifier_ = text;
    identifier_position_ = position + 1;
    position_ = close + 1;
}

}  // namespace vt::cfg

// SPDX-License-Identifier: GPL-2.0-or-later
/// \file tokens.hpp
/// Splits the rest of a keyword line, a condition or a variant into tokens.
///
/// What is ugly: the characters `+ < ? ~` away from a `=` end a name and vanish, as in upstream's lexer,
/// where they are the beginning of an operator that never comes; and a quoted text stands twice, as a text
/// and as a name.
#pragma once

#include <cstddef>
#include <deque>
#include <string>
#include <string_view>

namespace vt::cfg {

enum class TokenKind {
    identifier,
    white,
    dot,
    colon,
    at,
    comma,
    left_bracket,
    right_bracket,
    left_paren,
    right_paren,
    bang,
    dash,
    assign,     ///< plain `=`
    operation,  ///< any other operator
    string,
    end,
};

/// How a token is called in messages.
std::string_view token_name(TokenKind kind);

struct Token {
    TokenKind kind = TokenKind::end;
    std::string text;          ///< identifier, string, operation: their text
    std::size_t position = 0;  ///< byte in the line where it begins
    std::size_t after = 0;     ///< byte where the rest of the line begins
};

/// A character that cannot stand outside a value; the reader makes a LexerError of it.
struct BadCharacter {
    std::size_t position = 0;
    std::string message;
};

/// Tokens of one line, made when asked for.
class Tokenizer {
  public:
    Tokenizer(std::string_view line, std::size_t position) : line_(line), position_(position) {}

    /// The next token; `end` again and again after the last. Throws BadCharacter.
    Token next();

    /// The next one that is not white space.
    Token next_solid();

  private:
    void scan();
    void flush_identifier();
    void take(std::size_t position, char32_t code, unsigned length);
    void take_string(std::size_t position);
    void emit(TokenKind kind, std::size_t position, std::size_t length, std::string text = {});

    std::string_view line_;
    std::size_t position_;
    std::deque<Token> ready_;
    std::string identifier_;
    std::size_t identifier_position_ = 0;
    std::string operator_;
    bool ended_ = false;
};

}  // namespace vt::cfg

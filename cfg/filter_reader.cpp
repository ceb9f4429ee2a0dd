// SPDX-License-Identifier: GPL-2.0-or-later
#include "cfg/filter_reader.hpp"

#include <initializer_list>

#include <fmt/core.h>

namespace vt::cfg {
namespace {

/// Reads one filter.
class FilterReader {
  public:
    FilterReader(Builder& builder, const std::vector<Token>& tokens) : builder_(builder), tokens_(tokens) {}

    FilterWords read() {
        while (peek().kind != TokenKind::end) {
            switch (peek().kind) {
                case TokenKind::identifier:
                case TokenKind::left_paren:
                    read_label();
                    break;
                case TokenKind::dot:
                    if (words_.empty() && word_.empty() && block_.empty()) {
                        refuse("a label before '.'");
                    }
                    ++dots_;
                    ++position_;
                    break;
                case TokenKind::comma:
                case TokenKind::white:
                    end_word();
                    break;
                default:
                    refuse("a label, '.', ',' or the end");
            }
        }
        close_word();
        return std::move(words_);
    }

  private:
    const Token& peek() const { return tokens_[position_]; }

    const Token& solid() {
        while (peek().kind == TokenKind::white) {
            ++position_;
        }
        return peek();
    }

    [[noreturn]] void refuse(const std::string& expected) const {
        const Token& token = peek();
        throw BadToken{token, fmt::format("{} cannot stand here in a filter", token_name(token.kind)),
                       expected};
    }

    const Token& take_solid(TokenKind kind, const char* expected) {
        if (solid().kind != kind) {
            refuse(expected);
        }
        return tokens_[position_++];
    }

    void read_label() {
        // dots_ counts those since the last label; a word begins as if after one.
        if (dots_ == 0) {
            refuse("'.', ',' or a blank between labels");
        }
        if (dots_ > 2) {
            refuse("one or two dots between labels");
        }
        if (dots_ == 2) {
            if (block_.empty()) {
                refuse("a label before the dots");
            }
            word_.push_back(std::move(block_));
            block_.clear();
        }
        block_.push_back(take_label());
        dots_ = 0;
    }

    std::uint32_t take_label() {
        if (peek().kind == TokenKind::identifier) {
            return builder_.name_symbol(tokens_[position_++].text);
        }
        ++position_;
        const std::string first = take_solid(TokenKind::identifier, "the name of a block or a label").text;
        if (solid().kind == TokenKind::right_paren) {
            ++position_;
            return builder_.name_symbol(first);
        }
        take_solid(TokenKind::assign, "'=' or ')'");
        solid();
        if (peek().kind != TokenKind::identifier && peek().kind != TokenKind::string) {
            refuse("the name of a variant");
        }
        const std::string second = tokens_[position_++].text;
        take_solid(TokenKind::right_paren, "')'");
        return builder_.exact_symbol(first, second);
    }

    void end_word() {
        if (dots_ > 0 || (block_.empty() && word_.empty())) {
            refuse("a label");
        }
        close_word();
        dots_ = 1;
        ++position_;
        solid();
        if (peek().kind == TokenKind::dot) {
            refuse("a label");
        }
    }

    void close_word() {
        if (!block_.empty()) {
            word_.push_back(std::move(block_));
            block_.clear();
        }
        if (!word_.empty()) {
            words_.push_back(std::move(word_));
            word_.clear();
        }
    }

    Builder& builder_;
    const std::vector<Token>& tokens_;
    std::size_t position_ = 0;
    int dots_ = 1;
    std::vector<std::uint32_t> block_;
    std::vector<std::vector<std::uint32_t>> word_;
    FilterWords words_;
};

}  // namespace

FilterWords read_filter(Builder& builder, const std::vector<Token>& tokens) {
    return FilterReader(builder, tokens).read();
}

}  // namespace vt::cfg

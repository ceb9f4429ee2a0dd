// SPDX-License-Identifier: GPL-2.0-or-later
#include "cfg/regex.hpp"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <cctype>
#include <utility>

#include <fmt/core.h>
#include <pcre2.h>

namespace vt::cfg {
namespace {

template <typename Type, void (*release)(Type*)>
struct Releaser {
    void operator()(Type* object) const { release(object); }
};
using Code = std::unique_ptr<pcre2_code, Releaser<pcre2_code, pcre2_code_free>>;
using MatchData = std::unique_ptr<pcre2_match_data, Releaser<pcre2_match_data, pcre2_match_data_free>>;
using MatchContext =
    std::unique_ptr<pcre2_match_context, Releaser<pcre2_match_context, pcre2_match_context_free>>;

constexpr std::uint32_t depth_limit = 10'000;
constexpr std::uint32_t heap_limit_kib = 20'000;

std::string error_text(int code) {
    PCRE2_UCHAR buffer[256] = {};
    pcre2_get_error_message(code, buffer, sizeof buffer);
    return reinterpret_cast<const char*>(buffer);
}

/// Rewrites a pattern from left to right.
class Translator {
  public:
    explicit Translator(std::string_view source) : source_(source) {}

    std::string run() {
        while (position_ < source_.size()) {
            const char c = source_[position_];
            if (c == '\\') {
                escape();
            } else if (in_class_) {
                class_member(c);
            } else if (c == '[') {
                open_class();
            } else if (c == '(') {
                group();
            } else if (c == '{' && source_.substr(position_, 2) == "{,") {
                counted();
            } else {
                result_ += c;
                ++position_;
            }
        }
        return std::move(result_);
    }

  private:
    [[noreturn]] void refuse(std::string_view what) const {
        throw BadRegex{
            fmt::format("{} at position {} of the regular expression '{}'", what, position_, source_)};
    }

    char peek(std::size_t offset) const {
        return position_ + offset < source_.size() ? source_[position_ + offset] : '\0';
    }

    void copy(std::size_t count) {
        result_ += source_.substr(position_, count);
        position_ += count;
    }

    void escape() {
        const char c = peek(1);
        if (c == '\0') {
            refuse("a lone backslash");
        }
        if (c == 'Z' && !in_class_) {
            result_ += "\\z";
            position_ += 2;
            return;
        }
        if (c == 'u' || c == 'U') {
            const std::size_t digits = c == 'u' ? 4 : 8;
            result_ +=
                fmt::format("\\x{{{}}}", source_.substr(std::min(position_ + 2, source_.size()), digits));
            position_ = std::min(position_ + 2 + digits, source_.size());
            return;
        }
        const std::string_view known = in_class_ ? "abdDfnrsStvwWx" : "AbBdDfnrsStvwWxa";
        if (std::isalpha(static_cast<unsigned char>(c)) != 0 && known.find(c) == std::string_view::npos) {
            refuse("a bad escape");
        }
        if (c == 'v') {  // PCRE2 has a class of vertical white space there
            result_ += "\\x0b";
            position_ += 2;
            return;
        }
        copy(2);
    }

    void open_class() {
        in_class_ = true;
        copy(1);
        if (peek(0) == '^') {
            copy(1);
        }
        if (peek(0) == ']') {
            result_ += "\\]";
            ++position_;
        }
    }

    void class_member(char c) {
        if (c == ']') {
            in_class_ = false;
        } else if (c == '[') {
            result_ += '\\';  // no POSIX classes in Python
        }
        copy(1);
    }

    void group() {
        if (peek(1) == '*') {
            refuse("nothing to repeat");
        }
        if (peek(1) != '?') {
            copy(1);
            return;
        }
        const char kind = peek(2);
        const std::string_view allowed = ":=!>#(<P";
        const bool flags = std::isalpha(static_cast<unsigned char>(kind)) != 0 && kind != 'P';
        if (flags || kind == '-') {
            const std::size_t close = source_.find_first_of("):", position_);
            if (close == std::string_view::npos ||
                source_.find_first_not_of("aiLmsux-", position_ + 2) != close) {
                refuse("an unknown extension");
            }
            if (source_[close] == ')' && position_ != 0) {
                refuse("global flags that are not at the start");
            }
            for (std::size_t i = position_; i <= close; ++i) {
                if (source_[i] != 'a' && source_[i] != 'u' && source_[i] != 'L') {
                    result_ += source_[i];
                }
            }
            position_ = close + 1;
            return;
        }
        const bool look = kind == '<' && (peek(3) == '=' || peek(3) == '!');
        const bool named = kind == 'P' && (peek(3) == '<' || peek(3) == '=');
        if (allowed.find(kind) == std::string_view::npos || (kind == '<' && !look) ||
            (kind == 'P' && !named)) {
            refuse("an unknown extension");
        }
        copy(3);
    }

    /// Python reads `{,3}` as `{0,3}`.
    void counted() {
        std::size_t end = position_ + 2;
        while (end < source_.size() && std::isdigit(static_cast<unsigned char>(source_[end])) != 0) {
            ++end;
        }
        if (end < source_.size() && source_[end] == '}') {
            result_ += "{0";
            ++position_;
        } else {
            copy(1);
        }
    }

    std::string_view source_;
    std::size_t position_ = 0;
    bool in_class_ = false;
    std::string result_;
};

}  // namespace

std::string translate_regex(std::string_view python) {
    return Translator(python).run();
}

struct RegexCache::Compiled {
    Code code;
    MatchData data;
    MatchContext context;
};

RegexCache::RegexCache(const Image& image) : image_(&image) {}
RegexCache::~RegexCache() = default;

RegexCache::Compiled& RegexCache::compile(std::uint32_t pattern) {
    auto& compiled = compiled_[pattern];
    const std::string_view text = image_->text(image_->patterns[pattern].text);
    if (!compiled) {
        const std::string source = translate_regex(std::string(text) + "$");
        auto fresh = std::make_unique<Compiled>();
        int error = 0;
        PCRE2_SIZE offset = 0;
        // Python's flag for ASCII classes has no letter in this PCRE2; it is the lack of an option.
        const bool ascii = text.substr(0, 2) == "(?" &&
                           text.substr(0, text.find(')')).find('a') != text.npos &&
                           text.find_first_not_of("aiLmsux", 2) == text.find(')');
        fresh->code.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(source.data()), source.size(),
                                        PCRE2_UTF | PCRE2_NEVER_BACKSLASH_C | (ascii ? 0 : PCRE2_UCP), &error,
                                        &offset, nullptr));
        if (!fresh->code) {
            throw BadRegex{fmt::format("'{}' is no regular expression: {} at position {}", text,
                                       error_text(error), offset)};
        }
        fresh->data.reset(pcre2_match_data_create(1, nullptr));
        fresh->context.reset(pcre2_match_context_create(nullptr));
        pcre2_set_match_limit(fresh->context.get(), image_->options[0].regex_match_limit);
        pcre2_set_depth_limit(fresh->context.get(), depth_limit);
        pcre2_set_heap_limit(fresh->context.get(), heap_limit_kib);
        compiled = std::move(fresh);
    }
    return *compiled;
}

bool RegexCache::matches(std::uint32_t pattern, std::string_view key) {
    const Compiled& compiled = compile(pattern);
    const int result = pcre2_match(compiled.code.get(), reinterpret_cast<PCRE2_SPTR>(key.data()), key.size(),
                                   0, PCRE2_ANCHORED, compiled.data.get(), compiled.context.get());
    if (result < 0 && result != PCRE2_ERROR_NOMATCH) {
        throw BadRegex{
            fmt::format("matching the regular expression '{}' gave up: {} (limit regex_match_limit)",
                        image_->text(image_->patterns[pattern].text), error_text(result))};
    }
    return result >= 0;
}

}  // namespace vt::cfg

// SPDX-License-Identifier: GPL-2.0-or-later
#include "cfg/unicode.hpp"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <algorithm>
#include <cstring>
#include <memory>
#include <string>

#include <pcre2.h>

namespace vt::cfg::unicode {
namespace {

/// Stands for a sequence that is cut off.
constexpr char32_t replacement = 0xFFFD;

bool is_continuation(unsigned char byte) {
    return (byte & 0xC0U) == 0x80U;
}

/// Length of the well-formed sequence at `position`, 0 if there is none (RFC 3629, table 3-7 of Unicode).
unsigned sequence_length(std::string_view text, std::size_t position) {
    const auto byte = [&](std::size_t offset) -> unsigned char {
        return position + offset < text.size() ? static_cast<unsigned char>(text[position + offset]) : 0;
    };
    const unsigned char lead = byte(0);
    const unsigned char second = byte(1);
    if (lead < 0x80) {
        return 1;
    }
    if (lead >= 0xC2 && lead <= 0xDF) {
        return is_continuation(second) ? 2 : 0;
    }
    if (lead >= 0xE0 && lead <= 0xEF) {
        const unsigned char low = lead == 0xE0 ? 0xA0 : 0x80;
        const unsigned char high = lead == 0xED ? 0x9F : 0xBF;
        return second >= low && second <= high && is_continuation(byte(2)) ? 3 : 0;
    }
    if (lead >= 0xF0 && lead <= 0xF4) {
        const unsigned char low = lead == 0xF0 ? 0x90 : 0x80;
        const unsigned char high = lead == 0xF4 ? 0x8F : 0xBF;
        return second >= low && second <= high && is_continuation(byte(2)) && is_continuation(byte(3)) ? 4
                                                                                                       : 0;
    }
    return 0;
}

/// The UTF-8 form of a character.
std::string encode(char32_t code) {
    std::string result;
    const auto put = [&](char32_t bits) { result += static_cast<char>(static_cast<unsigned char>(bits)); };
    if (code < 0x800) {
        put(0xC0U | code >> 6U);
    } else {
        if (code < 0x10000) {
            put(0xE0U | code >> 12U);
        } else {
            put(0xF0U | code >> 18U);
            put(0x80U | (code >> 12U & 0x3FU));
        }
        put(0x80U | (code >> 6U & 0x3FU));
    }
    put(0x80U | (code & 0x3FU));
    return result;
}

/// PCRE2 carries the Unicode tables; one compiled class answers for a character.
class AlnumClass {
  public:
    AlnumClass() {
        static constexpr std::string_view pattern = "[\\p{L}\\p{N}]";
        int error = 0;
        PCRE2_SIZE offset = 0;
        code_.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(), PCRE2_UTF,
                                  &error, &offset, nullptr));
    }

    bool has(char32_t character) const {
        if (!code_) {
            return false;
        }
        const std::unique_ptr<pcre2_match_data, decltype(&pcre2_match_data_free)> data(
            pcre2_match_data_create(1, nullptr), pcre2_match_data_free);
        const std::string subject = encode(character);
        return pcre2_match(code_.get(), reinterpret_cast<PCRE2_SPTR>(subject.data()), subject.size(), 0,
                           PCRE2_ANCHORED, data.get(), nullptr) > 0;
    }

  private:
    std::unique_ptr<pcre2_code, decltype(&pcre2_code_free)> code_{nullptr, pcre2_code_free};
};

}  // namespace

Character decode(std::string_view text, std::size_t position) {
    const auto byte = [&](std::size_t offset) -> char32_t {
        return position + offset < text.size() ? static_cast<unsigned char>(text[position + offset]) & 0x3FU
                                               : 0;
    };
    const auto lead = static_cast<unsigned char>(text[position]);
    if (lead < 0x80) {
        return {lead, 1};
    }
    const std::size_t room = text.size() - position;
    const unsigned length = lead < 0xE0 ? 2 : (lead < 0xF0 ? 3 : 4);
    if (length > room) {
        return {replacement, static_cast<unsigned>(room)};
    }
    if (length == 2) {
        return {(lead & 0x1FU) << 6U | byte(1), length};
    }
    if (length == 3) {
        return {(lead & 0x0FU) << 12U | byte(1) << 6U | byte(2), length};
    }
    return {(lead & 0x07U) << 18U | byte(1) << 12U | byte(2) << 6U | byte(3), length};
}

Character decode_back(std::string_view text, std::size_t end) {
    constexpr std::size_t longest = 4;
    std::size_t start = end - 1;
    while (start > 0 && end - start < longest && is_continuation(static_cast<unsigned char>(text[start]))) {
        --start;
    }
    return {decode(text.substr(0, end), start).code, static_cast<unsigned>(end - start)};
}

std::optional<std::size_t> find_invalid(std::string_view text) {
    std::size_t position = 0;
    while (position < text.size()) {
        while (position + 8 <= text.size()) {
            std::uint64_t eight = 0;
            std::memcpy(&eight, text.data() + position, 8);
            if ((eight & 0x8080808080808080U) != 0) {
                break;
            }
            position += 8;
        }
        if (position == text.size()) {
            break;
        }
        const unsigned length = sequence_length(text, position);
        if (length == 0) {
            return position;
        }
        position += length;
    }
    return std::nullopt;
}

std::size_t count(std::string_view text) {
    std::size_t result = 0;
    for (const char c : text) {
        result += is_continuation(static_cast<unsigned char>(c)) ? 0U : 1U;
    }
    return result;
}

bool is_space(char32_t code) {
    if (code < 0x80) {
        return code == ' ' || (code >= 0x09 && code <= 0x0D) || (code >= 0x1C && code <= 0x1F);
    }
    return code == 0x85 || code == 0xA0 || code == 0x1680 || (code >= 0x2000 && code <= 0x200A) ||
           code == 0x2028 || code == 0x2029 || code == 0x202F || code == 0x205F || code == 0x3000;
}

bool is_alnum(char32_t code) {
    if (code < 0x80) {
        return (code >= '0' && code <= '9') || (code >= 'a' && code <= 'z') || (code >= 'A' && code <= 'Z');
    }
    static const AlnumClass alnum;
    return alnum.has(code);
}

bool is_line_end(char32_t code) {
    return (code >= 0x0A && code <= 0x0D) || (code >= 0x1C && code <= 0x1E) || code == 0x85 ||
           code == 0x2028 || code == 0x2029;
}

std::string_view strip_left(std::string_view text) {
    while (!text.empty()) {
        const Character first = decode(text, 0);
        if (!is_space(first.code)) {
            break;
        }
        text.remove_prefix(first.length);
    }
    return text;
}

std::string_view strip_right(std::string_view text) {
    while (!text.empty()) {
        const Character last = decode_back(text, text.size());
        if (!is_space(last.code)) {
            break;
        }
        text.remove_suffix(last.length);
    }
    return text;
}

std::string_view strip(std::string_view text) {
    return strip_left(strip_right(text));
}

}  // namespace vt::cfg::unicode

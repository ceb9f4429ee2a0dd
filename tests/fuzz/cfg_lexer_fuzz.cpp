// SPDX-License-Identifier: GPL-2.0-or-later
// One line of a configuration, and a key pattern.
#include "cfg/regex.hpp"
#include "cfg/size_value.hpp"
#include "cfg/tokens.hpp"
#include "cfg/unicode.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view line(reinterpret_cast<const char*>(data), size);
    if (vt::cfg::unicode::find_invalid(line)) {
        return 0;
    }
    try {
        vt::cfg::Tokenizer tokens(line, 0);
        std::size_t count = 0;
        while (tokens.next().kind != vt::cfg::TokenKind::end) {
            // A character makes at most a few tokens.
            if (++count > 4 * size + 4) {
                std::abort();
            }
        }
    } catch (const vt::cfg::BadCharacter& bad) {
        if (bad.position > size) {
            std::abort();
        }
    }
    try {
        vt::cfg::translate_regex(line);
    } catch (const vt::cfg::BadRegex&) {
    }
    const std::size_t half = size / 2;
    vt::cfg::compare_sizes(line.substr(0, half), line.substr(half));
    return 0;
}

// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/support/printable.hpp"

#include "runner/support/utf8.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

#include <fmt/core.h>

namespace vt {
namespace {

struct Range {
    std::uint32_t first, last;
};

/// Controls of Unicode's category Cc beyond ASCII, separators of lines, marks and overrides of direction
/// (Unicode 15, UAX #9).
constexpr std::array obeyed{Range{0x80, 0x9f}, Range{0x61c, 0x61c}, Range{0x200e, 0x200f},
                            Range{0x2028, 0x202e}, Range{0x2066, 0x2069}};

bool is_obeyed(std::uint32_t point) {
    return std::any_of(obeyed.begin(), obeyed.end(),
                       [point](const Range& range) { return point >= range.first && point <= range.last; });
}

std::uint32_t code_point(std::string_view sequence) {
    static constexpr std::array<unsigned char, 5> lead_bits{0, 0x7f, 0x1f, 0x0f, 0x07};
    std::uint32_t point = static_cast<unsigned char>(sequence.front()) & lead_bits.at(sequence.size());
    for (const char byte : sequence.substr(1)) {
        point = point << 6 | (static_cast<unsigned char>(byte) & 0x3f);
    }
    return point;
}

bool is_plain(unsigned char byte) {
    return (byte >= 0x20 && byte < 0x7f) || byte == '\t';
}

std::string escape(std::string_view bytes, bool one_line) {
    std::string text;
    text.reserve(bytes.size());
    while (!bytes.empty()) {
        const auto byte = static_cast<unsigned char>(bytes.front());
        const auto length = std::max<std::size_t>(utf8_length(bytes), 1);
        if (is_plain(byte) || (byte == '\n' && !one_line)) {
            text += bytes.front();
        } else if (byte == '\r' && bytes.size() > 1 && bytes[1] == '\n') {
            // The line feed alone ends the line.
        } else if (byte >= 0x80 && length == 1) {
            text += "\ufffd";
        } else if (length == 1) {
            text += fmt::format("\\x{:02x}", byte);
        } else if (const auto point = code_point(bytes.substr(0, length)); is_obeyed(point)) {
            text += fmt::format("\\u{:04x}", point);
        } else {
            text += bytes.substr(0, length);
        }
        bytes.remove_prefix(length);
    }
    return text;
}

}  // namespace

std::string printable(std::string_view bytes) {
    return escape(bytes, false);
}

std::string printable_line(std::string_view bytes) {
    return escape(bytes, true);
}

}  // namespace vt

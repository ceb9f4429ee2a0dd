// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/nrunner/base64.hpp"

#include <array>
#include <cstdint>

namespace vt::nrunner {
namespace {

constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

constexpr std::array<std::int8_t, 256> make_values() {
    std::array<std::int8_t, 256> values{};
    for (auto& value : values) {
        value = -1;
    }
    for (std::size_t i = 0; i < alphabet.size(); ++i) {
        values[static_cast<unsigned char>(alphabet[i])] = static_cast<std::int8_t>(i);
    }
    return values;
}
constexpr auto values = make_values();

}  // namespace

std::string encode_base64(std::string_view bytes) {
    std::string text;
    text.reserve((bytes.size() + 2) / 3 * 4);
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        const auto left = bytes.size() - i;
        std::uint32_t group = 0;
        for (std::size_t k = 0; k < 3; ++k) {
            group = group << 8 | (k < left ? static_cast<unsigned char>(bytes[i + k]) : 0U);
        }
        text += alphabet[group >> 18];
        text += alphabet[group >> 12 & 63];
        text += left > 1 ? alphabet[group >> 6 & 63] : '=';
        text += left > 2 ? alphabet[group & 63] : '=';
    }
    return text;
}

std::optional<std::string> decode_base64(std::string_view text) {
    std::string bytes;
    std::uint32_t group = 0;
    int digits = 0;
    int padding = 0;
    for (const char c : text) {
        if (c == ' ' || (c >= '\t' && c <= '\r')) {
            continue;
        }
        const auto value = values[static_cast<unsigned char>(c)];
        if (c == '=' ? digits < 2 || ++padding > 2 : value < 0 || padding > 0) {
            return std::nullopt;
        }
        group = group << 6 | static_cast<std::uint32_t>(c == '=' ? 0 : value);
        if (++digits == 4) {
            bytes += static_cast<char>(group >> 16 & 255);
            if (padding < 2) {
                bytes += static_cast<char>(group >> 8 & 255);
            }
            if (padding < 1) {
                bytes += static_cast<char>(group & 255);
            }
            group = 0;
            digits = 0;
        }
    }
    if (digits != 0) {
        return std::nullopt;
    }
    return bytes;
}

}  // namespace vt::nrunner

// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/guest/picture.hpp"

#include "runner/support/error.hpp"
#include "runner/support/file.hpp"

#include <array>
#include <string>

#include <fmt/core.h>
#include <png.h>

namespace vt::qemu {

namespace {

/// The next number of a PPM's header, after white space and comments.
std::size_t header_number(const std::string& text, std::size_t& at) {
    while (at < text.size() && (std::isspace(static_cast<unsigned char>(text[at])) != 0 || text[at] == '#')) {
        if (text[at] == '#') {
            at = std::min(text.find('\n', at), text.size() - 1);
        }
        ++at;
    }
    std::size_t number = 0;
    const std::size_t begin = at;
    while (at < text.size() && text[at] >= '0' && text[at] <= '9' && at - begin < 6) {
        number = number * 10 + static_cast<std::size_t>(text[at++] - '0');
    }
    if (at == begin) {
        throw Error("the screen dump's header lacks a number");
    }
    return number;
}

}  // namespace

void ppm_to_png(const std::filesystem::path& source, const std::filesystem::path& target) {
    const std::string ppm = read_file(source);
    if (!ppm.starts_with("P6")) {
        throw Error(fmt::format("{} is no PPM picture", source.native()));
    }
    std::size_t at = 2;
    const std::size_t width = header_number(ppm, at);
    const std::size_t height = header_number(ppm, at);
    const std::size_t depth = header_number(ppm, at);
    ++at;  // one white space before the pixels
    if (width == 0 || height == 0 || depth != 255 || at > ppm.size() ||
        (ppm.size() - at) / 3 / width < height) {
        throw Error(fmt::format("{} is cut short or not of 8 bits a channel", source.native()));
    }
    png_image image{};
    image.version = PNG_IMAGE_VERSION;
    image.width = static_cast<png_uint_32>(width);
    image.height = static_cast<png_uint_32>(height);
    image.format = PNG_FORMAT_RGB;
    if (png_image_write_to_file(&image, target.c_str(), 0, ppm.data() + at, 0, nullptr) == 0) {
        throw Error(fmt::format("{} could not be written: {}", target.native(), image.message));
    }
}

}  // namespace vt::qemu

// SPDX-License-Identifier: GPL-2.0-or-later
/// \file source_map.hpp
/// From a statement of an Image back to the text that it was read from.
#pragma once

#include "cfg/errors.hpp"
#include "cfg/image.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace vt::cfg {

/// The lines of an image's sources. The image must outlive it.
class SourceMap {
  public:
    explicit SourceMap(const Image& image) : image_(&image) {}

    /// A line as it was written, without its end; empty if there is none of that number.
    std::string_view raw_line(std::uint32_t file, std::uint32_t line);

    /// The same without white space around it.
    std::string_view line(const Stmt& statement);

    /// Where a statement stands; the column is that of its first character, or of `part` if the line has it.
    Location where(const Stmt& statement, std::string_view part = {});

    /// How many lines a file has.
    std::uint32_t line_count(std::uint32_t file) { return static_cast<std::uint32_t>(lines_of(file).size()); }

  private:
    const std::vector<std::string_view>& lines_of(std::uint32_t file);

    const Image* image_;
    std::map<std::uint32_t, std::vector<std::string_view>> lines_;
};

}  // namespace vt::cfg

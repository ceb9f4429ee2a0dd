// SPDX-License-Identifier: GPL-2.0-or-later
/// \file program.hpp
/// A configuration that has been read, as an immutable value that is cheap to copy and safe to share between
/// threads.
///
/// Behind the handle is an Image (image.hpp): flat arrays of plain numbers which refer to each other by
/// index, so that the same bytes serve in memory and, mapped, from the compiled cache.
#pragma once

#include <memory>
#include <string>
#include <vector>

namespace vt::cfg {

struct Image;

/// A compiled configuration.
class Program {
  public:
    explicit Program(std::shared_ptr<const Image> image) : image_(std::move(image)) {}

    const Image& image() const noexcept { return *image_; }

    /// The files it was read from, in the order of reading, included ones too; each once.
    std::vector<std::string> files() const;

  private:
    std::shared_ptr<const Image> image_;
};

}  // namespace vt::cfg

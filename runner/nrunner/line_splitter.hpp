// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Output as whole lines: Avocado keeps partial ones in a buffer that all tests share.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace vt::nrunner {

/// Collects output and gives it back in pieces that end with a newline.
class LineSplitter {
  public:
    /// \param limit a line longer than this is broken, in bytes
    explicit LineSplitter(std::size_t limit = std::size_t{1} << 20) : limit_(limit) {}

    /// What is complete after \p bytes; empty if nothing is.
    std::string feed(std::string_view bytes);
    /// The rest, with a newline; empty if there is none.
    std::string flush();

  private:
    std::size_t limit_;
    std::string rest_;
};

}  // namespace vt::nrunner

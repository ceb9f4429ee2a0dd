// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The frame of a file of capabilities, shared by who writes it and who reads it; internal.
#pragma once

#include <string_view>

namespace vt::caps_format {

/// Its number grows with every change of what is asked or how it is written.
inline constexpr std::string_view first_line = "qemu-capabilities 2";
/// A file that was cut short lacks it.
inline constexpr std::string_view last_line = "end\tend\n";

}  // namespace vt::caps_format

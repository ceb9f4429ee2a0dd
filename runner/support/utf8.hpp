// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// What is UTF-8 and what is not, for those who repair or escape text of strangers.
#pragma once

#include <cstddef>
#include <string_view>

namespace vt {

/// The length of the valid UTF-8 sequence that \p bytes (not empty) begins with, 0 if there is none.
std::size_t utf8_length(std::string_view bytes);

}  // namespace vt

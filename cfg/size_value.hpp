// SPDX-License-Identifier: GPL-2.0-or-later
/// \file size_value.hpp
/// Numbers and sizes as `_max` and `_min` compare them, with Python's meaning of `int()` and `float()`.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace vt::cfg {

/// -1, 0, 1 for two whole numbers of any length, or, if either has a letter of BKMGT, for two sizes, whose
/// bare ones are MiB. Nothing if one of them is neither.
std::optional<int> compare_sizes(std::string_view left, std::string_view right);

/// `float(text)`; nothing if it is none.
std::optional<double> parse_python_float(std::string_view text);

/// `int(text)` as a canonical text: `-` or nothing, then the digits without leading zeros; nothing if it is
/// none.
std::optional<std::string> parse_python_int(std::string_view text);

}  // namespace vt::cfg

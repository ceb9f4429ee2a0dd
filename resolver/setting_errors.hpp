// SPDX-License-Identifier: GPL-2.0-or-later
/// \file setting_errors.hpp
/// How a setting with an impossible value is named to the user, who may have given it as an option.
#pragma once

#include "resolver/selection.hpp"

#include <string_view>

namespace vt::resolver {

/// "option --vt-type (setting vt.type): 'xen' is not possible; WANTED". \param name without "vt."
SelectionError bad_value(std::string_view name, std::string_view value, std::string_view wanted);

}  // namespace vt::resolver

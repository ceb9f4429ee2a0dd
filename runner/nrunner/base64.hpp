// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Base64 (RFC 4648, standard alphabet with padding): Avocado's messages carry bytes in it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace vt::nrunner {

std::string encode_base64(std::string_view bytes);

/// The bytes; white space is passed over. Nothing if \p text is no base64.
std::optional<std::string> decode_base64(std::string_view text);

}  // namespace vt::nrunner

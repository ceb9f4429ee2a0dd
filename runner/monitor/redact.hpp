// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Keeps secrets out of monitor logs.
#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

namespace vt {

/// \p command, a QMP command object, with passwords and the data of secret objects replaced by "***".
nlohmann::json redact(nlohmann::json command);

/// \p line, a human monitor command, likewise.
std::string redact_line(const std::string& line);

}  // namespace vt

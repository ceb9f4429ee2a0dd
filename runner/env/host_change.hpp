// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Which tests change the host itself, so that nothing else may run on it meanwhile.
#pragma once

#include "cfg/params.hpp"

#include <optional>
#include <string>

namespace vt {

/// The parameter ("setup_hugepages = yes") by which a test changes what all tests of the host share: huge
/// pages, KSM, kernel modules, SMT, bridges, storage or firewall services. Nothing if it has none. The
/// parameter `host_lock` overrules it: `exclusive` or `shared`.
std::optional<std::string> host_change(const Params& params);

}  // namespace vt

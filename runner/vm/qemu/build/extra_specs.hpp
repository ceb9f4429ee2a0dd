// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Parts of MachineSpec::from_params() for what is there once or seldom: firmware, TPMs, shared directories,
/// serial ports, IOMMUs. Apart from machine_spec.hpp, which everybody reads.
#pragma once

#include "runner/vm/qemu/build/machine_spec.hpp"

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace vt::qemu {

/// The `serials`. Throws BadParam.
std::vector<Serial> serials_from_params(const Params& params);

/// `spice_*` by the names of -spice, without the password.
std::vector<std::pair<std::string, std::string>> spice_from_params(const Params& params);

/// Fills in all else. Throws BadParam, VMImageMissingError.
void read_extra_devices(const Params& params, const std::filesystem::path& data_dir, MachineSpec& spec);

}  // namespace vt::qemu

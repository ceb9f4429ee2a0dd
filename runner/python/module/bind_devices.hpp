// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Devices of a running machine, and their handles; a part of bind_vm().
#pragma once

#include <pybind11/pybind11.h>

namespace vt::python {

void bind_devices(pybind11::module_& module);

}  // namespace vt::python

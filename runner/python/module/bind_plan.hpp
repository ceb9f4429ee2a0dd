// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The part of the extension module that flumotion.twisted.integration uses. It is declared apart from the
/// others, as nothing of theirs appears in its signatures.
#pragma once

#include <pybind11/pybind11.h>

namespace vt::python {

/// Plans of processes.
void bind_plan(pybind11::module_& module);

}  // namespace vt::python

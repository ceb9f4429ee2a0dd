// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The parts of the extension module `_vtpacket`, which is under the Python module `framework` and its
/// siblings.
#pragma once

#include "runner/harness/packet/frame.hpp"

#include <string>
#include <vector>

#include <pybind11/pybind11.h>

namespace vt::python {

/// Daemons, the settings that the environment makes, CPUs, cores.
void bind_daemon(pybind11::module_& module);
/// Adapters and the test bed.
void bind_bed(pybind11::module_& module);

/// Frames as a list of bytes, and back: bytes or whatever bytes() makes them of.
pybind11::list list_from(const std::vector<packet::Frame>& frames);
std::vector<packet::Frame> frames_of(const pybind11::iterable& frames);

}  // namespace vt::python

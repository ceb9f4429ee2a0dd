// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The parts of the extension module. Order matters: a class is bound before it appears in another's
/// signatures.
#pragma once

#include <pybind11/pybind11.h>

namespace vt::python {

/// How C++ exceptions become the Python classes that tests catch.
void bind_errors(pybind11::module_& module);
/// vt::log for Python's logging.
void bind_log(pybind11::module_& module);
void bind_params(pybind11::module_& module);
/// The Cartesian engine.
void bind_cfg(pybind11::module_& module);
void bind_session(pybind11::module_& module);
void bind_monitor(pybind11::module_& module);
void bind_vm(pybind11::module_& module);
void bind_env(pybind11::module_& module);
/// Status machines, dependencies, TCP endpoints: under the package testplan.
void bind_driver(pybind11::module_& module);
/// A supervised process, into the module of bind_driver().
void bind_program(pybind11::module_& module);
/// Programs, QMP, filters, images: under the modules iotests and qemu.
void bind_block(pybind11::module_& module);
/// TestContext.
void bind_context(pybind11::module_& module);

}  // namespace vt::python

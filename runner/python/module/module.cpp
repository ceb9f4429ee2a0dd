// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The extension module `_vt`: names for the core's classes, one file a subject. The classes that tests see
/// are Python ones around these (virttest, aexpect), which add upstream's signatures; nothing but they should
/// import `_vt`.
#include "runner/python/module/bind.hpp"
#include "runner/python/module/bind_plan.hpp"
#include "runner/support/log.hpp"

PYBIND11_MODULE(_vt, module) {
    module.doc() = "The core of avocado-runner-vt; use virttest and aexpect instead.";
    // In a script nobody asked for a log; in a test, which the glue brings here, the runner decides.
    if (!pybind11::module_::import("sys").attr("modules").contains("_vtglue"))
        vt::log::set_level(vt::log::Level::warning);
    vt::python::bind_errors(module);
    vt::python::bind_log(module);
    vt::python::bind_params(module);
    vt::python::bind_cfg(module);
    vt::python::bind_session(module);
    vt::python::bind_monitor(module);
    vt::python::bind_vm(module);
    vt::python::bind_env(module);
    vt::python::bind_driver(module);
    vt::python::bind_context(module);
    vt::python::bind_plan(module);
    vt::python::bind_block(module);
}

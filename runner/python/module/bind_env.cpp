// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/env/env.hpp"
#include "runner/env/lifecycle.hpp"
#include "runner/python/module/bind.hpp"
#include "runner/python/module/convert.hpp"

#include <pybind11/stl.h>

namespace vt::python {

void bind_env(py::module_& module) {
    py::class_<Env>(module, "Env")
        .def("get_vm", &Env::get_vm, py::call_guard<py::gil_scoped_release>())
        .def("get_all_vms", &Env::get_all_vms, py::call_guard<py::gil_scoped_release>())
        .def("create_vm", &Env::create_vm, py::call_guard<py::gil_scoped_release>())
        .def("register_vm", &Env::register_vm, py::call_guard<py::gil_scoped_release>())
        .def("unregister_vm", &Env::unregister_vm, py::call_guard<py::gil_scoped_release>())
        .def("get", &Env::get)
        .def("set", &Env::set)
        .def("erase", &Env::erase)
        .def("keys", &Env::keys)
        .def("save", &Env::save, py::call_guard<py::gil_scoped_release>());
    module.def("set_up_vm", &set_up_vm, py::call_guard<py::gil_scoped_release>());
}

}  // namespace vt::python

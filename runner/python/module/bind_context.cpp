// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/env/test_context.hpp"
#include "runner/python/module/bind.hpp"
#include "runner/python/module/convert.hpp"
#include "runner/support/deadline.hpp"

#include <memory>

#include <pybind11/stl.h>

namespace vt::python {
namespace {

template <std::filesystem::path TestContext::*member>
std::string path_of(const TestContext& self) {
    return (self.*member).native();
}

/// \p function, to be called after the test; it returns what went wrong as text, None or nothing if nothing
/// did.
void add_exit_function(TestContext& self, py::function function) {
    auto held = std::shared_ptr<py::function>(new py::function(std::move(function)), [](py::function* last) {
        const py::gil_scoped_acquire gil;
        delete last;
    });
    self.exit_functions.emplace_back([held] {
        std::string problem;
        {
            const py::gil_scoped_acquire gil;
            try {
                if (const py::object text = (*held)(); !text.is_none())
                    problem = bytes_of(text);
            } catch (py::error_already_set& error) {
                problem = error.what();  // a copy: Python's objects must not outlive the GIL
            }
        }
        if (!problem.empty())
            throw TestWarn(problem);
    });
}

}  // namespace

void bind_context(py::module_& module) {
    module.def(
        "pause_free_time", [] { return Deadline::pause_free_now().count(); },
        "Seconds of a clock that only goes forward, and not while the test is paused.");
    py::class_<TestContext>(module, "TestContext")
        .def_readonly("name", &TestContext::name)
        .def_readonly("id", &TestContext::id)
        .def_readonly("job_id", &TestContext::job_id)
        .def_readonly("parallel", &TestContext::parallel)
        .def_property_readonly(
            "params", [](TestContext& self) -> Params& { return self.params; },
            py::return_value_policy::reference_internal)
        .def_property_readonly("bindir", &path_of<&TestContext::bindir>)
        .def_property_readonly("virtdir", &path_of<&TestContext::virtdir>)
        .def_property_readonly("datadir", &path_of<&TestContext::datadir>)
        .def_property_readonly("logdir", &path_of<&TestContext::logdir>)
        .def_property_readonly("outputdir", &path_of<&TestContext::outputdir>)
        .def_property_readonly("workdir", &path_of<&TestContext::workdir>)
        .def("write_whiteboard",
             [](TestContext& self, const py::object& text) {
                 const std::string line = bytes_of(text);
                 if (self.whiteboard)
                     without_gil([&] { self.whiteboard(line); });
             })
        .def("add_exit_function", &add_exit_function);
}

}  // namespace vt::python

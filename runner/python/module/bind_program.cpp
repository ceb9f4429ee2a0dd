// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// A supervised process for testplan's App driver, with the words of Python's subprocess.Popen.
#include "runner/process/supervised.hpp"
#include "runner/python/module/bind.hpp"
#include "runner/python/module/convert.hpp"
#include "runner/python/module/own_loop.hpp"

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <pybind11/stl.h>
#include <pybind11/stl/filesystem.h>

namespace vt::python {
namespace {

using process::Supervised;

/// As Popen.returncode has it: a signal is a negative number.
int code_of(const process::ExitStatus& status) {
    return status.signal != 0 ? -status.signal : status.code;
}

py::object code_from(const std::optional<process::ExitStatus>& status) {
    return status ? py::object(py::int_(code_of(*status))) : py::object(py::none());
}

Deadline deadline_from(const std::optional<double>& timeout) {
    return timeout ? Deadline::after(Seconds{*timeout}) : Deadline::never();
}

std::shared_ptr<Supervised> start(const py::str& name, const py::list& argv,
                                  const std::filesystem::path& place, const py::dict& environment,
                                  const std::filesystem::path& out, const std::filesystem::path& err) {
    process::Description description;
    description.name = bytes_of(name);
    for (const py::handle word : argv) {
        description.command.argv.push_back(bytes_of(word));
    }
    for (const auto& variable : environment) {
        description.command.environment[bytes_of(variable.first)] = bytes_of(variable.second);
    }
    description.command.working_dir = place;
    description.input.kind = process::InputFrom::Kind::pipe;
    description.out.file = out;
    description.err.file = err;
    return without_gil(
        [&] { return for_python(std::make_shared<Supervised>(own_loop(), std::move(description))); });
}

}  // namespace

void bind_program(py::module_& module) {
    py::class_<Supervised, std::shared_ptr<Supervised>>(
        module, "Program", "A process whose descendants end with it; its output goes to files.")
        .def(py::init(&start), py::arg("name"), py::arg("argv"), py::arg("cwd"), py::arg("env"),
             py::arg("stdout"), py::arg("stderr"))
        .def_property_readonly("pid", &Supervised::pid)
        .def("poll", [](const Supervised& self) { return code_from(self.status()); })
        .def_property_readonly("returncode", [](const Supervised& self) { return code_from(self.status()); })
        .def(
            "send_signal", [](Supervised& self, int signal) { self.signal(signal, false); },
            py::arg("signal"))
        .def(
            "wait",
            [](const Supervised& self, std::optional<double> timeout) {
                return code_of(without_gil([&] { return self.wait(deadline_from(timeout)); }));
            },
            py::arg("timeout") = std::nullopt)
        .def(
            "write",
            [](Supervised& self, const py::bytes& bytes, double timeout) {
                const std::string data = bytes;
                without_gil([&] { self.write(data, Deadline::after(Seconds{timeout})); });
            },
            py::arg("bytes"), py::arg("timeout") = 30.0)
        .def("close_input", &Supervised::close_input, py::call_guard<py::gil_scoped_release>())
        .def(
            "end", [](Supervised& self) { return code_of(without_gil([&] { return self.kill(); })); },
            "SIGKILL for it, unless it has ended, and for all that it has left behind.")
        .def("report", [](const Supervised& self) { return output_from(self.report()); });
}

}  // namespace vt::python

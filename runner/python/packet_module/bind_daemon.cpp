// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/harness/packet/daemon.hpp"
#include "runner/harness/packet/settings.hpp"
#include "runner/python/module/convert.hpp"
#include "runner/python/module/own_loop.hpp"
#include "runner/python/packet_module/bind_packet.hpp"

#include <csignal>

#include <pybind11/stl.h>
#include <pybind11/stl/filesystem.h>

namespace vt::python {
namespace {

using packet::Daemon;
using packet::DaemonOptions;
using packet::Debug;
using packet::Settings;

/// When it is ready: None; ("line", pattern), ("socket", path), ("port", number), ("file", path); a function.
process::ReadyWhen ready_of(const py::object& when) {
    if (when.is_none()) {
        return {};
    }
    if (PyCallable_Check(when.ptr()) != 0) {
        // Dropped wherever the daemon goes, so under the GIL.
        const std::shared_ptr<py::object> held(new py::object(when), [](py::object* last) {
            const py::gil_scoped_acquire gil;
            delete last;
        });
        return process::ReadyAnswer{[held](const Deadline&) {
                                        const py::gil_scoped_acquire gil;
                                        return (*held)().cast<bool>();
                                    },
                                    Seconds{0.1}, "the answer of a function"};
    }
    const auto words = when.cast<py::tuple>();
    const auto kind = words[0].cast<std::string>();
    if (kind == "line") {
        return process::ReadyLine{words[1].cast<std::string>(), process::ReadyLine::In::any, {}};
    }
    if (kind == "socket") {
        return process::ReadySocket{words[1].cast<std::filesystem::path>(), {}, 0};
    }
    if (kind == "port") {
        return process::ReadySocket{{}, "127.0.0.1", words[1].cast<std::uint16_t>()};
    }
    if (kind == "file") {
        return process::ReadyFile{words[1].cast<std::filesystem::path>()};
    }
    throw py::value_error(
        "ready should be a function or (\"line\", …), (\"socket\", …), (\"port\", …), (\"file\", …)");
}

std::shared_ptr<Daemon> made(const std::vector<std::string>& argv, const std::filesystem::path& directory,
                             const py::object& ready, double timeout,
                             const std::map<std::string, std::string>& environment, const std::string& debug,
                             std::optional<std::uint64_t> core_size, std::optional<int> cpu, double grace,
                             const std::string& name) {
    DaemonOptions options;
    options.name = name;
    options.argv = argv;
    options.directory = directory;
    options.ready = ready_of(ready);
    options.start_timeout = Seconds{timeout};
    options.environment = environment;
    options.debug = packet::debug_of(debug);
    options.core_size = core_size;
    options.cpu = cpu;
    options.stop.grace = Seconds{grace};
    return for_python(without_gil([&] { return std::make_shared<Daemon>(own_loop(), std::move(options)); }));
}

/// The exit code as subprocess has it: a signal's number is negative.
std::optional<int> code_of(const std::optional<process::ExitStatus>& status) {
    if (!status) {
        return std::nullopt;
    }
    return status->signal != 0 ? -status->signal : status->code;
}

py::list lines_from(const std::vector<std::string>& lines) {
    py::list list;
    for (const auto& line : lines) {
        list.append(output_from(line));
    }
    return list;
}

void bind_settings(py::module_& module) {
    py::class_<Settings>(module, "Settings")
        .def(py::init([] { return Settings::read(); }))
        .def_readonly("step", &Settings::step)
        .def_property_readonly("debug_core", [](const Settings& self) { return self.debug == Debug::core; })
        .def_property_readonly("debug_gdb", [](const Settings& self) { return self.debug == Debug::gdb; })
        .def_property_readonly("debug_gdbserver",
                               [](const Settings& self) { return self.debug == Debug::gdbserver; })
        .def_readonly("cache_output", &Settings::cache_output)
        .def_readonly("core_size", &Settings::core_size)
        .def_readonly("failed_dir", &Settings::failed_dir)
        .def_readonly("extended", &Settings::extended)
        .def_readonly("program", &Settings::program)
        .def_readonly("plugin_path", &Settings::plugin_path);
    module.def("least_used_cpu", [](const std::string& name) {
        return without_gil([&] { return packet::least_used_cpu(name); });
    });
    module.def("core_pattern", &packet::core_pattern);
}

}  // namespace

void bind_daemon(py::module_& module) {
    bind_settings(module);
    py::class_<Daemon, std::shared_ptr<Daemon>>(module, "Daemon")
        .def(py::init(&made), py::arg("argv"), py::arg("directory"), py::arg("ready") = py::none(),
             py::arg("timeout") = 30.0, py::arg("environment") = std::map<std::string, std::string>(),
             py::arg("debug") = "", py::arg("core_size") = std::optional<std::uint64_t>(),
             py::arg("cpu") = std::optional<int>(), py::arg("grace") = 5.0, py::arg("name") = "")
        .def_property_readonly("name", [](const Daemon& self) { return text_from(self.name()); })
        .def_property_readonly("pid", &Daemon::pid)
        .def_property_readonly("args", [](const Daemon& self) { return self.command_line(); })
        .def_property_readonly("program", [](const Daemon& self) { return self.options().argv.front(); })
        .def_property_readonly("returncode", [](const Daemon& self) { return code_of(self.status()); })
        .def_property_readonly("core", &Daemon::core)
        .def_property_readonly("debug_help", &Daemon::debug_help)
        .def("poll", [](const Daemon& self) { return code_of(self.status()); })
        .def("wait_ready", [](Daemon& self) { without_gil([&] { self.wait_ready(); }); })
        .def("check", [](Daemon& self) { without_gil([&] { self.check(); }); })
        .def(
            "wait",
            [](Daemon& self, std::optional<double> timeout) {
                return code_of(without_gil([&] { return self.wait(deadline_of(timeout, 3600)); }));
            },
            py::arg("timeout") = std::optional<double>())
        .def("send_signal", [](Daemon& self, int number) { without_gil([&] { self.signal(number); }); })
        .def("stop", [](Daemon& self) { return code_of(without_gil([&] { return self.stop(); })); })
        .def("output",
             [](const Daemon& self, bool errors) {
                 return output_from(without_gil(
                     [&] { return self.output(errors ? process::Stream::err : process::Stream::out); }));
             })
        .def("take_lines",
             [](Daemon& self, double timeout) {
                 const auto lines =
                     without_gil([&] { return self.take_lines(Deadline::after(Seconds{timeout})); });
                 return py::make_tuple(lines_from(lines.out), lines_from(lines.err));
             })
        .def("release_readers", &Daemon::release_readers)
        .def(
            "wait_for_line",
            [](Daemon& self, const std::string& pattern, double timeout) {
                return output_from(without_gil(
                    [&] { return self.wait_for_line(pattern, Deadline::after(Seconds{timeout})); }));
            },
            py::arg("pattern"), py::arg("timeout") = 10.0)
        .def("report", [](const Daemon& self) { return output_from(self.report()); });
}

}  // namespace vt::python

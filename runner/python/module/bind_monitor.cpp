// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/monitor/human.hpp"
#include "runner/monitor/qmp.hpp"
#include "runner/python/module/bind.hpp"
#include "runner/python/module/convert.hpp"

#include <nlohmann/json.hpp>
#include <pybind11/stl.h>

namespace vt::python {
namespace {

using nlohmann::json;

py::object command(QmpMonitor& self, const std::string& name, const py::object& arguments, double timeout) {
    const json args = json_of(arguments);
    return python_from(without_gil([&] {
        const auto deadline = Deadline::after(Seconds{timeout});
        return args.is_null() ? self.command(name, deadline) : self.command(name, args, deadline);
    }));
}

py::object command_object(QmpMonitor& self, const py::dict& object, double timeout) {
    json request = json_of(object);
    return python_from(without_gil(
        [&] { return self.command_object(std::move(request), Deadline::after(Seconds{timeout})); }));
}

py::object object_of(const std::optional<QmpEvent>& event) {
    return event ? python_from(event->object()) : py::none();
}

py::list events(const QmpMonitor& self) {
    py::list list;
    for (const auto& event : self.get_events())
        list.append(python_from(event.object()));
    return list;
}

void bind_human_monitor(py::module_& module) {
    py::class_<HumanMonitor>(module, "HumanMonitor")
        .def("command",
             [](HumanMonitor& self, const std::string& line, double timeout) {
                 return output_from(
                     without_gil([&] { return self.command(line, Deadline::after(Seconds{timeout})); }));
             })
        .def("verify_responsive",
             [](HumanMonitor& self, double timeout) {
                 without_gil([&] { self.verify_responsive(Deadline::after(Seconds{timeout})); });
             })
        .def("is_responsive",
             [](HumanMonitor& self, double timeout) {
                 return without_gil([&] { return self.is_responsive(Deadline::after(Seconds{timeout})); });
             })
        .def("is_open", &HumanMonitor::is_open)
        .def("close", &HumanMonitor::close, py::call_guard<py::gil_scoped_release>());
}

}  // namespace

void bind_monitor(py::module_& module) {
    bind_human_monitor(module);
    py::class_<QmpMonitor>(module, "QmpMonitor")
        .def("command", &command)
        .def("command_object", &command_object)
        .def("human_monitor_cmd",
             [](QmpMonitor& self, const std::string& line, double timeout) {
                 return output_from(without_gil(
                     [&] { return self.human_monitor_cmd(line, Deadline::after(Seconds{timeout})); }));
             })
        .def("get_events", &events)
        .def("get_event",
             [](const QmpMonitor& self, const std::string& name) { return object_of(self.get_event(name)); })
        .def("clear_events", &QmpMonitor::clear_events)
        .def("clear_event", &QmpMonitor::clear_event)
        .def("wait_event",
             [](QmpMonitor& self, const std::string& name, double timeout) {
                 return object_of(
                     without_gil([&] { return self.wait_event(name, Deadline::after(Seconds{timeout})); }));
             })
        .def("supported_commands",
             [](QmpMonitor& self, double timeout) {
                 return without_gil(
                     [&] { return self.supported_commands(Deadline::after(Seconds{timeout})); });
             })
        .def("verify_responsive",
             [](QmpMonitor& self, double timeout) {
                 without_gil([&] { self.verify_responsive(Deadline::after(Seconds{timeout})); });
             })
        .def("is_responsive",
             [](QmpMonitor& self, double timeout) {
                 return without_gil([&] { return self.is_responsive(Deadline::after(Seconds{timeout})); });
             })
        .def("is_open", &QmpMonitor::is_open)
        .def("close", &QmpMonitor::close, py::call_guard<py::gil_scoped_release>())
        .def_property_readonly("greeting",
                               [](const QmpMonitor& self) { return python_from(self.greeting()); })
        .def_property_readonly("name", [](const QmpMonitor& self) { return self.address().name; })
        .def_property_readonly("filename",
                               [](const QmpMonitor& self) { return self.address().socket.native(); });
}

}  // namespace vt::python

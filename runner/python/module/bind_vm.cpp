// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/monitor/human.hpp"
#include "runner/monitor/qmp.hpp"
#include "runner/python/module/bind.hpp"
#include "runner/python/module/bind_devices.hpp"
#include "runner/python/module/convert.hpp"
#include "runner/session/shell_session.hpp"
#include "runner/vm/qemu/qemu_vm.hpp"
#include "runner/vm/qemu/verbs/devices.hpp"
#include "runner/vm/vm.hpp"

#include <filesystem>
#include <memory>

#include <pybind11/stl.h>

namespace vt::python {
namespace {

using SessionPtr = std::shared_ptr<ShellSession>;
using Timeout = std::optional<double>;
using NoGil = py::call_guard<py::gil_scoped_release>;

void bind_life(py::class_<Vm, std::shared_ptr<Vm>>& vm) {
    vm.def(
          "create", [](Vm& self, Timeout timeout) { self.create(deadline_of(timeout, VmTimeouts::create)); },
          NoGil(), py::arg("timeout") = py::none())
        .def("is_alive", &Vm::is_alive, NoGil())
        .def("is_dead", &Vm::is_dead, NoGil())
        .def("is_paused", &Vm::is_paused, NoGil())
        .def("verify_alive", &Vm::verify_alive, NoGil())
        .def("verify_kernel_crash", &Vm::verify_kernel_crash, NoGil())
        .def("status", &Vm::status, NoGil())
        .def("verify_status", &Vm::verify_status, NoGil())
        .def("pause", &Vm::pause, NoGil())
        .def("resume", &Vm::resume, NoGil())
        .def("system_reset", &Vm::system_reset, NoGil())
        .def("send_key", &Vm::send_key, NoGil())
        .def(
            "reboot",
            [](Vm& self, const SessionPtr& session, const std::string& method, std::size_t nic,
               Timeout timeout) {
                return for_python(self.reboot(session, method, nic, seconds_of(timeout)));
            },
            NoGil())
        .def(
            "wait_for_shutdown",
            [](Vm& self, double timeout) { return self.wait_for_shutdown(Seconds{timeout}); }, NoGil())
        .def("destroy", &Vm::destroy, NoGil())
        .def("needs_restart", &Vm::needs_restart, NoGil());
}

void bind_access(py::class_<Vm, std::shared_ptr<Vm>>& vm) {
    vm.def(
          "login",
          [](Vm& self, std::size_t nic, Timeout timeout) {
              return for_python(self.login(nic, seconds_of(timeout)));
          },
          NoGil())
        .def(
            "wait_for_login",
            [](Vm& self, std::size_t nic, Timeout timeout) {
                return for_python(self.wait_for_login(nic, seconds_of(timeout)));
            },
            NoGil())
        .def(
            "serial_login",
            [](Vm& self, Timeout timeout) { return for_python(self.serial_login(seconds_of(timeout))); },
            NoGil())
        .def(
            "wait_for_serial_login",
            [](Vm& self, Timeout timeout) {
                return for_python(self.wait_for_serial_login(seconds_of(timeout)));
            },
            NoGil())
        .def(
            "copy_files_to",
            [](Vm& self, const std::string& host, const std::string& guest, std::size_t nic,
               Timeout timeout) { self.copy_files_to(host, guest, nic, seconds_of(timeout)); },
            NoGil())
        .def(
            "copy_files_from",
            [](Vm& self, const std::string& guest, const std::string& host, std::size_t nic,
               Timeout timeout) { self.copy_files_from(guest, host, nic, seconds_of(timeout)); },
            NoGil())
        .def(
            "screendump", [](Vm& self, const std::string& file) { self.screendump(file); }, NoGil())
        .def("get_address", &Vm::get_address, NoGil())
        .def("get_port", &Vm::get_port, NoGil())
        .def("get_mac_address", &Vm::get_mac_address, NoGil());
}

}  // namespace

void bind_vm(py::module_& module) {
    bind_devices(module);
    py::class_<Vm, std::shared_ptr<Vm>> vm(module, "Vm");
    bind_life(vm);
    bind_access(vm);
    vm.def_property_readonly("name", &Vm::name)
        .def_property_readonly("instance", &Vm::instance)
        .def_property_readonly("instance_dir", [](const Vm& self) { return self.instance_dir().native(); })
        .def_property_readonly(
            "params", [](Vm& self) -> Params& { return self.params(); },
            py::return_value_policy::reference_internal)
        .def("monitor_names", &Vm::monitor_names)
        .def("is_qmp", &Vm::is_qmp)
        .def("monitor", &Vm::monitor, py::return_value_policy::reference_internal, NoGil())
        .def("qmp_monitor", &Vm::qmp_monitor, py::return_value_policy::reference_internal, NoGil())
        .def("human_monitor", &Vm::human_monitor, py::return_value_policy::reference_internal, NoGil())
        .def("devices", &qemu::devices_of, NoGil())
        .def("get_pid", &Vm::get_pid)
        .def("vnc_port", &Vm::vnc_port)
        .def("serial_log",
             [](const Vm& self, const std::string& serial) { return self.serial_log(serial).native(); })
        .def("process_log", [](const Vm& self) { return self.process_log().native(); })
        .def("command_line", &Vm::command_line);
}

}  // namespace vt::python

// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/python/module/bind.hpp"
#include "runner/python/module/convert.hpp"
#include "runner/python/module/own_loop.hpp"
#include "runner/session/expect_text.hpp"
#include "runner/session/local.hpp"
#include "runner/session/shell_session.hpp"
#include "runner/session/ssh.hpp"
#include "runner/support/log.hpp"

#include <memory>
#include <vector>

#include <pybind11/stl.h>

namespace vt::python {
namespace {

using Session = ShellSession;
using ReadUntil = ExpectMatch (Session::*)(const std::vector<std::string>&, Seconds);

CommandOptions options_of(double timeout, bool safe, bool strip_console_codes) {
    return {Seconds{timeout}, safe, strip_console_codes};
}

/// A Python function as a line handler: called on the reader's thread, so what it raises can only be logged.
LineHandler line_handler(py::function function) {
    // Dropped on any thread: its last reference needs the GIL.
    auto held = std::shared_ptr<py::function>(new py::function(std::move(function)), [](py::function* last) {
        const py::gil_scoped_acquire gil;
        delete last;
    });
    return [held](std::string_view line) {
        const py::gil_scoped_acquire gil;
        try {
            (*held)(output_from(line));
        } catch (py::error_already_set& error) {
            log::warning("a session's output function raised: {}", error.what());
        }
    };
}

template <ReadUntil read>
py::tuple read_until(Session& self, const std::vector<std::string>& patterns, double timeout) {
    const ExpectMatch match = without_gil([&] { return (self.*read)(patterns, Seconds{timeout}); });
    return py::make_tuple(match.index, output_from(match.output));
}

py::tuple cmd_status_output(Session& self, const std::string& command, double timeout, bool safe,
                            bool strip) {
    const auto [status, output] =
        without_gil([&] { return self.cmd_status_output(command, options_of(timeout, safe, strip)); });
    return py::make_tuple(status, output_from(output));
}

std::shared_ptr<Session> login(const std::string& host, int port, const std::string& username,
                               const std::string& password, const std::string& prompt,
                               const std::string& linesep, const std::string& status_test_command,
                               const std::string& bind_address, const std::string& interface, double timeout,
                               bool wait) {
    SshTarget target;
    target.host = host;
    target.port = port;
    target.username = username;
    target.password = password;
    target.shell = {prompt, linesep, status_test_command, host};
    target.bind_address = bind_address;
    target.interface = interface;
    const py::gil_scoped_release release;
    const auto deadline = Deadline::after(Seconds{timeout});
    return for_python(std::shared_ptr(wait ? wait_for_ssh_login(own_loop(), target, deadline)
                                           : ssh_login(own_loop(), target, deadline)));
}

using ProcessPtr = std::shared_ptr<LocalProcess>;

py::tuple start_local(const std::string& command, const std::string& prompt, const std::string& linesep,
                      const std::string& status_test_command, bool echo, const py::object& on_line) {
    LineHandler handler;
    if (!on_line.is_none())
        handler = line_handler(on_line.cast<py::function>());
    auto started = without_gil([&] {
        return local_session(own_loop(), command, {prompt, linesep, status_test_command, {}}, echo,
                             std::move(handler));
    });
    return py::make_tuple(for_python(std::shared_ptr(std::move(started.session))),
                          std::make_shared<LocalProcess>(started.process));
}

void bind_local(py::module_& module) {
    py::class_<LocalProcess, ProcessPtr>(module, "LocalProcess")
        .def_property_readonly("pid", &LocalProcess::pid)
        .def("status", &LocalProcess::status)
        .def("wait",
             [](LocalProcess& self, double timeout) {
                 return without_gil([&] { return self.wait(Deadline::after(Seconds{timeout})); });
             })
        .def("kill", &LocalProcess::kill)
        .def("output", [](const LocalProcess& self) { return output_from(self.output()); });
    module.def("local_session", &start_local, py::arg("command"), py::arg("prompt"), py::arg("linesep"),
               py::arg("status_test_command"), py::arg("echo"), py::arg("on_line"));
}

}  // namespace

void bind_session(py::module_& module) {
    py::class_<Session, std::shared_ptr<Session>>(module, "Session")
        .def("cmd_output",
             [](Session& self, const std::string& command, double timeout, bool safe, bool strip) {
                 return output_from(
                     without_gil([&] { return self.cmd_output(command, options_of(timeout, safe, strip)); }));
             })
        .def("cmd_status_output", &cmd_status_output)
        .def("send", [](Session& self, const std::string& text) { without_gil([&] { self.send(text); }); })
        .def("sendline",
             [](Session& self, const std::string& text) { without_gil([&] { self.sendline(text); }); })
        .def("sendcontrol",
             [](Session& self, char letter) { without_gil([&] { self.sendcontrol(letter); }); })
        .def("read_nonblocking",
             [](Session& self, double quiet, std::optional<double> timeout) {
                 return output_from(
                     without_gil([&] { return self.read_nonblocking(Seconds{quiet}, seconds_of(timeout)); }));
             })
        .def("read_up_to_prompt",
             [](Session& self, double timeout) {
                 return output_from(without_gil([&] { return self.read_up_to_prompt(Seconds{timeout}); }));
             })
        .def("read_until_output_matches", &read_until<&Session::read_until_output_matches>)
        .def("read_until_last_line_matches", &read_until<&Session::read_until_last_line_matches>)
        .def("read_until_last_word_matches", &read_until<&Session::read_until_last_word_matches>)
        .def("read_until_any_line_matches", &read_until<&Session::read_until_any_line_matches>)
        .def("is_responsive",
             [](Session& self, double timeout) {
                 return without_gil([&] { return self.is_responsive(Seconds{timeout}); });
             })
        .def("is_alive", &Session::is_alive, py::call_guard<py::gil_scoped_release>())
        .def("get_status", &Session::get_status)
        .def("close", &Session::close, py::call_guard<py::gil_scoped_release>())
        .def_property(
            "prompt", [](const Session& self) { return self.options().prompt; }, &Session::set_prompt)
        .def_property(
            "linesep", [](const Session& self) { return self.options().line_separator; },
            &Session::set_linesep)
        .def_property(
            "status_test_command", [](const Session& self) { return self.options().status_test_command; },
            &Session::set_status_test_command)
        .def("set_line_handler", [](Session& self, const py::object& function) {
            LineHandler handler;
            if (!function.is_none())
                handler = line_handler(function.cast<py::function>());
            without_gil([&] { self.set_line_handler(std::move(handler)); });
        });
    bind_local(module);
    module.def("ssh_login", &login, py::arg("host"), py::arg("port"), py::arg("username"),
               py::arg("password"), py::arg("prompt"), py::arg("linesep"), py::arg("status_test_command"),
               py::arg("bind_address"), py::arg("interface"), py::arg("timeout"), py::arg("wait"));
    module.def("strip_control_sequences",
               [](const py::str& text) { return output_from(strip_control_sequences(bytes_of(text))); });
    module.def("remove_command_echo", &remove_command_echo);
    module.def("remove_prompt", [](const std::string& output) { return remove_prompt(output); });
}

}  // namespace vt::python

// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The submodule `_vt.driver`: what the classes of the package testplan stand on.
#include "runner/harness/driver/dependencies.hpp"
#include "runner/harness/driver/log_extract.hpp"
#include "runner/harness/driver/status.hpp"
#include "runner/harness/driver/tcp.hpp"
#include "runner/harness/driver/text_template.hpp"
#include "runner/harness/driver/traffic_log.hpp"
#include "runner/python/module/bind.hpp"
#include "runner/python/module/convert.hpp"
#include "runner/python/module/own_loop.hpp"
#include "runner/support/timeline.hpp"

#include <pybind11/stl.h>
#include <pybind11/stl/filesystem.h>

namespace vt::python {
namespace {

using driver::Dependencies;
using driver::StatusMachine;
using driver::TcpClient;
using driver::TcpServer;
using driver::TrafficLog;

/// Python's None is the status that has no name.
std::string status_of(const py::object& status) {
    return status.is_none() ? std::string() : bytes_of(status);
}

py::object status_from(const std::string& status) {
    return status.empty() ? py::object(py::none()) : py::object(text_from(status));
}

py::dict transitions_from(const driver::Transitions& transitions) {
    py::dict found;
    for (const auto& from : transitions) {
        py::set to;
        for (const std::string& status : from.second) {
            to.add(status_from(status));
        }
        found[status_from(from.first)] = to;
    }
    return found;
}

driver::Transitions transitions_of(const py::dict& transitions) {
    driver::Transitions found;
    for (const auto& from : transitions) {
        auto& to = found[status_of(py::reinterpret_borrow<py::object>(from.first))];
        for (const py::handle status : from.second) {
            to.insert(status_of(py::reinterpret_borrow<py::object>(status)));
        }
    }
    return found;
}

/// Values that a Python function gives: None for a name that it does not know.
driver::Lookup lookup_of(const py::function& function) {
    return [function](const std::string& name) -> std::optional<std::string> {
        const py::object value = function(text_from(name));
        return value.is_none() ? std::nullopt : std::optional(bytes_of(value));
    };
}

/// A pattern, the flags of Python's re and whether the log is bytes.
using PythonExpression = std::tuple<py::object, int, bool>;

driver::Expression expression_of(const PythonExpression& given) {
    constexpr int re_ignorecase = 2;
    constexpr int re_multiline = 8;
    constexpr int re_dotall = 16;
    constexpr int re_verbose = 64;
    constexpr int re_ascii = 256;
    const int flags = std::get<1>(given);
    driver::Expression expression;
    expression.pattern = bytes_of(std::get<0>(given));
    expression.ignore_case = (flags & re_ignorecase) != 0;
    expression.multi_line = (flags & re_multiline) != 0;
    expression.dot_all = (flags & re_dotall) != 0;
    expression.verbose = (flags & re_verbose) != 0;
    expression.ascii = (flags & re_ascii) != 0;
    expression.bytes = std::get<2>(given);
    return expression;
}

void translate(std::exception_ptr thrown) {
    const auto raise = [](const char* module, const char* name, auto&&... arguments) {
        const py::object type = py::module_::import(module).attr(name);
        PyErr_SetObject(type.ptr(), type(arguments...).ptr());
    };
    try {
        try {
            std::rethrow_exception(std::move(thrown));
        } catch (const driver::StatusError& error) {
            raise("testplan.common.entity.base", "StatusTransitionException", text_from(error.what()));
        } catch (const driver::UnresolvedError& error) {
            raise("builtins", "ValueError", text_from(error.what()));
        } catch (const driver::ResolveError& error) {
            raise("socket", "gaierror", error.code(), text_from(error.what()));
        } catch (const driver::PeerClosedError& error) {
            raise("_vt", "PeerClosedError", text_from(error.what()));
        } catch (const driver::TlsError& error) {
            raise("ssl", "SSLError", text_from(error.what()));
        }
    } catch (py::error_already_set& broken) {
        broken.restore();
    }
}

void bind_status(py::module_& module) {
    py::class_<StatusMachine>(module, "StatusMachine")
        .def(py::init([](const py::dict& transitions) {
                 return std::make_unique<StatusMachine>(transitions_of(transitions));
             }),
             py::arg("transitions"))
        .def_property_readonly("current",
                               [](const StatusMachine& self) { return status_from(self.current()); })
        .def("change", [](StatusMachine& self, const py::object& next) { self.change(status_of(next)); })
        .def("force", [](StatusMachine& self, const py::object& next) { self.force(status_of(next)); })
        .def("reset", &StatusMachine::reset)
        .def("wait", [](const StatusMachine& self, const py::object& target, double timeout) {
            const std::string wanted = status_of(target);
            return without_gil([&] { return self.wait(wanted, Deadline::after(Seconds{timeout})); });
        });
    module.def("entity_transitions", [] { return transitions_from(driver::entity_transitions()); });
    module.def("resource_transitions", [] { return transitions_from(driver::resource_transitions()); });
    module.def("runnable_transitions", [] { return transitions_from(driver::runnable_transitions()); });
}

void bind_dependencies(py::module_& module) {
    py::class_<Dependencies>(module, "Dependencies")
        .def(py::init<>())
        .def("copy", [](const Dependencies& self) { return Dependencies(self); })
        .def("add", &Dependencies::add)
        .def("add_edge", &Dependencies::add_edge)
        .def("remove", &Dependencies::remove)
        .def("circle", &Dependencies::circle)
        .def("reversed", &Dependencies::reversed)
        .def("ready", &Dependencies::ready)
        .def("begin", &Dependencies::begin)
        .def("finish", &Dependencies::finish)
        .def("give_up", &Dependencies::give_up)
        .def("drop_waiting", &Dependencies::drop_waiting)
        .def("followers", &Dependencies::followers)
        .def_property_readonly("empty", &Dependencies::empty)
        .def_property_readonly("members", &Dependencies::members)
        .def_property_readonly("begun", &Dependencies::begun)
        .def_property_readonly("finished", &Dependencies::finished);
}

void bind_texts(py::module_& module) {
    module.def(
        "is_simple",
        [](const py::str& text) { return driver::TextTemplate::parse(bytes_of(text)).has_value(); },
        "Whether a text has nothing but {{names}} to fill in.");
    module.def("render", [](const py::str& text, const py::function& lookup) {
        return text_from(driver::fill_in(bytes_of(text), lookup_of(lookup)));
    });
    module.def("install_file", [](const std::filesystem::path& source, const std::filesystem::path& target,
                                  const py::function& lookup) {
        return driver::install_file(source, target, lookup_of(lookup)).string();
    });
    module.def("make_run_path", [](const std::filesystem::path& path, bool clean) {
        without_gil([&] { driver::make_run_path(path, clean); });
    });
    module.def("last_lines", [](const std::filesystem::path& file, std::size_t count) {
        py::list lines;
        for (const std::string& line : driver::last_lines(file, count)) {
            lines.append(text_from(line));
        }
        return lines;
    });
    py::class_<driver::FileExtractor>(module, "FileExtractor")
        .def(
            py::init([](const std::filesystem::path& file, const std::vector<PythonExpression>& expressions) {
                std::vector<driver::Expression> converted;
                for (const PythonExpression& expression : expressions) {
                    converted.push_back(expression_of(expression));
                }
                return std::make_unique<driver::FileExtractor>(file, converted);
            }))
        .def("look", [](driver::FileExtractor& self) { return without_gil([&] { return self.look(); }); })
        .def_property_readonly("unmatched",
                               [](const driver::FileExtractor& self) { return self.lines().unmatched(); })
        .def_property_readonly("extracts", [](const driver::FileExtractor& self) {
            py::dict extracts;
            for (const auto& extract : self.lines().extracts()) {
                extracts[text_from(extract.first)] = text_from(extract.second);
            }
            return extracts;
        });
}

void bind_tls(py::module_& module) {
    py::class_<driver::TlsOptions>(module, "TlsOptions")
        .def(py::init([](std::filesystem::path certificate, std::filesystem::path key,
                         std::filesystem::path ca, const py::str& server_name) {
                 return driver::TlsOptions{std::move(certificate), std::move(key), std::move(ca),
                                           bytes_of(server_name)};
             }),
             py::arg("certificate") = "", py::arg("key") = "", py::arg("ca") = "",
             py::arg("server_name") = "")
        .def_property(
            "certificate",
            [](const driver::TlsOptions& self) { return text_from(self.certificate.native()); },
            [](driver::TlsOptions& self, const py::str& path) { self.certificate = bytes_of(path); })
        .def_property(
            "key", [](const driver::TlsOptions& self) { return text_from(self.key.native()); },
            [](driver::TlsOptions& self, const py::str& path) { self.key = bytes_of(path); });
    module.def("make_certificate", [](const std::filesystem::path& directory, const py::list& hosts) {
        std::vector<std::string> names;
        for (const py::handle host : hosts) {
            names.push_back(bytes_of(host));
        }
        return driver::make_certificate(directory, names);
    });
}

/// The buffer of a bytes object, valid while it lives.
std::string_view view(const py::bytes& bytes) {
    return {PyBytes_AS_STRING(bytes.ptr()), static_cast<std::size_t>(PyBytes_GET_SIZE(bytes.ptr()))};
}

void bind_server(py::module_& module) {
    py::class_<TcpServer, std::shared_ptr<TcpServer>>(module, "TcpServer")
        .def(py::init([](const py::object& name, const py::object& host, std::uint16_t port, int backlog,
                         std::shared_ptr<TrafficLog> traffic, std::optional<driver::TlsOptions> tls) {
                 driver::ServerOptions options{bytes_of(name), bytes_of(host), port, backlog, std::move(tls)};
                 return for_python(
                     std::make_shared<TcpServer>(own_loop(), std::move(options), std::move(traffic)));
             }),
             py::arg("name"), py::arg("host"), py::arg("port"), py::arg("backlog") = 128,
             py::arg("traffic") = std::shared_ptr<TrafficLog>(), py::arg("tls") = std::nullopt)
        .def("bind", [](TcpServer& self) { without_gil([&] { self.bind(); }); })
        .def("listen", [](TcpServer& self) { without_gil([&] { self.listen(); }); })
        .def("close", [](TcpServer& self) { without_gil([&] { self.close(); }); })
        .def("retire", [](TcpServer& self) { without_gil([&] { self.retire(); }); })
        .def("accept",
             [](TcpServer& self, double timeout) {
                 const auto index =
                     without_gil([&] { return self.accept(Deadline::after(Seconds{timeout})); });
                 return index ? static_cast<long>(*index) : -1L;
             })
        .def("close_connection", &TcpServer::close_connection)
        .def("receive",
             [](TcpServer& self, std::size_t size, std::optional<std::size_t> index, double timeout) {
                 return py::bytes(without_gil(
                     [&] { return self.receive(size, index, Deadline::after(Seconds{timeout})); }));
             })
        .def("receive_some",
             [](TcpServer& self, std::size_t size, std::optional<std::size_t> index) -> py::object {
                 const auto bytes = without_gil([&] { return self.receive_some(size, index); });
                 return bytes ? py::object(py::bytes(*bytes)) : py::object(py::none());
             })
        .def("send",
             [](TcpServer& self, const py::bytes& bytes, std::optional<std::size_t> index, double timeout) {
                 const std::string_view data = view(bytes);
                 without_gil([&] { self.send(data, index, Deadline::after(Seconds{timeout})); });
                 return data.size();
             })
        .def_property_readonly("host", [](const TcpServer& self) { return text_from(self.host()); })
        .def_property_readonly("ip", [](const TcpServer& self) { return text_from(self.ip()); })
        .def_property_readonly("port", &TcpServer::port)
        .def_property_readonly("fd", &TcpServer::fd)
        .def_property_readonly("listening", &TcpServer::listening)
        .def_property_readonly("refusal", [](const TcpServer& self) { return text_from(self.refusal()); })
        .def_property_readonly("arrived", &TcpServer::arrived)
        .def_property_readonly("accepted", &TcpServer::accepted);
}

void bind_client(py::module_& module) {
    using Interface = std::optional<std::pair<std::string, std::uint16_t>>;
    py::class_<TcpClient, std::shared_ptr<TcpClient>>(module, "TcpClient")
        .def(py::init([](const py::object& name, const py::object& host, std::uint16_t port,
                         Interface interface, std::shared_ptr<TrafficLog> traffic,
                         std::optional<driver::TlsOptions> tls) {
                 driver::ClientOptions options{bytes_of(name), bytes_of(host), port, std::move(interface),
                                               std::move(tls)};
                 return std::make_shared<TcpClient>(std::move(options), std::move(traffic));
             }),
             py::arg("name"), py::arg("host"), py::arg("port"), py::arg("interface") = Interface(),
             py::arg("traffic") = std::shared_ptr<TrafficLog>(), py::arg("tls") = std::nullopt)
        .def("connect",
             [](TcpClient& self, double timeout) {
                 without_gil([&] { self.connect(Deadline::after(Seconds{timeout})); });
             })
        .def("close", &TcpClient::close)
        .def("receive",
             [](TcpClient& self, std::size_t size, double timeout) {
                 return py::bytes(
                     without_gil([&] { return self.receive(size, Deadline::after(Seconds{timeout})); }));
             })
        .def("send",
             [](TcpClient& self, const py::bytes& bytes, double timeout) {
                 const std::string_view data = view(bytes);
                 return without_gil([&] { return self.send(data, Deadline::after(Seconds{timeout})); });
             })
        .def_property_readonly("connected", &TcpClient::connected)
        .def_property_readonly("address", &TcpClient::address);
}

}  // namespace

void bind_driver(py::module_& parent) {
    py::module_ module = parent.def_submodule("driver", "The core of testplan's drivers.");
    const auto bases =
        py::make_tuple(parent.attr("Error"), py::reinterpret_borrow<py::object>(PyExc_ConnectionError));
    static const py::exception<driver::PeerClosedError> peer_closed(parent, "PeerClosedError", bases.ptr());
    py::register_exception_translator(&translate);
    bind_status(module);
    bind_dependencies(module);
    bind_texts(module);
    py::class_<TrafficLog, std::shared_ptr<TrafficLog>>(module, "TrafficLog")
        .def(py::init<std::filesystem::path>())
        .def("flush", &TrafficLog::flush);
    bind_tls(module);
    bind_server(module);
    bind_client(module);
    bind_program(module);
    module.def("timeline", [](const std::string& title, const py::list& bars) {
        std::vector<TimelineBar> drawn;
        for (const py::handle item : bars) {
            const auto bar =
                py::cast<std::tuple<std::string, std::string, std::string, int, double, double>>(item);
            drawn.push_back({std::get<0>(bar), std::get<1>(bar), std::get<2>(bar),
                             static_cast<TimelineBar::Outcome>(std::get<3>(bar)), std::get<4>(bar),
                             std::get<5>(bar)});
        }
        return text_from(timeline(title, drawn));
    });
    module.def("port_number", [](const py::object& port) { return driver::port_number(bytes_of(port)); });
}

}  // namespace vt::python

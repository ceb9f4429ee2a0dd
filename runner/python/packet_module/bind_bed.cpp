// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/harness/packet/adapter.hpp"
#include "runner/harness/packet/ovs.hpp"
#include "runner/harness/packet/test_bed.hpp"
#include "runner/harness/packet/vpp.hpp"
#include "runner/python/module/convert.hpp"
#include "runner/python/module/own_loop.hpp"
#include "runner/python/packet_module/bind_packet.hpp"
#include "runner/support/runtime_dirs.hpp"
#include "runner/support/scratch.hpp"

#include <nlohmann/json.hpp>
#include <pybind11/stl.h>
#include <pybind11/stl/filesystem.h>

namespace vt::python {
namespace {

using packet::Adapter;
using packet::Frame;
using packet::GrowingPcap;
using packet::OvsSwitch;
using packet::PgInterface;
using packet::PortFacts;
using packet::Stream;
using packet::TestBed;

/// An adapter written in Python: its methods are called under the GIL.
class PythonAdapter : public Adapter {
  public:
    std::string name() const override { PYBIND11_OVERRIDE_PURE(std::string, Adapter, name); }
    void start() override { PYBIND11_OVERRIDE_PURE(void, Adapter, start); }
    void stop() override { PYBIND11_OVERRIDE_PURE(void, Adapter, stop); }
    packet::Daemon* daemon() override {
        const py::gil_scoped_acquire gil;
        const py::object self = py::cast(this, py::return_value_policy::reference);
        const py::object found = py::getattr(self, "vpp", py::none());
        return found.is_none() ? nullptr : found.cast<packet::Daemon*>();
    }
    std::string cli(const std::string& command, const Deadline& deadline) override {
        return call("cli", command, deadline.remaining().count()).cast<std::string>();
    }
    PortFacts create_pg_interface(unsigned pg_index) override {
        const py::gil_scoped_acquire gil;
        const py::object made = call("create_pg_interface", pg_index);
        PortFacts facts;
        facts.pg_index = pg_index;
        facts.name = "pg" + std::to_string(pg_index);
        facts.sw_if_index = made[py::int_(0)].cast<int>();
        facts.mac = made[py::int_(1)].cast<std::string>();
        return facts;
    }
    std::unique_ptr<GrowingPcap> begin_capture(unsigned pg_index,
                                               const std::filesystem::path& file) override {
        const py::gil_scoped_acquire gil;
        const py::object where = call("begin_capture", pg_index, file.native());
        auto capture =
            std::make_unique<GrowingPcap>(where.is_none() ? file : where.cast<std::filesystem::path>());
        capture->skip_to_end();
        return capture;
    }
    void generate(const std::vector<Stream>& streams, const Deadline& deadline) override {
        const py::gil_scoped_acquire gil;
        for (const auto& stream : streams) {
            call("inject", stream.pg_index, list_from(stream.frames), stream.file.native(),
                 deadline.remaining().count());
        }
    }
    std::optional<std::uint64_t> counter(const std::string& name) override {
        const py::gil_scoped_acquire gil;
        return call("counter", name).cast<std::optional<std::uint64_t>>();
    }
    std::string trace(unsigned pg_index, const Frame& frame) override {
        const py::gil_scoped_acquire gil;
        return call("trace", pg_index, py::bytes(frame)).cast<std::string>();
    }

  private:
    template <typename... Arguments>
    py::object call(const char* method, Arguments&&... arguments) const {
        const py::gil_scoped_acquire gil;
        const py::function found = py::get_override(static_cast<const Adapter*>(this), method);
        if (!found) {
            throw Error(std::string("the adapter has no method ") + method);
        }
        return found(std::forward<Arguments>(arguments)...);
    }
};

/// The switch with the directory of its sockets, which goes with it.
class OvsForPython : public OvsSwitch {
  public:
    OvsForPython(std::unique_ptr<ScratchDirectory> scratch, packet::OvsOptions options)
        : OvsSwitch(own_loop(), std::move(options)), scratch_(std::move(scratch)) {}
    ~OvsForPython() override {
        try {
            stop();
        } catch (const std::exception&) {
            // Its daemons are killed with it.
        }
    }

  private:
    std::unique_ptr<ScratchDirectory> scratch_;
};

/// Tells a Python function of a daemon that runs and is not ready yet. Called within start(), whose caller
/// holds it.
std::function<void(packet::Daemon&)> teller_of(const py::object& launched) {
    if (launched.is_none()) {
        return {};
    }
    return [function = launched.ptr()](packet::Daemon& daemon) {
        const py::gil_scoped_acquire gil;
        py::reinterpret_borrow<py::object>(function)(py::cast(&daemon, py::return_value_policy::reference));
    };
}

std::shared_ptr<OvsForPython> ovs(const std::filesystem::path& directory, const std::string& ports,
                                  std::size_t mtu, const std::string& program, double timeout,
                                  const py::object& launched) {
    const auto tell = teller_of(launched);
    return for_python(without_gil([&] {
        const auto dirs = RuntimeDirs::make();
        auto scratch = std::make_unique<ScratchDirectory>(dirs.journal(), "pkt-", dirs.base);
        packet::OvsOptions options;
        options.directory = directory;
        options.run_directory = scratch->path();
        options.settings = packet::Settings::read();
        options.ports = packet::port_kind_of(ports);
        options.mtu = mtu;
        options.start_timeout = Seconds{timeout};
        options.launched = tell;
        if (!program.empty()) {
            options.program = program;
        }
        return std::make_shared<OvsForPython>(std::move(scratch), std::move(options));
    }));
}

void bind_adapters(py::module_& module) {
    py::class_<PortFacts>(module, "PortFacts")
        .def_readonly("pg_index", &PortFacts::pg_index)
        .def_readonly("sw_if_index", &PortFacts::sw_if_index)
        .def_readonly("name", &PortFacts::name)
        .def_readonly("mac", &PortFacts::mac);
    py::class_<Adapter, PythonAdapter, std::shared_ptr<Adapter>>(module, "Adapter")
        .def(py::init<>())
        .def("name", &Adapter::name)
        .def("start", [](Adapter& self) { without_gil([&] { self.start(); }); })
        .def("stop", [](Adapter& self) { without_gil([&] { self.stop(); }); })
        .def("cli",
             [](Adapter& self, const std::string& command, double timeout) {
                 return output_from(
                     without_gil([&] { return self.cli(command, Deadline::after(Seconds{timeout})); }));
             })
        .def("counter",
             [](Adapter& self, const std::string& name) {
                 return without_gil([&] { return self.counter(name); });
             })
        .def("trace", [](Adapter& self, unsigned pg_index, const py::bytes& frame) {
            const std::string bytes = frame;
            return output_from(without_gil([&] { return self.trace(pg_index, bytes); }));
        });
    py::class_<OvsSwitch, Adapter, std::shared_ptr<OvsSwitch>>(module, "OvsCore")
        .def_property_readonly(
            "vpp", [](OvsSwitch& self) { return self.daemon(); }, py::return_value_policy::reference_internal)
        .def_property_readonly("control_socket", &OvsSwitch::control_socket)
        .def("create_loopback",
             [](OvsSwitch& self, const std::string& name) {
                 return without_gil([&] { return self.create_loopback(name); });
             })
        .def("delete_port",
             [](OvsSwitch& self, const std::string& name) { without_gil([&] { self.delete_port(name); }); })
        .def("set_access_vlan",
             [](OvsSwitch& self, unsigned pg_index, unsigned tag) {
                 without_gil([&] { self.set_access_vlan(pg_index, tag); });
             })
        .def("set_trunk_vlans",
             [](OvsSwitch& self, unsigned pg_index, const std::vector<unsigned>& vlans) {
                 without_gil([&] { self.set_trunk_vlans(pg_index, vlans); });
             })
        .def("set_flows", [](OvsSwitch& self, const std::string& flows,
                             bool replace) { without_gil([&] { self.set_flows(flows, replace); }); })
        .def("configure",
             [](OvsSwitch& self, const py::object& operations) {
                 const auto json = json_of(operations);
                 return python_from(without_gil([&] { return self.configure(json); }));
             })
        .def("interfaces", [](OvsSwitch& self) { return without_gil([&] { return self.interfaces(); }); });
    py::class_<OvsForPython, OvsSwitch, std::shared_ptr<OvsForPython>>(module, "OvsSwitch")
        .def(py::init(&ovs), py::arg("directory"), py::arg("ports") = "dummy", py::arg("mtu") = 1500,
             py::arg("program") = "", py::arg("timeout") = 30.0, py::arg("launched") = py::none(),
             py::keep_alive<1, 7>())
        .def_static("obstacle", [] { return without_gil([] { return OvsSwitch::obstacle(); }); });
}

std::shared_ptr<packet::VppDaemon> vpp(const std::vector<std::string>& command_line,
                                       const std::filesystem::path& directory,
                                       const std::filesystem::path& stats_socket,
                                       const py::object& launched) {
    return for_python(std::make_shared<packet::VppDaemon>(own_loop(), command_line, directory, stats_socket,
                                                          teller_of(launched)));
}

void bind_vpp(py::module_& module) {
    using packet::VppConfig;
    using packet::VppDaemon;
    py::class_<VppConfig>(module, "VppConfig")
        .def(py::init<>())
        .def("add",
             [](VppConfig& self, const std::string& stanza, const std::string& key,
                const std::optional<std::string>& value) {
                 try {
                     self.add(stanza, key, value);
                 } catch (const Error& error) {
                     throw py::value_error(error.what());
                 }
             })
        .def("add_plugin", &VppConfig::add_plugin)
        .def("text", &VppConfig::text);
    py::class_<VppDaemon, Adapter, std::shared_ptr<VppDaemon>>(module, "VppCore")
        .def(py::init(&vpp), py::arg("command_line"), py::arg("directory"), py::arg("stats_socket"),
             py::arg("launched") = py::none(), py::keep_alive<1, 5>())
        .def_property_readonly(
            "vpp", [](VppDaemon& self) { return self.daemon(); }, py::return_value_policy::reference_internal)
        .def("facts_of",
             [](VppDaemon& self, const std::string& name) {
                 return without_gil([&] { return self.facts_of(name); });
             })
        .def("forget_streams",
             [](VppDaemon& self, const std::vector<std::string>& names) {
                 without_gil([&] { self.forget_streams(names); });
             })
        .def("wait_for_stats", [](VppDaemon& self, const std::optional<double>& timeout) {
            return without_gil([&] { return self.wait_for_stats(deadline_of(timeout, 86400)); });
        });
}

/// A Python filter, called with the bytes; None: nothing is left out; True: IPv6's own talk.
packet::FrameFilter filter_of(const py::object& filter) {
    if (filter.is_none()) {
        return {};
    }
    if (py::isinstance<py::bool_>(filter)) {
        return filter.cast<bool>() ? packet::FrameFilter(packet::is_ipv6_misc) : packet::FrameFilter();
    }
    // Outlives no call, in which the caller holds it.
    return [filter = filter.ptr()](std::string_view frame) {
        const py::gil_scoped_acquire gil;
        return py::reinterpret_borrow<py::object>(filter)(py::bytes(frame.data(), frame.size())).cast<bool>();
    };
}

}  // namespace

void bind_bed(py::module_& module) {
    bind_adapters(module);
    bind_vpp(module);
    py::class_<PgInterface>(module, "PgInterface")
        .def_readonly("facts", &PgInterface::facts)
        .def_property_readonly("in_path",
                               [](const PgInterface& self) { return text_from(self.in_path.native()); })
        .def_property_readonly("out_path",
                               [](const PgInterface& self) { return text_from(self.out_path.native()); });
    const auto by_index = [](TestBed& self, unsigned pg_index) { return self.pg(pg_index); };
    py::class_<TestBed, std::shared_ptr<TestBed>>(module, "TestBed")
        .def(py::init([](std::shared_ptr<Adapter> adapter, const std::filesystem::path& directory) {
                 return for_python(std::make_shared<TestBed>(std::move(adapter), directory));
             }),
             py::keep_alive<1, 2>())
        .def("start", [](TestBed& self) { without_gil([&] { self.start(); }); })
        .def("stop", [](TestBed& self) { without_gil([&] { self.stop(); }); })
        .def("check", [](TestBed& self) { without_gil([&] { self.check(); }); })
        .def_property_readonly("pg_indexes", &TestBed::pg_interfaces)
        .def("create_pg_interface",
             [](TestBed& self, unsigned pg_index) {
                 return without_gil([&] { return self.create_pg_interface(pg_index); });
             })
        .def("pg", by_index)
        .def("add_stream",
             [](TestBed& self, unsigned pg_index, const py::iterable& frames) {
                 auto all = frames_of(frames);
                 without_gil([&] { self.add_stream(pg_index, std::move(all)); });
             })
        .def("enable_capture",
             [](TestBed& self, unsigned pg_index) { without_gil([&] { self.enable_capture(pg_index); }); })
        .def("pg_start",
             [](TestBed& self, double timeout) {
                 without_gil([&] { self.pg_start(Deadline::after(Seconds{timeout})); });
             })
        .def("collect",
             [](TestBed& self, unsigned pg_index, std::size_t count, const py::object& filter,
                double timeout) {
                 const auto wanted = filter_of(filter);
                 return list_from(without_gil([&] {
                     return self.collect(pg_index, count, wanted, Deadline::after(Seconds{timeout}));
                 }));
             })
        .def("next_frame",
             [](TestBed& self, unsigned pg_index, const py::object& filter, double timeout) {
                 const auto wanted = filter_of(filter);
                 const auto frame = without_gil(
                     [&] { return self.next_frame(pg_index, wanted, Deadline::after(Seconds{timeout})); });
                 return frame ? list_from({*frame}) : py::list();
             })
        .def("has_captured",
             [](TestBed& self, unsigned pg_index, double timeout) {
                 return without_gil(
                     [&] { return self.has_captured(pg_index, Deadline::after(Seconds{timeout})); });
             })
        .def("get_capture",
             [](TestBed& self, unsigned pg_index, std::size_t count, const py::object& filter,
                double timeout) {
                 const auto wanted = filter_of(filter);
                 return list_from(without_gil([&] {
                     return self.get_capture(pg_index, count, Deadline::after(Seconds{timeout}), wanted);
                 }));
             })
        .def("assert_nothing_captured",
             [](TestBed& self, unsigned pg_index, const std::string& remark, const py::object& filter,
                double timeout) {
                 const auto wanted = filter_of(filter);
                 without_gil([&] {
                     self.assert_nothing_captured(pg_index, Deadline::after(Seconds{timeout}), remark,
                                                  wanted);
                 });
             })
        .def("leave_aid", [](TestBed& self, unsigned pg_index, const std::string& kind) {
            without_gil([&] { self.leave_aid(pg_index, kind); });
        });
}

}  // namespace vt::python

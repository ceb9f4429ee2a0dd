// SPDX-License-Identifier: GPL-2.0-or-later
// Handles to the nodes of a machine; the model itself stays in the core.
#include "runner/python/module/bind_devices.hpp"

#include "cfg/params.hpp"
#include "runner/python/module/convert.hpp"
#include "runner/vm/qemu/verbs/devices.hpp"
#include "runner/vm/qemu/verbs/plug.hpp"

#include <map>
#include <memory>

#include <nlohmann/json.hpp>
#include <pybind11/stl.h>

namespace vt::python {
namespace {

using qemu::Devices;
using qemu::Form;
using qemu::Node;
using qemu::NodePtr;
using qemu::Value;
using NoGil = py::call_guard<py::gil_scoped_release>;
using Nodes = std::vector<NodePtr>;

constexpr const char* errors = "virttest.qemu_devices.utils";

Form form_of(const std::string& name) {
    for (const auto form : {Form::object, Form::chardev, Form::blockdev, Form::netdev, Form::device}) {
        if (qemu::name_of(form) == name) {
            return form;
        }
    }
    throw qemu::ModelError(
        "\"" + name + "\" is nothing that can be plugged; a device, object, netdev, chardev or blockdev is");
}

/// \p value as a property: text as it stands, other types as they are.
void set_param(Node& node, const std::string& name, const py::object& value) {
    if (name == "id" || name == "node-name") {
        node.qid = bytes_of(value);
    } else if (name == "driver") {
        node.driver = bytes_of(value);
    } else if (name == "bus") {
        node.address.bus = value.is_none() ? "" : bytes_of(value);
    } else if (value.is_none()) {
        node.props.erase(name);
    } else {
        node.props.set(name, PyUnicode_Check(value.ptr()) != 0 ? Value(bytes_of(value))
                                                               : Value::from_json(json_of(value)));
    }
}

NodePtr make_node(const std::string& form, const std::string& driver, const std::string& qid) {
    auto node = std::make_shared<Node>();
    node->form = form_of(form);
    node->driver = driver;
    node->qid = qid;
    return node;
}

py::dict params_of(const Node& node) {
    py::dict all;
    all["id"] = text_from(node.qid);
    all["driver"] = text_from(node.driver);
    for (const auto& [name, value] : node.props) {
        all[text_from(name)] =
            value.string() != nullptr ? text_from(*value.string()) : python_from(value.json());
    }
    for (const char* name : {"bus", "addr"}) {
        if (const auto text = node.param(name); !text.empty() && !node.address.bus.empty()) {
            all[name] = text_from(text);
        }
    }
    return all;
}

py::object param_of(const Node& node, const std::string& name, const py::object& fallback) {
    if (const auto* value = node.props.find(name)) {
        return value->string() != nullptr ? py::object(text_from(*value->string()))
                                          : python_from(value->json());
    }
    const auto text = node.param(name);
    return text.empty() ? fallback : py::object(text_from(text));
}

py::list buses_of(const Devices& devices) {
    py::list all;
    for (const auto& bus : devices.buses()) {
        py::dict taken;
        for (const auto& [at, holder] : bus.taken()) {
            taken[py::tuple(py::cast(at))] = text_from(holder);
        }
        py::dict entry;
        entry["busid"] = text_from(bus.id());
        entry["type"] = text_from(qemu::name_of(bus.kind()));
        entry["owner"] = text_from(bus.owner());
        entry["hotpluggable"] = bus.hotpluggable();
        entry["room"] = bus.room();
        entry["taken"] = std::move(taken);
        all.append(std::move(entry));
    }
    return all;
}

/// (True, "") once it is gone, (False, why) if the guest keeps it.
std::pair<bool, std::string> unplug(Devices& devices, const NodePtr& node, double timeout) {
    try {
        devices.unplug(node, Deadline::after(Seconds{timeout}), qemu::Along::block_nodes);
        return {true, ""};
    } catch (const UnplugRefusedError& kept) {
        return {false, kept.what()};
    } catch (const UnplugTimeoutError& kept) {
        return {false, kept.what()};
    }
}

void translate_devices(std::exception_ptr thrown) {
    const auto raise = [](const char* name, const char* text) {
        const auto type = py::module_::import(errors).attr(name);
        PyErr_SetObject(type.ptr(), type.attr("_of_core")(text_from(text)).ptr());
    };
    try {
        std::rethrow_exception(std::move(thrown));
    } catch (const HotplugError& error) {
        raise("DeviceHotplugError", error.what());
    } catch (const UnplugError& error) {
        raise("DeviceUnplugError", error.what());
    } catch (const qemu::ModelError& error) {
        raise("DeviceInsertError", error.what());
    } catch (const qemu::AddressError& error) {
        raise("DeviceInsertError", error.what());
    }
}

void guarded(std::exception_ptr thrown) {
    try {
        translate_devices(std::move(thrown));
    } catch (py::error_already_set& broken) {
        broken.restore();
    }
}

void bind_node(py::module_& module) {
    py::class_<Node, NodePtr>(module, "Node")
        .def(py::init(&make_node))
        .def_property_readonly("qid", [](const Node& self) { return text_from(self.qid); })
        .def_property_readonly("driver", [](const Node& self) { return text_from(self.driver); })
        .def_property_readonly("origin", [](const Node& self) { return text_from(self.origin); })
        .def_property_readonly("form", [](const Node& self) { return text_from(qemu::name_of(self.form)); })
        .def_property_readonly("state", [](const Node& self) { return text_from(qemu::name_of(self.state)); })
        .def_property(
            "needs", [](const Node& self) { return self.needs; },
            [](Node& self, const std::vector<std::string>& needs) { self.needs = needs; })
        .def("set_param", &set_param)
        .def("get_param", &param_of, py::arg("name"), py::arg("fallback") = py::none())
        .def("params", &params_of);
}

}  // namespace

void bind_devices(py::module_& module) {
    bind_node(module);
    py::class_<Devices, std::shared_ptr<Devices>>(module, "Devices")
        .def("nodes", &Devices::nodes, NoGil())
        .def("find", &Devices::find, NoGil())
        .def("get_by_qid", &Devices::get_by_qid, NoGil())
        .def("get_by_params", &Devices::get_by_params, NoGil())
        .def("buses", &buses_of)
        .def("insert", &Devices::insert, NoGil())
        .def("remove", &Devices::remove, NoGil())
        .def(
            "plug",
            [](Devices& self, const Nodes& nodes, double timeout) {
                self.plug(nodes, Deadline::after(Seconds{timeout}));
            },
            NoGil())
        .def("unplug", &unplug, NoGil())
        .def(
            "differences",
            [](Devices& self, double timeout) { return self.differences(Deadline::after(Seconds{timeout})); },
            NoGil())
        .def("define_disk", &Devices::define_disk, NoGil())
        .def("define_nic", &Devices::define_nic, NoGil())
        .def("define_dimm", &Devices::define_dimm, NoGil())
        .def(
            "define_vcpu",
            [](Devices& self, const std::string& name, double timeout) {
                return self.define_vcpu(name, Deadline::after(Seconds{timeout}));
            },
            NoGil())
        .def("version", [](const Devices& self) { return text_from(self.caps().version()); })
        .def("has_device",
             [](const Devices& self, const std::string& name) { return self.caps().has_device(name); })
        .def("has_object",
             [](const Devices& self, const std::string& name) { return self.caps().has_object(name); })
        .def("has_qmp_cmd",
             [](const Devices& self, const std::string& name) { return self.caps().has_command(name); })
        .def("has_option",
             [](const Devices& self, const std::string& name) { return self.caps().has_option(name); });
    py::register_exception_translator(&guarded);
}

}  // namespace vt::python

// SPDX-License-Identifier: GPL-2.0-or-later
// Monitors, serial ports, the firmware's log.
#include "runner/caps/capabilities.hpp"
#include "runner/support/strings.hpp"
#include "runner/vm/qemu/build/builder.hpp"

#include <fmt/core.h>

namespace vt::qemu {

void Builder::add_monitors() {
    for (const auto& monitor : spec.monitors) {
        const std::string id = (monitor.qmp ? "qmp_id_" : "hmp_id_") + monitor.name;
        socket_chardev(id, monitor_socket(placement.instance_dir, monitor.name), monitor.name);
        const auto node = option("mon", {{"chardev", id}, {"mode", monitor.qmp ? "control" : "readline"}});
        node->needs = {id};
        node->origin = monitor.name;
    }
}

/// The back end of \p serial.
NodePtr Builder::serial_chardev(const Serial& serial) {
    const std::string id = "chardev_" + serial.name;
    const auto own = serial_socket(placement.instance_dir, serial.name);
    if (serial.is_console() && serial.chardev_properties.empty()) {
        return socket_chardev(id, own, serial.name);
    }
    Node node;
    node.form = Form::chardev;
    node.driver = serial.backend.ends_with("_socket") ? "socket" : serial.backend;
    node.qid = id;
    node.origin = serial.name;
    static constexpr std::string_view with_path = " unix_socket file pipe serial tty parallel parport ";
    if (with_path.find(" " + serial.backend + " ") != std::string_view::npos) {
        node.props.set("path", serial.path.empty() ? own.native() : serial.path);
    }
    if (node.driver == "socket") {
        node.props.set("server", true).set("wait", false);
    }
    if (serial.backend == "tcp_socket" || serial.backend == "udp") {
        node.props.set("host", "127.0.0.1").set("port", "0");
    }
    if (serial.backend == "spicevmc") {
        node.props.set("name", "vdagent");
    }
    for (const auto& [name, value] : serial.chardev_properties) {
        const bool flag = name == "server" || name == "wait";
        node.props.set(name, flag ? Value(value == "on" || value == "yes") : Value(value));
    }
    return add(std::move(node));
}

/// The virtio-serial controller that \p serial goes to: the one that it names, else one with room; a console
/// has one of its own.
std::string Builder::serial_controller(const Serial& serial) {
    if (!serial.bus.empty() && serial.bus != "<new>") {
        return serial.bus.ends_with(".0") ? serial.bus : serial.bus + ".0";
    }
    const std::string base = replace_all(virtio("virtio-serial"), "-", "_");
    int number = 0;
    for (;; ++number) {
        const auto id = base + std::to_string(number);
        if (!has_device(id)) {
            device(virtio("virtio-serial"), id, {}, serial.bus_properties);
            return id + ".0";
        }
        const auto* bus = machine.bus(id + ".0");
        const bool first_port = bus->free({0}).has_value();
        if (serial.bus != "<new>" && (serial.type == "virtconsole" ? first_port : bus->room() > 1)) {
            return id + ".0";
        }
    }
}

void Builder::add_serial(const Serial& serial) {
    const auto chardev = serial_chardev(serial)->qid;
    // Boards with a UART of their own take a character device for it, and no device.
    if (serial.type == "isa-serial" && !has_isa()) {
        const auto node = plain("serial", "chardev:" + chardev);
        node->needs = {chardev};
        node->origin = serial.name;
        return;
    }
    Props props{{"chardev", chardev}};
    Address address;
    if (serial.type == "virtconsole" || serial.type == "virtserialport") {
        address = {BusKind::virtio_serial, serial_controller(serial), {}};
        if (!serial.number.empty()) {
            address.at = {std::atoi(serial.number.c_str())};
        }
        props.set_text("name", serial.type == "virtserialport" || serial.port_name != serial.name
                                   ? serial.port_name
                                   : "");
    }
    props.set_text("reg", serial.reg);
    device(serial.type, serial.name, std::move(props), serial.properties, std::move(address), {chardev},
           serial.name);
}

void Builder::add_serials() {
    for (const auto& serial : spec.serials) {
        if (!serial.type.starts_with("usb-")) {
            add_serial(serial);
        }
    }
    if (spec.debugcon && has_isa()) {
        Node log;
        log.form = Form::chardev;
        log.driver = "file";
        log.qid = "seabioslog";
        log.props = {{"path", firmware_log(placement.instance_dir).native()}};
        add(std::move(log));
        device("isa-debugcon", "debugcon0", {{"chardev", "seabioslog"}, {"iobase", 0x402}}, {}, {},
               {"seabioslog"});
    }
}

bool Builder::has_isa() const {
    const bool x86 = spec.arch == "x86_64" || spec.arch == "i386" || spec.arch == "i686";
    return x86 && spec.machine_type != "none";
}

}  // namespace vt::qemu

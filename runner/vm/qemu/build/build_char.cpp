// SPDX-License-Identifier: GPL-2.0-or-later
// Monitors, serial ports, the firmware's log.
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

void Builder::add_serials() {
    for (const auto& serial : spec.serials) {
        const std::string chardev = "chardev_" + serial.name;
        socket_chardev(chardev, serial_socket(placement.instance_dir, serial.name), serial.name);
        Props props{{"chardev", chardev}};
        if (serial.type == "virtconsole" || serial.type == "virtserialport") {
            if (!has_device("virtio_serial_pci0")) {
                device(virtio("virtio-serial"), "virtio_serial_pci0");
            }
            if (serial.type == "virtserialport") {
                props.set("name", serial.name);
            }
        }
        device(serial.type, serial.name, std::move(props), serial.properties, {}, {chardev}, serial.name);
    }
    if (spec.debugcon) {
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

}  // namespace vt::qemu

// SPDX-License-Identifier: GPL-2.0-or-later
// Network cards and their back ends.
#include "runner/vm/qemu/build/builder.hpp"

#include <fmt/core.h>

namespace vt::qemu {

void Builder::add_nic(const Nic& nic) {
    const auto tap = placement.taps.find(nic.name);
    const bool tapped = tap != placement.taps.end();
    Node netdev;
    netdev.form = Form::netdev;
    netdev.qid = "netdev_" + nic.name;
    netdev.origin = nic.name;
    netdev.driver = tapped ? "tap" : "user";
    const bool served = nic.backend == Nic::Backend::vhost_user;
    if (served) {
        netdev.driver = "vhost-user";
        netdev.needs = {client_chardev("char_" + nic.name, nic.netdst, nic.name)->qid};
        netdev.props.set("chardev", netdev.needs.front());
        if (nic.queues.value_or(1) > 1) {
            netdev.props.set("queues", *nic.queues);
        }
        netdev.extra = nic.netdev_properties;
    } else if (tapped) {
        const auto fds = placement.tap_fds.find(nic.name);
        if (fds == placement.tap_fds.end()) {
            netdev.props = {{"ifname", tap->second}, {"script", "no"}, {"downscript", "no"}};
        } else {
            std::string text;
            for (const int fd : fds->second) {
                text += (text.empty() ? "" : ":") + std::to_string(fd);
            }
            netdev.props.set(fds->second.size() > 1 ? "fds" : "fd", text);
        }
        netdev.props.set_text("vhost", nic.vhost).set_text("vhostforce", nic.vhostforce);
        netdev.extra = nic.netdev_properties;
    } else {
        netdev.props.set_text("tftp", nic.tftp).set_text("bootfile", nic.bootfile);
        Value::List forwarded;
        if (const auto ports = placement.forwarded.find(nic.name); ports != placement.forwarded.end()) {
            for (const auto& [name, host_port] : ports->second) {
                forwarded.emplace_back(fmt::format("tcp:127.0.0.1:{}-:{}", host_port, nic.redirs.at(name)));
            }
        }
        if (!forwarded.empty()) {
            netdev.props.set("hostfwd", std::move(forwarded));
        }
        // vhost belongs to taps; on a NIC that fell back from a bridge it would stop QEMU.
        if (nic.backend == Nic::Backend::user) {
            netdev.extra = nic.netdev_properties;
        }
    }
    const auto back_end = add(std::move(netdev));
    Props props{{"netdev", back_end->qid}};
    const auto mac = placement.macs.find(nic.name);
    props.set_text("mac", !nic.mac.empty() ? nic.mac : mac != placement.macs.end() ? mac->second : "");
    if (nic.boot_index) {
        props.set("bootindex", *nic.boot_index);
    }
    if (nic.model.starts_with("virtio") && nic.queues.value_or(1) > 1 && (tapped || served)) {
        props.set("mq", true).set("vectors", 2 * *nic.queues + 2);
    }
    props.set_text("romfile", nic.romfile);
    if (nic.model.starts_with("virtio")) {
        props.set_text("ctrl_mac_addr", nic.ctrl_mac_addr).set_text("failover", nic.failover);
        if (!nic.mq.empty()) {
            props.set("mq", nic.mq);
        }
    }
    const std::string driver = nic.model == "virtio-net-pci" ? virtio("virtio-net") : nic.model;
    Address address{BusKind::none, nic.pci_bus, {}};
    if (!nic.pci_addr.empty()) {
        address.at = parse_pci_address(nic.pci_addr);
    }
    device(driver, nic.name, std::move(props), nic.device_properties, std::move(address), {back_end->qid},
           nic.name);
}

void Builder::add_nics() {
    for (const auto& nic : spec.nics) {
        add_nic(nic);
    }
}

}  // namespace vt::qemu

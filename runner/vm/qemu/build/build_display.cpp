// SPDX-License-Identifier: GPL-2.0-or-later
// Graphics cards, displays, USB controllers and devices, input.
#include "runner/support/strings.hpp"
#include "runner/vm/qemu/build/builder.hpp"

#include <algorithm>
#include <map>
#include <set>

#include <fmt/core.h>

namespace vt::qemu {

namespace {

std::string video_driver(const std::string& vga, bool x86) {
    return vga == "std"      ? "VGA"
           : vga == "cirrus" ? "cirrus-vga"
           : vga == "vmware" ? "vmware-svga"
           : vga == "qxl"    ? "qxl-vga"
           : vga == "virtio" ? (x86 ? "virtio-vga" : "virtio-gpu-pci")
                             : vga;
}

/// Whether something of the machine may be slower than what an EHCI controller serves by itself.
bool needs_companions(const MachineSpec& spec) {
    static const std::set<std::string, std::less<>> fast = {
        "usb-tablet", "usb-mouse", "usb-kbd", "usb-storage", "usb-uas", "usb-bot", "usb-mtp"};
    const auto slow = [](const UsbDevice& device) { return !fast.contains(device.type); };
    const auto mentions_usb = [](const std::string& word) { return word.find("usb") != std::string::npos; };
    const auto serial_on_usb = [](const Serial& serial) { return serial.type.starts_with("usb-"); };
    return std::any_of(spec.usb_devices.begin(), spec.usb_devices.end(), slow) ||
           std::any_of(spec.serials.begin(), spec.serials.end(), serial_on_usb) ||
           std::any_of(spec.extra_params.begin(), spec.extra_params.end(), mentions_usb) ||
           std::any_of(spec.drives.begin(), spec.drives.end(),
                       [](const Drive& drive) { return drive.usb_kind == "usb1"; });
}

}  // namespace

namespace {

/// Channels are told one by one.
void add_spice_properties(Node& node, const Display& display) {
    std::map<std::string, Value::List> channels;
    for (const auto& [name, value] : display.properties) {
        if (name.ends_with("-channel")) {
            channels[name].emplace_back(value);
        } else {
            node.props.set(name, value);
        }
    }
    for (auto& [name, values] : channels) {
        node.props.set(name, Value(std::move(values)));
    }
}

}  // namespace

void Builder::add_display() {
    const Display& display = spec.display;
    Node node;
    node.form = Form::option;
    node.qid = "display";
    switch (display.kind) {
        case Display::Kind::vnc:
            // QEMU takes the first display that is free, so two starts never fight for one.
            node.driver = "vnc";
            node.props = {{"", "127.0.0.1:0"}, {"to", 999}};
            if (!display.secret.empty()) {
                node.needs = {add_display_secret()};
                node.props.set("password-secret", node.needs.front());
            } else if (display.password) {
                node.props.set("password", true);
            }
            node.extra = display.extra;
            break;
        case Display::Kind::sdl:
            node.driver = "display";
            node.props = {{"", "sdl"}};
            break;
        case Display::Kind::spice:
            node.driver = "spice";
            node.props = {{"addr", "127.0.0.1"}, {"port", 0}};
            if (!display.secret.empty()) {
                node.needs = {add_display_secret()};
                node.props.set("password-secret", node.needs.front());
            } else {
                node.props.set("disable-ticketing", true);
            }
            add_spice_properties(node, display);
            node.extra = display.extra;
            break;
        case Display::Kind::nographic:
            plain("nographic");
            return;
        case Display::Kind::none:
            node.driver = "display";
            node.props = {{"", "none"}};
            break;
    }
    add(std::move(node));
}

void Builder::add_video() {
    const Display& display = spec.display;
    if (display.vga_legacy && !display.vga.empty()) {
        plain("vga", display.vga);
    } else if (!display.vga.empty() && display.vga != "none") {
        const bool x86 = spec.arch == "x86_64" || spec.arch == "i386" || spec.arch == "i686";
        const auto driver = video_driver(display.vga, x86);
        // A graphics card is not unplugged, and firmware looks for it on the root bus.
        Address address{BusKind::none, machine.has_pcie() ? "pcie.0" : "", {}};
        device(driver, "video0", {}, {}, address);
        for (std::int64_t i = 1; display.vga == "qxl" && i < display.qxl_cards; ++i) {
            device("qxl", fmt::format("video{}", i), {}, {}, address);
        }
    }
    add_display();
}

void Builder::add_usb() {
    // Each companion costs a guest a fifth of a second at boot where the processor is emulated.
    const bool companions = needs_companions(spec);
    int slot = 0x1d;
    const std::string root = machine.has_pcie() ? "pcie.0" : "pci.0";
    for (const auto& controller : spec.usb_controllers) {
        if (controller.type != "ich9-usb-ehci1" || !companions) {
            device(controller.type, controller.name, {}, {}, {}, {}, controller.name);
            continue;
        }
        // All are functions of one slot, which q35's own devices leave free.
        if (machine.has_pcie()) {
            slot = std::min(slot, 0x1a);
        }
        const auto name = controller.name;
        device("ich9-usb-ehci1", name, {{"multifunction", true}}, {}, {BusKind::pci, root, {slot, 7}}, {},
               name);
        for (int i = 0; i < 3; ++i) {
            device(fmt::format("ich9-usb-uhci{}", i + 1), fmt::format("{}.{}", name, i),
                   {{"multifunction", true}, {"masterbus", name + ".0"}, {"firstport", 2 * i}}, {},
                   {BusKind::pci, root, {slot, i}}, {name}, name);
        }
        --slot;
    }
    for (const auto& usb : spec.usb_devices) {
        // A bus that only extra arguments make is not known, and QEMU's to judge.
        const bool known = machine.bus(usb.bus) != nullptr;
        Node node;
        node.qid = "usb-" + usb.name;
        node.driver = usb.type;
        node.origin = usb.name;
        node.address = known ? Address{BusKind::usb, usb.bus, {}} : Address{BusKind::usb, {}, {}};
        add(std::move(node));
    }
    for (const auto& serial : spec.serials) {
        if (serial.type.starts_with("usb-")) {
            add_serial(serial);
        }
    }
    for (const auto& input : spec.inputs) {
        const bool is_virtio = input.device.starts_with("virtio-");
        device(is_virtio ? virtio(input.device.substr(0, input.device.rfind('-'))) : input.device,
               "input_" + input.name, {}, {}, {}, {}, input.name);
    }
}

}  // namespace vt::qemu

// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/vm/qemu/build/builder.hpp"

#include "runner/caps/capabilities.hpp"
#include "runner/support/strings.hpp"

#include <array>
#include <charconv>

#include <fmt/core.h>

namespace vt::qemu {

namespace {

int number_of(std::string_view text, int base, std::string_view whole) {
    if (text.starts_with("0x") || text.starts_with("0X")) {
        base = 16;
        text.remove_prefix(2);
    }
    int number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
    if (error != std::errc() || end != text.data() + text.size() || number < 0) {
        throw AddressError(
            fmt::format("\"{}\" is no address on a bus; give a number, or SLOT.FUNCTION for PCI", whole));
    }
    return number;
}

/// The names of an address's numbers among a device's properties, in the order of BusKind's.
std::array<std::string_view, 3> property_names(BusKind kind) {
    switch (kind) {
        case BusKind::scsi:
            return {"channel", "scsi-id", "lun"};
        case BusKind::ide:
        case BusKind::floppy:
            return {"unit"};
        case BusKind::usb:
            return {"port"};
        case BusKind::virtio_serial:
            return {"nr"};
        case BusKind::hda:
            return {"cad"};
        case BusKind::i2c:
            return {"address"};
        case BusKind::nvme:
            return {"nsid"};
        default:
            return {};
    }
}

/// Moves a place that the user wrote among the properties to the node's address; theirs wins over ours.
void take_address(Node& node) {
    if (node.extra.empty() || node.address.kind == BusKind::none) {
        return;
    }
    const auto names = property_names(node.address.kind);
    const bool pci = node.address.kind == BusKind::pci || node.address.kind == BusKind::pcie;
    std::string rest;
    for (const auto& [name, value] : parse_option_text(node.extra)) {
        const auto text = value.text();
        const auto place = std::find(names.begin(), names.end(), name);
        if (name == "bus") {
            node.address.bus = text;
        } else if (pci && name == "addr") {
            node.address.at = parse_pci_address(text);
        } else if (place != names.end() && !name.empty() && text.find('.') == std::string::npos) {
            const auto index = static_cast<std::size_t>(place - names.begin());
            node.address.at.resize(std::max(node.address.at.size(), index + 1), -1);
            node.address.at[index] = number_of(text, 10, text);
        } else {
            rest += fmt::format("{}{}={}", rest.empty() ? "" : ",", name, replace_all(text, ",", ",,"));
        }
    }
    node.extra = rest;
}

}  // namespace

std::vector<int> parse_pci_address(const std::string& text) {
    const auto dot = text.find('.');
    std::vector<int> at{number_of(std::string_view(text).substr(0, dot), 16, text)};
    if (dot != std::string::npos) {
        at.push_back(number_of(std::string_view(text).substr(dot + 1), 16, text));
    } else {
        at.push_back(0);
    }
    return at;
}

std::string tidy(std::string_view properties) {
    while (properties.starts_with(',')) {
        properties.remove_prefix(1);
    }
    while (properties.ends_with(',')) {
        properties.remove_suffix(1);
    }
    return std::string(properties);
}

std::filesystem::path monitor_socket(const std::filesystem::path& instance_dir, const std::string& monitor) {
    return instance_dir / ("monitor-" + monitor);
}

std::filesystem::path serial_socket(const std::filesystem::path& instance_dir, const std::string& serial) {
    return instance_dir / ("serial-" + serial);
}

std::filesystem::path firmware_log(const std::filesystem::path& instance_dir) {
    return instance_dir / "seabios.log";
}

NodePtr Builder::add(Node node) {
    node.extra = tidy(node.extra);
    if (node.form == Form::device) {
        if (node.address.kind == BusKind::none) {
            node.address.kind = bus_kind_of(node.driver, caps);
        }
        take_address(node);
    }
    const Address wish = node.address;
    const auto inserted = machine.insert(std::move(node), caps, moment);
    made.push_back(inserted);
    wishes.push_back(wish);
    return inserted;
}

NodePtr Builder::device(const std::string& driver, const std::string& qid, Props props, std::string extra,
                        Address address, std::vector<std::string> needs, std::string origin) {
    Node node;
    node.qid = qid;
    node.driver = driver;
    node.props = std::move(props);
    const bool is_virtio = (driver.starts_with("virtio-") || driver.starts_with("vhost-")) &&
                           !driver.starts_with("virtio-iommu");
    for (const auto& [name, value] : spec.virtio_properties) {
        if (is_virtio && (!caps.known() || caps.device_property(driver, name))) {
            node.props.set(name, value);
        }
    }
    node.extra = std::move(extra);
    node.address = std::move(address);
    node.needs = std::move(needs);
    node.origin = std::move(origin);
    return add(std::move(node));
}

NodePtr Builder::option(const std::string& name, Props props) {
    Node node;
    node.form = Form::option;
    node.driver = name;
    node.props = std::move(props);
    node.qid = name;
    for (int i = 2; machine.find(node.qid); ++i) {
        node.qid = fmt::format("{}-{}", name, i);
    }
    return add(std::move(node));
}

NodePtr Builder::plain(const std::string& name, const std::string& value) {
    Node node;
    node.form = Form::plain;
    node.driver = name;
    node.qid = name;
    node.props.set_text("", value);
    for (int i = 2; machine.find(node.qid); ++i) {
        node.qid = fmt::format("{}-{}", name, i);
    }
    return add(std::move(node));
}

NodePtr Builder::socket_chardev(const std::string& id, const std::filesystem::path& socket,
                                const std::string& origin) {
    Node node;
    node.form = Form::chardev;
    node.driver = "socket";
    node.qid = id;
    node.origin = origin;
    node.props = {{"path", socket.native()}, {"server", true}, {"wait", false}};
    return add(std::move(node));
}

std::string Builder::virtio(const std::string& base) const {
    if (spec.machine_type.find("s390") != std::string::npos) {
        return base + "-ccw";
    }
    return base + (spec.mmio ? "-device" : "-pci");
}

bool Builder::has_device(const std::string& qid) const {
    const auto found = machine.find(qid);
    return found && found->form == Form::device;
}

/// What QEMU places itself keeps its addresses from ours: a card of -vga, which gets the lowest slot, and
/// devices among the extra arguments.
void Builder::add_extra_params() {
    if (spec.display.vga_legacy && !spec.display.vga.empty() && spec.display.vga != "none" &&
        !spec.defaults) {
        machine.reserve(machine.has_pcie() ? "pcie.0" : "pci.0", {}, "the graphics card of -vga");
    }
    const auto& words = spec.extra_params;
    for (std::size_t i = 0; i + 1 < words.size(); ++i) {
        if (words[i] != "-device" || words[i + 1].starts_with('{')) {
            continue;
        }
        std::string bus = machine.has_pcie() ? "pcie.0" : "pci.0";
        std::string addr;
        for (const auto& [name, value] : parse_option_text(words[i + 1])) {
            if (name == "bus") {
                bus = value.text();
            } else if (name == "addr") {
                addr = value.text();
            }
        }
        if (!addr.empty()) {
            machine.reserve(bus, parse_pci_address(addr), "a device of extra_params");
        }
    }
}

Machine build_machine(const MachineSpec& spec, const Placement& placement, const Capabilities& caps) {
    Machine machine(spec.machine_type, spec.arch, spec.defaults);
    Builder builder(spec, placement, caps, machine);
    builder.add_extra_params();
    builder.add_process();
    builder.add_iommus();
    builder.add_processor();
    builder.add_objects();
    builder.add_numa();
    builder.add_monitors();
    builder.add_pci_controllers();
    builder.add_serials();
    builder.add_video();
    builder.add_usb();
    builder.add_drives();
    builder.add_nics();
    builder.add_small_devices();
    builder.add_extra_devices();
    builder.add_boot();
    for (const auto& node : machine.nodes()) {
        node->state = NodeState::cold;
    }
    return machine;
}

}  // namespace vt::qemu

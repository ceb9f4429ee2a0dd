// SPDX-License-Identifier: GPL-2.0-or-later
// Which device and which machine gives which buses. QEMU cannot be asked for this without making the device.
#include "runner/support/strings.hpp"
#include "runner/vm/qemu/devices/bus.hpp"

#include <algorithm>

#include <fmt/core.h>

namespace vt::qemu {

namespace {

using Buses = std::vector<Bus>;

const Range functions{0, 8};

bool any_of(const std::string& driver, std::initializer_list<std::string_view> names) {
    return std::find(names.begin(), names.end(), driver) != names.end();
}

/// Channel, ids, units. The limits are QEMU's SCSIBusInfo of each adapter.
std::vector<Range> scsi_ranges(const std::string& driver) {
    if (driver.starts_with("virtio-scsi") || driver.starts_with("vhost-scsi")) {
        return {{0, 1}, {0, 256}, {0, 16384}};
    }
    if (driver == "spapr-vscsi") {
        return {{0, 8}, {0, 64}, {0, 32}};
    }
    if (driver.starts_with("megasas")) {
        return {{0, 1}, {0, 128}, {0, 256}};
    }
    if (driver == "pvscsi") {
        return {{0, 1}, {0, 64}, {0, 1}};
    }
    if (driver.starts_with("mptsas")) {
        return {{0, 1}, {0, 8}, {0, 1}};
    }
    if (any_of(driver, {"lsi53c895a", "lsi53c810", "am53c974", "dc390"})) {
        return {{0, 1}, {0, 7}, {0, 1}};  // the adapter itself has the id 7
    }
    return {};
}

/// Ports of a USB controller; none for the companions of an EHCI, whose ports are that one's.
int usb_ports(const std::string& driver, std::optional<int> count) {
    if (any_of(driver, {"qemu-xhci", "nec-usb-xhci"})) {
        return count.value_or(4);
    }
    if (any_of(driver, {"usb-ehci", "ich9-usb-ehci1", "ich9-usb-ehci2"})) {
        return 6;
    }
    if (driver == "pci-ohci") {
        return count.value_or(3);
    }
    return driver.find("uhci") != std::string::npos ? 2 : 0;
}

Buses pci_bridges(const std::string& driver, const std::string& id) {
    if (any_of(driver, {"pcie-root-port", "ioh3420", "xio3130-downstream", "cxl-rp"})) {
        return {Bus(id, BusKind::pcie, id, {{0, 1}, functions}, true)};
    }
    if (driver == "x3130-upstream") {
        return {Bus(id, BusKind::pcie, id, {{0, 32}, functions}, false)};
    }
    if (any_of(driver, {"pci-bridge", "pcie-pci-bridge"})) {
        return {Bus(id, BusKind::pci, id, {{1, 31}, functions}, true)};
    }
    if (driver == "i82801b11-bridge") {
        return {Bus(id, BusKind::pci, id, {{1, 19}, functions}, false)};
    }
    if (driver == "pxb") {
        return {Bus(id, BusKind::pci, id, {{0, 32}, functions}, false)};
    }
    if (driver == "pxb-pcie") {
        return {Bus(id, BusKind::pcie, id, {{0, 32}, functions}, false)};
    }
    return {};
}

}  // namespace

Buses buses_given_by(const std::string& driver, const std::string& id, std::optional<int> count) {
    if (auto bridges = pci_bridges(driver, id); !bridges.empty()) {
        return bridges;
    }
    if (auto ranges = scsi_ranges(driver); !ranges.empty()) {
        return {Bus(id + ".0", BusKind::scsi, id, std::move(ranges), true)};
    }
    if (const int ports = usb_ports(driver, count); ports > 0) {
        return {Bus(id + ".0", BusKind::usb, id, {{1, ports}}, true)};
    }
    if (any_of(driver, {"ahci", "ich9-ahci"})) {
        Buses ports;
        for (int i = 0; i < 6; ++i) {
            ports.emplace_back(fmt::format("{}.{}", id, i), BusKind::ide, id, std::vector<Range>{{0, 1}},
                               false);
        }
        return ports;
    }
    if (driver.starts_with("virtio-serial")) {
        return {Bus(id + ".0", BusKind::virtio_serial, id, {{0, count.value_or(31)}}, true)};
    }
    if (any_of(driver, {"intel-hda", "ich9-intel-hda"})) {
        return {Bus(id + ".0", BusKind::hda, id, {{0, 15}}, false)};
    }
    if (driver == "sdhci-pci") {
        return {Bus("sd-bus", BusKind::sd, id, {{0, 1}}, false)};
    }
    if (driver == "nvme") {
        return {Bus(id, BusKind::nvme, id, {{1, 256}}, true)};
    }
    return {};
}

namespace {

/// QEMU gives its default devices the lowest slots that are free.
void reserve_defaults(Bus& pci, bool defaults) {
    if (defaults) {
        pci.reserve({}, "QEMU's default display");
        pci.reserve({}, "QEMU's default network card");
    }
}

Buses ide_pair() {
    return {Bus("ide.0", BusKind::ide, "", {{0, 2}}, false), Bus("ide.1", BusKind::ide, "", {{0, 2}}, false)};
}

Buses i440fx(bool defaults) {
    Bus pci("pci.0", BusKind::pci, "", {{0, 32}, functions}, true);
    pci.reserve({0, 0}, "the host bridge");
    for (const int function : {0, 1, 2, 3}) {
        pci.reserve({1, function}, "the PIIX3 south bridge");
    }
    reserve_defaults(pci, defaults);
    Buses buses{std::move(pci)};
    for (auto& bus : ide_pair()) {
        buses.push_back(std::move(bus));
    }
    buses.emplace_back("floppy", BusKind::floppy, "", std::vector<Range>{{0, 2}}, false);
    return buses;
}

Buses q35(bool defaults) {
    Bus pcie("pcie.0", BusKind::pcie, "", {{0, 32}, functions}, false);
    pcie.reserve({0, 0}, "the host bridge");
    for (const int function : {0, 2, 3}) {
        pcie.reserve({0x1f, function}, "the ICH9 south bridge");
    }
    reserve_defaults(pcie, defaults);
    Buses buses{std::move(pcie)};
    for (int i = 0; i < 6; ++i) {
        buses.emplace_back(fmt::format("ide.{}", i), BusKind::ide, "", std::vector<Range>{{0, 1}}, false);
    }
    buses.emplace_back("floppy", BusKind::floppy, "", std::vector<Range>{{0, 2}}, false);
    return buses;
}

}  // namespace

Buses buses_of_machine(const std::string& type, const std::string& arch, bool defaults) {
    const auto has = [&](std::string_view text) { return type.find(text) != std::string::npos; };
    if (type == "none" || has("isapc")) {
        return type == "none" ? Buses() : ide_pair();
    }
    if (has("q35")) {
        return q35(defaults);
    }
    if (has("microvm")) {
        return {Bus("virtio-mmio", BusKind::virtio_mmio, "", {{0, 8}}, false)};
    }
    if (has("s390")) {
        return {Bus("virtual-css-bridge", BusKind::ccw, "", {{0, 65536}}, true)};
    }
    if (has("pseries")) {
        Bus pci("pci.0", BusKind::pci, "", {{0, 32}, functions}, true);
        reserve_defaults(pci, defaults);
        return {std::move(pci)};
    }
    if (has("virt") && (arch == "aarch64" || arch == "arm" || arch.starts_with("riscv"))) {
        Bus pcie("pcie.0", BusKind::pcie, "", {{0, 32}, functions}, false);
        pcie.reserve({0, 0}, "the host bridge");
        const int transports = arch.starts_with("riscv") ? 8 : 32;
        return {std::move(pcie), Bus("virtio-mmio", BusKind::virtio_mmio, "", {{0, transports}}, false)};
    }
    if (has("pc") || arch == "x86_64" || arch == "i386" || arch == "i686") {
        return i440fx(defaults);
    }
    return {Bus("pci.0", BusKind::pci, "", {{1, 31}, functions}, true)};
}

}  // namespace vt::qemu

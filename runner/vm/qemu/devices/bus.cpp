// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/vm/qemu/devices/bus.hpp"

#include "runner/caps/capabilities.hpp"
#include "runner/support/strings.hpp"

#include <algorithm>
#include <array>

#include <fmt/core.h>

namespace vt::qemu {

namespace {

struct Kind {
    BusKind kind;
    std::string_view name;
    std::array<std::string_view, 3> numbers;
};

constexpr std::array<Kind, 14> kinds{{{BusKind::none, "no bus", {}},
                                      {BusKind::pci, "PCI", {"slot", "function"}},
                                      {BusKind::pcie, "PCI Express", {"slot", "function"}},
                                      {BusKind::scsi, "SCSI", {"channel", "id", "lun"}},
                                      {BusKind::ide, "IDE", {"unit"}},
                                      {BusKind::usb, "USB", {"port"}},
                                      {BusKind::virtio_serial, "virtio-serial", {"port"}},
                                      {BusKind::hda, "HDA", {"codec"}},
                                      {BusKind::sd, "SD", {"card"}},
                                      {BusKind::floppy, "floppy", {"drive"}},
                                      {BusKind::ccw, "CCW", {"device"}},
                                      {BusKind::virtio_mmio, "virtio-mmio", {"transport"}},
                                      {BusKind::i2c, "I2C", {"address"}},
                                      {BusKind::nvme, "NVMe", {"namespace"}}}};

const Kind& of(BusKind kind) {
    return *std::find_if(kinds.begin(), kinds.end(), [&](const Kind& one) { return one.kind == kind; });
}

bool has_slots(BusKind kind) {
    return kind == BusKind::pci || kind == BusKind::pcie;
}

int wish(const std::vector<int>& wanted, std::size_t index) {
    return index < wanted.size() ? wanted[index] : -1;
}

}  // namespace

std::string_view name_of(BusKind kind) {
    return of(kind).name;
}

std::string text_of(const Address& address) {
    std::string text;
    for (std::size_t i = 0; i < address.at.size(); ++i) {
        text += fmt::format("{}{} {}", i == 0 ? "" : ", ", of(address.kind).numbers.at(i), address.at[i]);
    }
    return text;
}

Bus::Bus(std::string id, BusKind kind, std::string owner, std::vector<Range> ranges, bool hotpluggable)
    : id_(std::move(id)),
      kind_(kind),
      owner_(std::move(owner)),
      ranges_(std::move(ranges)),
      hotpluggable_(hotpluggable),
      qemu_name_(id_) {}

void Bus::part_of(std::string qemu_name, std::string prefix) {
    qemu_name_ = std::move(qemu_name);
    prefix_ = std::move(prefix);
}

bool Bus::is_free(const std::vector<int>& at, bool whole_slot) const {
    if (!whole_slot) {
        return !taken_.contains(at);
    }
    const auto next = taken_.lower_bound({at.front()});
    return next == taken_.end() || next->first.front() != at.front();
}

std::optional<std::vector<int>> Bus::free(const std::vector<int>& wanted) const {
    const bool whole_slot = has_slots(kind_) && wish(wanted, 1) < 0;
    // The number that grows first: a slot, a SCSI id (each disk has the first unit of an id), the only one.
    std::vector<std::size_t> loops;
    if (kind_ == BusKind::scsi) {
        loops = {0, 2, 1};
    } else {
        loops = ranges_.size() == 2 ? std::vector<std::size_t>{1, 0} : std::vector<std::size_t>{0};
    }
    std::vector<int> at(ranges_.size());
    const auto search = [&](const auto& self, std::size_t depth) -> bool {
        if (depth == loops.size()) {
            return is_free(at, whole_slot);
        }
        const auto which = loops[depth];
        const Range& range = ranges_[which];
        const int fixed = wish(wanted, which);
        if (fixed >= 0) {
            at[which] = fixed;
            return fixed >= range.first && fixed < range.first + range.count && self(self, depth + 1);
        }
        // Functions of a slot are only for those who ask for one.
        const int count = has_slots(kind_) && which == 1 ? 1 : range.count;
        for (int i = 0; i < count; ++i) {
            at[which] = range.first + i;
            if (self(self, depth + 1)) {
                return true;
            }
        }
        return false;
    };
    return search(search, 0) ? std::optional(at) : std::nullopt;
}

std::vector<int> Bus::reserve(const std::vector<int>& wanted, const std::string& holder) {
    if (auto at = free(wanted)) {
        taken_[*at] = holder;
        return *at;
    }
    const bool asked = std::any_of(wanted.begin(), wanted.end(), [](int number) { return number >= 0; });
    if (!asked) {
        throw AddressError(fmt::format("the {} bus {} has no room for {}: {} devices are there",
                                       name_of(kind_), id_, holder, taken_.size()));
    }
    const Address address{kind_, id_, wanted};
    for (const auto& taken : taken_) {
        const auto& at = taken.first;
        bool same = true;
        for (std::size_t i = 0; i < at.size(); ++i) {
            same = same && (wish(wanted, i) < 0 || wish(wanted, i) == at[i]);
        }
        if (same) {
            throw AddressError(fmt::format(
                "{} wants {} of the {} bus {}, where {} is; give one of them another address, or none",
                holder, text_of(address), name_of(kind_), id_, taken.second));
        }
    }
    throw AddressError(fmt::format("{} wants {} of the {} bus {}, which has none", holder, text_of(address),
                                   name_of(kind_), id_));
}

void Bus::release(const std::string& holder) {
    std::erase_if(taken_, [&](const auto& one) { return one.second == holder; });
}

std::size_t Bus::room() const {
    std::size_t all = 1;
    for (std::size_t i = 0; i < ranges_.size(); ++i) {
        all *= has_slots(kind_) && i == 1 ? 1 : static_cast<std::size_t>(ranges_[i].count);
    }
    return all - std::min(all, taken_.size());
}

namespace {

/// By the names that QEMU gives its devices, for where no binary can be asked.
BusKind guess(const std::string& driver) {
    const auto begins = [&](std::string_view text) { return driver.starts_with(text); };
    const auto ends = [&](std::string_view text) { return driver.ends_with(text); };
    if (ends("-ccw")) {
        return BusKind::ccw;
    }
    if (driver == "virtconsole" || driver == "virtserialport") {
        return BusKind::virtio_serial;
    }
    if ((begins("virtio-") || begins("vhost-")) && ends("-device")) {
        return BusKind::virtio_mmio;
    }
    if ((begins("virtio-") || begins("vhost-")) && (ends("-pci") || ends("-vga") || ends("-gl")) &&
        !ends("-transitional")) {
        return BusKind::pcie;
    }
    if (driver == "qemu-xhci" || driver == "nec-usb-xhci" || driver == "e1000e" || driver == "igb" ||
        driver == "nvme" || driver == "vfio-pci" || driver == "pcie-pci-bridge" ||
        driver == "pcie-root-port" || driver == "ioh3420" || driver == "megasas-gen2" || driver == "pvscsi" ||
        driver == "vmxnet3" || driver == "bochs-display" || driver == "virtio-vga") {
        return BusKind::pcie;
    }
    if (driver == "scsi-hd" || driver == "scsi-cd" || driver == "scsi-block" || driver == "scsi-generic" ||
        driver == "scsi-disk") {
        return BusKind::scsi;
    }
    if (driver == "ide-hd" || driver == "ide-cd" || driver == "ide-drive") {
        return BusKind::ide;
    }
    if (begins("hda-")) {
        return BusKind::hda;
    }
    if (driver == "sd-card") {
        return BusKind::sd;
    }
    if (driver == "floppy") {
        return BusKind::floppy;
    }
    if (driver == "nvme-ns") {
        return BusKind::nvme;
    }
    if (begins("usb-") && driver != "usb-ehci") {
        return BusKind::usb;
    }
    static const std::array<std::string_view, 17> isa = {
        "isa-",  "pvpanic", "vmcoreinfo", "sb16",    "adlib",   "gus",     "cs4231a", "i8042", "kvm-",
        "spapr", "pc-dimm", "nvdimm",     "tpm-tis", "tpm-crb", "vmgenid", "ib700",   "loader"};
    for (const auto& name : isa) {
        if (begins(name) && driver != "pvpanic-pci" && driver != "spapr-pci-host-bridge") {
            return BusKind::none;
        }
    }
    return ends("-cpu") ? BusKind::none : BusKind::pci;
}

}  // namespace

BusKind bus_kind_of(const std::string& driver, const Capabilities& caps) {
    const auto bus = caps.device_bus(driver);
    if (!bus) {
        return guess(driver);
    }
    if (*bus == "PCI") {
        return caps.is_pcie(driver) ? BusKind::pcie : BusKind::pci;
    }
    static const std::map<std::string_view, BusKind> known = {
        {"SCSI", BusKind::scsi},         {"IDE", BusKind::ide},
        {"usb-bus", BusKind::usb},       {"virtio-serial-bus", BusKind::virtio_serial},
        {"HDA", BusKind::hda},           {"sd-bus", BusKind::sd},
        {"floppy-bus", BusKind::floppy}, {"virtual-css-bus", BusKind::ccw},
        {"i2c-bus", BusKind::i2c},       {"virtio-bus", BusKind::virtio_mmio},
        {"nvme-bus", BusKind::nvme}};
    const auto found = known.find(*bus);
    return found == known.end() ? BusKind::none : found->second;
}

}  // namespace vt::qemu

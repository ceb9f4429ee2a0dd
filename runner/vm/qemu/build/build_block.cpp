// SPDX-License-Identifier: GPL-2.0-or-later
// Disks, CDs and floppies: trees of block nodes, the devices on top, and the controllers that those need.
//
// Node names are Avocado-VT's (drive_NAME over file_NAME, device id NAME), since block tests ask QEMU for
// them.
#include "runner/caps/capabilities.hpp"
#include "runner/support/strings.hpp"
#include "runner/vm/errors.hpp"
#include "runner/vm/qemu/build/builder.hpp"

#include <fmt/core.h>

namespace vt::qemu {

namespace {

/// What `drive_cache` means for the back end and for the device.
struct CacheMode {
    std::optional<bool> direct, no_flush, write_cache;
};

CacheMode cache_mode(const Drive& drive) {
    CacheMode mode;
    if (drive.cache == "none") {
        mode = {true, false, true};
    } else if (drive.cache == "writeback") {
        mode = {false, false, true};
    } else if (drive.cache == "writethrough") {
        mode = {false, false, false};
    } else if (drive.cache == "directsync") {
        mode = {true, false, false};
    } else if (drive.cache == "unsafe") {
        mode = {false, true, true};
    }
    if (drive.aio == "native") {
        mode.direct = true;  // QEMU refuses native AIO without it
    }
    return mode;
}

void set_shared(Props& props, const Drive& drive) {
    const CacheMode cache = cache_mode(drive);
    if (cache.direct) {
        props.set("cache.direct", *cache.direct);
    }
    if (cache.no_flush) {
        props.set("cache.no-flush", *cache.no_flush);
    }
    props.set_text("discard", drive.discard);
    if (drive.readonly) {
        props.set("read-only", true);
    }
}

bool serves(const std::string& type, const std::string& kind) {
    const auto has = [&](const char* text) { return type.find(text) != std::string::npos; };
    return kind == "usb1"   ? has("uhci") || has("ohci")
           : kind == "usb2" ? has("ehci") || has("xhci")
                            : has("xhci");
}

/// The port of the IDE or SATA controller that \p drive gets.
Address ide_address(Builder& builder, const Drive& drive) {
    const bool ahci = drive.bus == DriveBus::ahci || builder.machine.has_pcie();
    const bool own = drive.bus == DriveBus::ahci && !builder.machine.has_pcie();
    if (own && !builder.has_device("ahci0")) {
        builder.device("ahci", "ahci0");
    }
    const std::string prefix = own ? "ahci0." : "ide.";
    const auto at = [&](std::int64_t index) {
        return ahci ? Address{BusKind::ide, prefix + std::to_string(index), {0}}
                    : Address{BusKind::ide, fmt::format("ide.{}", index / 2), {static_cast<int>(index % 2)}};
    };
    const auto is_free = [&](const Address& address) {
        const Bus* bus = builder.machine.bus(address.bus);
        return bus != nullptr && bus->free(address.at);
    };
    // An index that another drive has is given up for the next that is free, as Avocado-VT does.
    if (drive.index && *drive.index >= 0 && is_free(at(*drive.index))) {
        return at(*drive.index);
    }
    const int count = ahci ? 6 : 4;
    for (int i = 0; i < count; ++i) {
        if (is_free(at(i))) {
            return at(i);
        }
    }
    throw VMDeviceError(fmt::format("there is no free {} port left for {}; {} drives are the most",
                                    ahci ? "SATA" : "IDE", drive.name, count));
}

}  // namespace

Address Builder::usb_address(const Drive& drive) {
    for (const auto& controller : spec.usb_controllers) {
        if (serves(controller.type, drive.usb_kind) && machine.bus(controller.name + ".0") != nullptr) {
            return {BusKind::usb, controller.name + ".0", {}};
        }
    }
    const std::string id = "usb_for_" + drive.usb_kind;
    if (!has_device(id)) {
        device(drive.usb_kind == "usb1"   ? "piix3-usb-uhci"
               : drive.usb_kind == "usb2" ? "usb-ehci"
                                          : "qemu-xhci",
               id);
    }
    return {BusKind::usb, id + ".0", {}};
}

/// Where \p drive is to sit; adds the controller that it needs.
Address Builder::drive_address(const Drive& drive) {
    const int unit = static_cast<int>(drive.unit.value_or(-1));
    switch (drive.bus) {
        case DriveBus::virtio_blk: {
            Address address{BusKind::none, drive.pci_bus, {}};
            if (!drive.pci_addr.empty()) {
                address.at = parse_pci_address(drive.pci_addr);
            }
            return address;
        }
        case DriveBus::nvme:
            return {};
        case DriveBus::ide:
        case DriveBus::ahci:
            return ide_address(*this, drive);
        case DriveBus::scsi: {
            const std::string hba =
                drive.scsi_hba == "virtio-scsi-pci" ? virtio("virtio-scsi") : drive.scsi_hba;
            const std::string id = replace_all(drive.scsi_hba, "-", "_") + "0";
            if (!has_device(id)) {
                Props props;
                std::vector<std::string> needs;
                if (const auto thread = hba.starts_with("virtio") ? iothread_for(drive.iothread) : "";
                    !thread.empty()) {
                    props.set("iothread", thread);
                    needs.push_back(thread);
                }
                device(hba, id, std::move(props), {}, {}, std::move(needs));
            }
            return {BusKind::scsi,
                    id + ".0",
                    {-1, static_cast<int>(drive.scsi_id.value_or(-1)),
                     static_cast<int>(drive.lun.value_or(drive.unit.value_or(-1)))}};
        }
        case DriveBus::usb:
            return usb_address(drive);
        case DriveBus::floppy:
            return {BusKind::floppy, {}, {unit}};
        case DriveBus::sd:
            if (!has_device("sdhci0")) {
                device("sdhci-pci", "sdhci0");
            }
            return {BusKind::sd, "sd-bus", {}};
    }
    return {};
}

void Builder::add_block_nodes(const Drive& drive) {
    const auto overlay = placement.overlays.find(drive.name);
    const bool overlaid = overlay != placement.overlays.end();
    const std::string file = overlaid ? overlay->second.native() : drive.file.native();
    const std::string format = overlaid ? "qcow2" : drive.format;
    Node node;
    node.origin = drive.name;
    if (caps.known() && !caps.has_command("blockdev-add")) {
        node.form = Form::drive;
        node.qid = "drive_" + drive.name;
        node.props = {{"if", "none"}, {"format", format}};
        node.props.set_text("cache", drive.cache)
            .set_text("aio", drive.aio)
            .set_text("discard", drive.discard);
        node.props.set_text("detect-zeroes", drive.detect_zeroes);
        if (drive.readonly) {
            node.props.set("readonly", true);
        }
        node.props.set("file", file);
        add(std::move(node));
        return;
    }
    // Each layer is called TYPE_NAME, the uppermost drive_NAME.
    const std::string protocol =
        drive.raw_device && !overlaid ? (drive.cdrom ? "host_cdrom" : "host_device") : "file";
    node.form = Form::blockdev;
    node.driver = protocol;
    node.qid = protocol + "_" + drive.name;
    node.props = {{"filename", file}};
    node.props.set_text("aio", drive.aio);
    set_shared(node.props, drive);
    std::string below = add(std::move(node))->qid;
    const auto layer = [&](const std::string& driver, bool top) {
        Node one;
        one.form = Form::blockdev;
        one.driver = driver;
        one.qid = (top ? "drive" : driver) + "_" + drive.name;
        one.origin = drive.name;
        one.props = {{"file", below}};
        one.needs = {below};
        below = one.qid;
        return one;
    };
    const bool throttled = !drive.throttle_group.empty();
    Node formatted = layer(format, !throttled && !drive.copy_on_read);
    set_shared(formatted.props, drive);
    formatted.props.set_text("detect-zeroes", drive.detect_zeroes);
    add(std::move(formatted));
    if (drive.copy_on_read) {
        add(layer("copy-on-read", !throttled));
    }
    if (throttled) {
        Node limited = layer("throttle", true);
        limited.props.set("throttle-group", drive.throttle_group);
        limited.needs.push_back(drive.throttle_group);
        add(std::move(limited));
    }
}

std::string Builder::iothread_for(const std::string& wish) {
    if (wish.empty()) {
        return {};
    }
    std::string name = wish;
    if (wish == "auto" || wish == "AUTO") {
        const auto& threads = spec.iothreads;
        name = threads.empty() ? fmt::format("iothread{}", iothreads_used_)
                               : threads[iothreads_used_ % threads.size()].name;
        ++iothreads_used_;
    }
    if (!machine.find(name)) {
        Node thread;
        thread.form = Form::object;
        thread.driver = "iothread";
        thread.qid = name;
        add(std::move(thread));
    }
    return name;
}

void Builder::add_drive(const Drive& drive) {
    Address address = drive_address(drive);
    if (!drive.file.empty()) {
        add_block_nodes(drive);
    }
    Props props;
    std::vector<std::string> needs;
    if (!drive.file.empty()) {
        needs = {"drive_" + drive.name};
        props.set("drive", needs.front());
    }
    if (drive.boot_index) {
        props.set("bootindex", *drive.boot_index);
    }
    props.set_text("serial", drive.serial);
    const bool simple =
        drive.bus == DriveBus::floppy || drive.bus == DriveBus::sd || drive.bus == DriveBus::nvme;
    const bool passed_through = drive.device == "scsi-block" || drive.device == "scsi-generic";
    if (!drive.file.empty() && !drive.cdrom && !simple && !passed_through) {
        if (const auto write_cache = cache_mode(drive).write_cache) {
            props.set("write-cache", *write_cache ? "on" : "off");
        }
    }
    // A USB stick's disk takes error policies since QEMU 6; a CD of SCSI or IDE does too.
    if (!simple && drive.device != "scsi-generic") {
        props.set_text("rerror", drive.rerror).set_text("werror", drive.werror);
    }
    if (const auto thread = drive.bus == DriveBus::virtio_blk ? iothread_for(drive.iothread) : "";
        !thread.empty()) {
        props.set("iothread", thread);
        needs.push_back(thread);
    }
    const std::string driver = drive.device == "virtio-blk-pci" ? virtio("virtio-blk") : drive.device;
    device(driver, drive.name, std::move(props), drive.device_properties, std::move(address),
           std::move(needs), drive.name);
}

void Builder::add_drives() {
    for (const auto& drive : spec.drives) {
        add_drive(drive);
    }
}

}  // namespace vt::qemu

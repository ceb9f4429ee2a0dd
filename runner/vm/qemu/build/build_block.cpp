// SPDX-License-Identifier: GPL-2.0-or-later
// Disks, CDs and floppies: trees of block nodes, the devices on top, and the controllers that those need.
//
// Node names are Avocado-VT's (drive_NAME over file_NAME, device id NAME), since block tests ask QEMU for
// them.
#include "runner/caps/capabilities.hpp"
#include "runner/support/strings.hpp"
#include "runner/vm/errors.hpp"
#include "runner/vm/qemu/build/builder.hpp"
#include "runner/vm/qemu/build/companion.hpp"

#include <algorithm>
#include <initializer_list>

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

/// Options with dots as objects and lists within each other; QEMU takes what is nested as text.
Value nested(const std::vector<std::pair<std::string, std::string>>& options) {
    std::vector<std::pair<std::string, std::vector<std::pair<std::string, std::string>>>> groups;
    for (const auto& [name, value] : options) {
        const auto dot = name.find('.');
        const auto head = name.substr(0, dot);
        if (groups.empty() || groups.back().first != head) {
            groups.push_back({head, {}});
        }
        groups.back().second.emplace_back(dot == std::string::npos ? "" : name.substr(dot + 1), value);
    }
    Value::Dict dict;
    Value::List list;
    for (const auto& [head, members] : groups) {
        Value value = members.front().first.empty() ? Value(members.front().second) : nested(members);
        if (!head.empty() && head.find_first_not_of("0123456789") == std::string::npos) {
            list.push_back(std::move(value));
        } else {
            dict.emplace_back(head, std::move(value));
        }
    }
    return list.empty() ? Value(std::move(dict)) : Value(std::move(list));
}

Props nested_props(const std::vector<std::pair<std::string, std::string>>& options) {
    Props props;
    const Value all = nested(options);
    for (const auto& [name, value] : *all.dict()) {
        props.set(name, value);
    }
    return props;
}

/// What `drv_extra_params` says of block nodes, but for what the other layer takes. Old words of -drive are
/// translated.
std::string block_extra(const Drive& drive, std::initializer_list<std::string_view> others) {
    std::string text;
    for (const auto& [name, value] : parse_option_text(tidy(drive.block_properties))) {
        if (std::find(others.begin(), others.end(), name) != others.end()) {
            continue;
        }
        auto word = value.text();
        if (name == "discard") {
            word = word == "on" ? "unmap" : word == "off" ? "ignore" : word;
        }
        text += fmt::format("{}{}={}", text.empty() ? "" : ",", name, replace_all(word, ",", ",,"));
    }
    return text;
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
    if (drive.bus_number) {  // ide: the bus of its two units; AHCI: the port
        return ahci ? at(*drive.bus_number) : at(2 * *drive.bus_number + drive.unit.value_or(0));
    }
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

/// The host adapter that `drive_bus` numbers, else the first of its kind with room, else a new one.
Address Builder::scsi_address(const Drive& drive) {
    const std::string hba = drive.scsi_hba == "virtio-scsi-pci" ? virtio("virtio-scsi") : drive.scsi_hba;
    const std::vector<int> at{-1, static_cast<int>(drive.unit.value_or(-1)),
                              static_cast<int>(drive.port.value_or(-1))};
    const auto id_of = [&](std::int64_t number) {
        return fmt::format("{}{}", replace_all(drive.scsi_hba, "-", "_"), number);
    };
    std::int64_t number = drive.bus_number.value_or(0);
    while (!drive.bus_number && has_device(id_of(number)) && machine.bus(id_of(number) + ".0")->room() == 0) {
        ++number;
    }
    for (std::int64_t missing = 0; missing <= number; ++missing) {
        const auto id = id_of(missing);
        if (has_device(id)) {
            continue;
        }
        Props props;
        std::vector<std::string> needs;
        if (const auto thread = hba.starts_with("virtio") ? iothread_for(drive.iothread) : "";
            !thread.empty()) {
            props.set("iothread", thread);
            needs.push_back(thread);
        }
        if (hba.starts_with("virtio")) {
            props.set_text("num_queues", drive.num_queues);
        }
        device(hba, id, std::move(props), drive.bus_properties, {}, std::move(needs));
    }
    return {BusKind::scsi, id_of(number) + ".0", at};
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
        case DriveBus::vhost_user_blk:
            return {BusKind::none, drive.pci_bus, {}};
        case DriveBus::ide:
        case DriveBus::ahci:
            return ide_address(*this, drive);
        case DriveBus::scsi:
            return scsi_address(drive);
        case DriveBus::usb:
            return usb_address(drive);
        case DriveBus::floppy:
            // Q35 machines have no floppy controller of their own.
            if (spec.q35() && !has_device("fdc0")) {
                device("isa-fdc", "fdc0");
            }
            return {BusKind::floppy, {}, {unit}};
        case DriveBus::sd:
            if (!has_device("sdhci0")) {
                device("sdhci-pci", "sdhci0");
            }
            return {BusKind::sd, "sd-bus", {}};
    }
    return {};
}

void write_secrets(const Drive& drive, const std::filesystem::path& instance_dir) {
    for (const auto& secret : drive.image.all_secrets()) {
        write_secret(secret, instance_dir);
    }
}

/// Keys and passwords that \p image is opened with; QEMU reads them from files.
std::vector<std::string> Builder::add_secrets(const ImageRef& image) {
    std::vector<std::string> ids;
    const auto object = [&](const std::string& type, const std::string& id, Props props) {
        ids.push_back(id);
        if (machine.find(id)) {
            return;  // a lower image that two have in common
        }
        Node node;
        node.form = Form::object;
        node.driver = type;
        node.qid = id;
        node.origin = image.name;
        node.props = std::move(props);
        add(std::move(node));
    };
    for (const auto& secret : image.all_secrets()) {
        Props props{{"file", secret.file_in(placement.instance_dir).native()}};
        if (secret.base64) {
            props.set("format", "base64");
        }
        object("secret", secret.id, std::move(props));
    }
    for (const auto& credentials : image.all_tls()) {
        object("tls-creds-x509", credentials.id, {{"endpoint", "client"}, {"dir", credentials.dir.native()}});
    }
    return ids;
}

/// For a binary without -blockdev.
void Builder::add_old_drive(const Drive& drive, const std::string& file, const std::string& format) {
    Node node;
    node.origin = drive.name;
    node.form = Form::drive;
    node.qid = "drive_" + drive.name;
    node.props = {{"if", "none"}, {"format", format}};
    node.props.set_text("cache", drive.cache).set_text("aio", drive.aio).set_text("discard", drive.discard);
    node.props.set_text("detect-zeroes", drive.detect_zeroes);
    node.needs = add_secrets(drive.image);
    if (const auto& encryption = drive.image.encryption; encryption && file == drive.file) {
        if (format == "qcow2") {
            node.props.set("encrypt.format", "luks");
        }
        node.props.set(format == "luks" ? "key-secret" : "encrypt.key-secret", encryption->key.id);
    }
    if (drive.readonly) {
        node.props.set("readonly", true);
    }
    if (!file.empty()) {
        node.props.set("file", file);
    } else {
        node.props.set("file.driver", drive.image.driver);
        for (const auto& [name, value] : drive.image.options) {
            node.props.set("file." + name, value);
        }
    }
    add(std::move(node));
}

/// The node that reaches the bytes. Each layer is called TYPE_NAME, the uppermost drive_NAME.
Node Builder::protocol_node(const Drive& drive, const std::string& overlay) const {
    const ImageRef& image = drive.image;
    Node node;
    node.origin = drive.name;
    node.form = Form::blockdev;
    node.driver = overlay.empty() ? image.driver : "file";
    node.qid = node.driver + "_" + drive.name;
    if (!overlay.empty()) {
        node.props = {{"filename", overlay}};
    } else if (image.own_server) {
        node.props = {
            {"server", Value::Dict{{"type", "unix"},
                                   {"path", nbd_socket(placement.instance_dir, image.name).native()}}}};
    } else if (image.local()) {
        node.props = {{"filename", image.file.native()}};
    } else {
        node.props = nested_props(image.options);
    }
    if (!overlay.empty() || (image.local() && !image.own_server)) {
        node.props.set_text("aio", drive.aio);
    }
    node.props.set_text("auto-read-only", drive.auto_readonly);
    set_shared(node.props, drive);
    node.extra = block_extra(drive, {"cache-size", "detect-zeroes"});
    return node;
}

/// What the format on top of it must know.
Node Builder::format_node(const Drive& drive, const std::string& format, bool overlaid) const {
    const ImageRef& image = drive.image;
    Node node;
    node.origin = drive.name;
    node.form = Form::blockdev;
    node.driver = format;
    set_shared(node.props, drive);
    node.props.set_text("detect-zeroes", drive.detect_zeroes);
    node.extra = block_extra(drive, {"pr-manager"});
    if (overlaid) {
        return node;
    }
    if (image.encryption && format == "luks") {
        node.props.set("key-secret", image.encryption->key.id);
    } else if (image.encryption) {
        node.props.set("encrypt", Value::Dict{{"format", "luks"}, {"key-secret", image.encryption->key.id}});
    }
    if (!image.data_file.empty()) {
        node.props.set("data-file", Value::Dict{{"driver", "file"}, {"filename", image.data_file.native()}});
    }
    node.props.set_text("offset", image.slice_offset).set_text("size", image.slice_size);
    return node;
}

void Builder::add_block_nodes(const Drive& drive) {
    const auto found = placement.overlays.find(drive.name);
    const std::string overlay = found != placement.overlays.end() ? found->second.native() : "";
    const std::string format = !overlay.empty() ? "qcow2" : drive.format;
    if (caps.known() && !caps.has_command("blockdev-add")) {
        add_old_drive(drive, !overlay.empty() ? overlay : drive.file.native(), format);
        return;
    }
    const auto secrets = add_secrets(drive.image);
    Node protocol = protocol_node(drive, overlay);
    protocol.needs = secrets;
    std::string below = add(std::move(protocol))->qid;
    const auto on_top = [&](Node node, bool top, const char* child = "file") {
        node.form = Form::blockdev;
        node.qid = (top ? "drive" : node.driver) + "_" + drive.name;
        node.origin = drive.name;
        node.props.set(child, below);
        node.needs.push_back(below);
        below = add(std::move(node))->qid;
    };
    const auto filter = [](const char* driver) {
        Node node;
        node.driver = driver;
        return node;
    };
    if (!drive.blkdebug.empty()) {
        Node rules = filter("blkdebug");
        rules.props.set("config", drive.blkdebug);
        on_top(std::move(rules), false, "image");
    }
    const bool throttled = !drive.throttle_group.empty();
    Node formatted = format_node(drive, format, !overlay.empty());
    formatted.needs = secrets;
    on_top(std::move(formatted), !throttled && !drive.copy_on_read);
    if (drive.copy_on_read) {
        on_top(filter("copy-on-read"), !throttled);
    }
    if (throttled) {
        Node limited = filter("throttle");
        limited.props.set("throttle-group", drive.throttle_group);
        limited.needs.push_back(drive.throttle_group);
        on_top(std::move(limited), true);
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

/// Properties of the device in front of the block nodes.
Props Builder::drive_props(const Drive& drive) const {
    Props props;
    if (drive.boot_index) {
        props.set("bootindex", *drive.boot_index);
    }
    props.set_text("serial", drive.serial);
    const bool simple =
        drive.bus == DriveBus::floppy || drive.bus == DriveBus::sd || drive.bus == DriveBus::nvme;
    const bool passed_through = drive.device == "scsi-block" || drive.device == "scsi-generic";
    if (drive.has_medium() && !drive.cdrom && !simple && !passed_through) {
        if (const auto write_cache = cache_mode(drive).write_cache) {
            props.set("write-cache", *write_cache ? "on" : "off");
        }
    }
    // A USB stick's disk takes error policies since QEMU 6; a CD of SCSI or IDE does too.
    if (!simple && drive.device != "scsi-generic") {
        props.set_text("rerror", drive.rerror).set_text("werror", drive.werror);
    }
    if (drive.bus == DriveBus::usb || drive.device.starts_with("scsi-hd")) {
        props.set_text("removable", drive.removable == "yes"  ? "on"
                                    : drive.removable == "no" ? "off"
                                                              : drive.removable);
    }
    if (drive.bus == DriveBus::virtio_blk) {
        props.set_text("num-queues", drive.num_queues);
    }
    props.set_text("min_io_size", drive.min_io_size)
        .set_text("opt_io_size", drive.opt_io_size)
        .set_text("physical_block_size", drive.physical_block_size)
        .set_text("logical_block_size", drive.logical_block_size);
    return props;
}

/// A disk that another process serves; QEMU sees no blocks of it.
void Builder::add_served_drive(const Drive& drive) {
    const auto socket = companion_socket(placement.instance_dir, "storage-" + drive.name);
    const auto chardev = client_chardev("char_" + drive.name, socket, drive.name);
    Props props{{"chardev", chardev->qid}};
    props.set_text("num-queues", drive.num_queues);
    if (drive.boot_index) {
        props.set("bootindex", *drive.boot_index);
    }
    device(virtio("vhost-user-blk"), drive.name, std::move(props), drive.device_properties,
           drive_address(drive), {chardev->qid}, drive.name);
}

void Builder::add_drive(const Drive& drive) {
    if (drive.bus == DriveBus::vhost_user_blk) {
        add_served_drive(drive);
        return;
    }
    Address address = drive_address(drive);
    Props props;
    std::vector<std::string> needs;
    if (drive.has_medium()) {
        add_block_nodes(drive);
        needs = {"drive_" + drive.name};
        props.set("drive", needs.front());
    }
    for (const auto& [name, value] : drive_props(drive)) {
        props.set(name, value);
    }
    const bool queues = drive.bus == DriveBus::virtio_blk && !drive.queue_threads.empty();
    if (const auto thread = drive.bus == DriveBus::virtio_blk && !queues ? iothread_for(drive.iothread) : "";
        !thread.empty()) {
        props.set("iothread", thread);
        needs.push_back(thread);
    }
    if (queues) {
        Value::List mapping;
        for (const auto& [wish, served] : drive.queue_threads) {
            const auto thread = iothread_for(wish);
            Value::Dict entry{{"iothread", thread}};
            if (!served.empty()) {
                entry.emplace_back("vqs", Value::List(served.begin(), served.end()));
            }
            mapping.emplace_back(std::move(entry));
            needs.push_back(thread);
        }
        props.set("iothread-vq-mapping", std::move(mapping));
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

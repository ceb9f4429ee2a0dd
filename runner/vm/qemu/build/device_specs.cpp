// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/support/strings.hpp"
#include "runner/vm/errors.hpp"
#include "runner/vm/qemu/build/machine_spec.hpp"

#include <fmt/core.h>

namespace vt::qemu {

namespace {

bool yes(const Params& params, std::string_view key, std::string_view fallback = "no") {
    return params.get(key, fallback) == "yes";
}

std::optional<std::int64_t> optional_number(const Params& params, std::string_view key) {
    if (params.get(key).empty()) {
        return std::nullopt;
    }
    return params.get_numeric(key);
}

/// What `drive_format` stands for: bus and device. Takes QEMU's device names, Avocado-VT's short ones and the
/// names of its bus variants.
void set_bus(Drive& drive, const std::string& format, const Params& params) {
    const auto device = [&](DriveBus bus, std::string disk, std::string cd) {
        drive.bus = bus;
        drive.device = drive.cdrom ? std::move(cd) : std::move(disk);
    };
    const auto scsi = [&](const std::string& hba, const std::string& disk) {
        device(DriveBus::scsi, disk, "scsi-cd");
        drive.scsi_hba = params.get("scsi_hba", hba);
    };
    if (format == "virtio" || format == "virtio_blk" || format.starts_with("virtio-blk")) {
        device(DriveBus::virtio_blk, "virtio-blk-pci", "virtio-blk-pci");
    } else if (format == "ide" || format == "ide-hd" || format == "ide-cd") {
        device(DriveBus::ide, "ide-hd", "ide-cd");
    } else if (format == "ahci") {
        device(DriveBus::ahci, "ide-hd", "ide-cd");
    } else if (format == "virtio_scsi" || format == "scsi-hd" || format == "scsi-cd" ||
               format == "scsi-disk") {
        scsi("virtio-scsi-pci", "scsi-hd");
    } else if (format == "scsi-block" || format == "scsi-generic") {
        scsi("virtio-scsi-pci", format);
    } else if (format == "scsi" || format == "lsi_scsi") {
        scsi("lsi53c895a", "scsi-hd");
    } else if (format == "spapr_vscsi") {
        scsi("spapr-vscsi", "scsi-hd");
    } else if (format == "usb1" || format == "usb2" || format == "usb3" || format == "usb-storage") {
        device(DriveBus::usb, "usb-storage", "usb-storage");
        drive.usb_kind = format == "usb-storage" ? "usb2" : format;
    } else if (format == "nvme") {
        device(DriveBus::nvme, "nvme", "nvme");
    } else if (format == "floppy") {
        device(DriveBus::floppy, "floppy", "floppy");
    } else if (format == "sd") {
        device(DriveBus::sd, "sd-card", "sd-card");
    } else if (format == "megasas" || format == "megasas-gen2" || format == "pvscsi" ||
               format == "mptsas1068" || format == "lsi53c895a") {
        scsi(format, "scsi-hd");
    } else {
        throw VMDeviceNotSupportedError(
            fmt::format("drive_format \"{}\" of {} is not known; known are virtio, ide, ahci, scsi-hd, "
                        "scsi-cd, scsi, usb1, usb2, "
                        "usb3, floppy and sd",
                        format, drive.name));
    }
}

/// "thread0:0,2 thread1:1" or threads alone.
std::vector<std::pair<std::string, std::vector<std::int64_t>>> queue_threads(const Params& view,
                                                                             const std::string& drive) {
    std::vector<std::pair<std::string, std::vector<std::int64_t>>> mapping;
    const auto text = view.get("image_iothread_vq_mapping");
    for (const auto& word : split_words(text)) {
        const auto colon = word.find(':');
        std::vector<std::int64_t> queues;
        for (const auto& queue : split(colon == std::string::npos ? "" : word.substr(colon + 1), ',')) {
            if (queue.empty()) {
                continue;
            }
            if (queue.size() > 5 || queue.find_first_not_of("0123456789") != std::string::npos) {
                throw BadParam("image_iothread_vq_mapping_" + drive, text,
                               "threads with their queues, t0:0,2 t1:1");
            }
            queues.push_back(std::stoll(queue));
        }
        mapping.emplace_back(word.substr(0, colon), std::move(queues));
    }
    return mapping;
}

void check_choice(const Drive& drive, const std::string& value, const char* key, const char* choices) {
    if (!value.empty() && std::string_view(choices).find(" " + value + " ") == std::string_view::npos) {
        throw BadParam(fmt::format("{}_{}", key, drive.name), value, "one of" + std::string(choices));
    }
}

void read_common(Drive& drive, const Params& view) {
    drive.cache = view.get("drive_cache");
    drive.aio = view.get("image_aio");
    drive.rerror = view.get("drive_rerror");
    drive.werror = view.get("drive_werror");
    drive.serial = view.get("drive_serial");
    drive.auto_readonly = view.get("image_auto_readonly");
    drive.removable = view.get("removable");
    drive.min_io_size = view.get("min_io_size");
    drive.opt_io_size = view.get("opt_io_size");
    drive.physical_block_size = view.get("physical_block_size");
    drive.logical_block_size = view.get("logical_block_size");
    drive.blkdebug = view.get("drive_blkdebug");
    drive.num_queues = view.get("num_queues");
    drive.bus_properties = view.get("bus_extra_params");
    drive.block_properties = view.get("drv_extra_params");
    drive.index = optional_number(view, "drive_index");
    drive.boot_index = optional_number(view, "bootindex");
    drive.device_properties = view.get("blk_extra_params");
    drive.iothread = view.get("image_iothread");
    drive.queue_threads = queue_threads(view, drive.name);
    drive.throttle_group = view.get("image_throttle_group");
    drive.copy_on_read = view.get_boolean("image_copy_on_read");
    drive.pci_bus = view.get("pci_bus") == "pci.0" ? "" : view.get("pci_bus");
    drive.pci_addr = view.get("drive_pci_addr");
    drive.bus_number = optional_number(view, "drive_bus");
    drive.unit = optional_number(view, "drive_unit");
    drive.port = optional_number(view, "drive_port");
    if (const auto id = optional_number(view, "drive_scsiid")) {
        drive.unit = id;
    }
    if (const auto lun = optional_number(view, "drive_lun")) {
        drive.port = lun;
    }
    check_choice(drive, drive.cache, "drive_cache", " none writeback writethrough directsync unsafe ");
    check_choice(drive, drive.aio, "image_aio", " threads native io_uring ");
    if (const auto forced = view.get("force_drive_format"); !forced.empty()) {
        drive.device = forced;
    }
}

Drive disk_from_params(const Params& view, const std::string& name, const std::filesystem::path& data_dir) {
    Drive drive;
    drive.name = name;
    drive.readonly = yes(view, "image_readonly");
    drive.snapshot = yes(view, "image_snapshot");
    drive.image = ImageRef::from_params(view, name, data_dir);
    drive.file = drive.image.file;
    drive.format = drive.image.format;
    if (drive.image.driver.starts_with("http") || drive.image.driver.starts_with("ftp")) {
        drive.readonly = true;  // QEMU only reads what lies there
    }
    drive.discard = view.get("image_discard");
    drive.detect_zeroes = view.get("image_detect_zeroes");
    set_bus(drive, view.get("drive_format", "ide"), view);
    read_common(drive, view);
    if (view.get("storage_type") == "vhost-user-blk") {
        drive.bus = DriveBus::vhost_user_blk;
        drive.device = "vhost-user-blk-pci";
    }
    return drive;
}

std::optional<Drive> cd_from_params(const Params& view, const std::string& name,
                                    const std::filesystem::path& data_dir) {
    const auto iso = view.get("cdrom");
    bool remote = false;
    for (const char* storage : {"nbd", "iscsi", "ssh", "curl", "nvme", "gluster", "ceph"}) {
        remote = remote || yes(view, std::string("enable_") + storage);
    }
    if (iso.empty() && !remote && !yes(view, "cdrom_without_file")) {
        return std::nullopt;
    }
    Drive drive;
    drive.name = name;
    drive.cdrom = true;
    drive.readonly = true;
    drive.format = "raw";
    if (!iso.empty() || remote) {
        Params disc = view;
        disc.set("image_raw_device", "yes");
        disc.set("image_format", "raw");
        disc.set("images_base_dir", data_dir.native());
        if (!iso.empty()) {
            disc.set("image_name", iso);
        }
        drive.image = ImageRef::from_params(disc, name, data_dir);
        drive.file = drive.image.file;
        if (drive.image.driver == "host_device") {
            drive.image.driver = "host_cdrom";
        }
    }
    set_bus(drive, view.get("cd_format", view.get("drive_format", "ide")), view);
    read_common(drive, view);
    return drive;
}

/// A diskette of `floppies`; its file is `floppy_name`.
Drive floppy_from_params(const Params& all, const std::string& name, const std::filesystem::path& data_dir) {
    Params view = all;
    view.set("image_raw_device", "yes");
    view.set("image_name", view.get("floppy_name"));
    view.set("image_format", "raw");
    view.set("images_base_dir", data_dir.native());
    Drive drive;
    drive.name = name;
    drive.format = "raw";
    drive.readonly = yes(view, "floppy_readonly");
    if (!view.get("floppy_name").empty()) {
        drive.image = ImageRef::from_params(view, name, data_dir);
        drive.file = drive.image.file;
    }
    set_bus(drive, "floppy", view);
    read_common(drive, view);
    drive.boot_index.reset();
    drive.index.reset();
    return drive;
}

std::uint16_t port_number(const Params& view, const std::string& key) {
    const auto number = view.get_numeric(key);
    if (number < 1 || number > 65535) {
        throw BadParam(key, view.get(key), "a port from 1 to 65535");
    }
    return static_cast<std::uint16_t>(number);
}

/// The forwarded ports: those of `redirs`, and the shell's where no redirection names it, since nobody could
/// log in.
std::map<std::string, std::uint16_t> redirs_from_params(const Params& view, bool with_shell) {
    std::map<std::string, std::uint16_t> redirs;
    for (const auto& name : view.objects("redirs")) {
        redirs[name] = port_number(view.object_params(name), "guest_port");
    }
    for (const char* key : {"shell_port", "file_transfer_port"}) {
        if (!with_shell || view.get(key).empty()) {
            continue;
        }
        const auto port = port_number(view, key);
        const bool named =
            std::any_of(redirs.begin(), redirs.end(), [&](const auto& r) { return r.second == port; });
        if (!named) {
            redirs[key] = port;
        }
    }
    return redirs;
}

std::string nic_model(const Params& view) {
    auto model = view.get("nic_model", "rtl8139");
    if (model == "virtio" || model == "virtio_net") {
        return "virtio-net-pci";
    }
    return model;
}

Nic nic_from_params(const Params& view, const std::string& name, bool first) {
    Nic nic;
    nic.name = name;
    nic.model = nic_model(view);
    nic.mac = view.get("mac");
    nic.netdst = view.get("netdst", "virbr0");
    auto type = view.get("nettype");
    if (type.empty()) {
        // The document's older name.
        const auto mode = view.get("nic_mode", "user");
        type = mode == "tap" ? "bridge" : mode;
        nic.netdst = view.get("bridge", nic.netdst);
    }
    if (type == "user") {
        nic.backend = Nic::Backend::user;
    } else if (type == "bridge" || type == "network") {
        nic.backend = Nic::Backend::bridge;
        nic.network = type == "network";
    } else if (type == "macvtap") {
        nic.backend = Nic::Backend::macvtap;
    } else if (type == "vhost-user" || type == "vhostuser") {
        nic.backend = Nic::Backend::vhost_user;
    } else if (type == "none") {
        nic.backend = Nic::Backend::none;
    } else {
        throw VMUnknownNetTypeError(fmt::format(
            "nettype \"{}\" of {} is not supported; use user, bridge, network, macvtap or vhost-user", type,
            name));
    }
    nic.redirs = redirs_from_params(view, first);
    nic.queues = optional_number(view, "queues");
    nic.boot_index = optional_number(view, "bootindex");
    nic.tftp = view.get("tftp");
    nic.bootfile = view.get("bootp");
    nic.romfile = view.get("romfile");
    nic.vhost = view.get("vhost");
    nic.vhostforce = view.get("vhostforce");
    nic.mq = view.get("mq");
    nic.ctrl_mac_addr = view.get("ctrl_mac_addr");
    nic.failover = view.get("failover");
    nic.watched = view.get("run_tcpdump", "yes") == "yes";
    nic.device_properties = view.get("nic_extra_params");
    nic.pci_bus = view.get("pci_bus") == "pci.0" ? "" : view.get("pci_bus");
    nic.pci_addr = view.get("nic_pci_addr");
    nic.netdev_properties = view.get("netdev_extra_params");
    return nic;
}

}  // namespace

std::vector<Drive> drives_from_params(const Params& params, const std::filesystem::path& data_dir) {
    std::vector<Drive> drives;
    // A kernel given directly is what boots first.
    std::int64_t next_boot_index = params.get("kernel").empty() ? 0 : 1;
    const auto add = [&](Drive drive, const Params& view) {
        if (const auto boot = view.get("image_boot"); boot == "yes" || boot == "on") {
            drive.boot_index = drive.boot_index.value_or(next_boot_index);
            ++next_boot_index;
        }
        drives.push_back(std::move(drive));
    };
    for (const auto& name : params.objects("images")) {
        const Params view = params.object_params(name);
        if (view.get("boot_drive") != "no") {
            add(disk_from_params(view, name, data_dir), view);
        }
    }
    for (const auto& name : params.objects("cdroms")) {
        const Params view = params.object_params(name);
        if (view.get("boot_drive") == "no") {
            continue;
        }
        if (auto drive = cd_from_params(view, name, data_dir)) {
            add(std::move(*drive), view);
        }
    }
    for (const auto& name : params.objects("floppies")) {
        drives.push_back(floppy_from_params(params.object_params(name), name, data_dir));
    }
    return drives;
}

std::vector<Nic> nics_from_params(const Params& params) {
    std::vector<Nic> nics;
    for (const auto& name : params.objects("nics")) {
        const Params view = params.object_params(name);
        if (view.get("nic_model") == "none" || view.get("nettype") == "none") {
            continue;
        }
        // `redirs` of the VM belongs to its first NIC; another one forwards what redirs_NIC says.
        const bool first = nics.empty();
        const bool own = params.contains("redirs_" + name);
        Nic nic = nic_from_params(view, name, first);
        if (!first && !own) {
            nic.redirs.clear();
        }
        nics.push_back(std::move(nic));
    }
    return nics;
}

}  // namespace vt::qemu

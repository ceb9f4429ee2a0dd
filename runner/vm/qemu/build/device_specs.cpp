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
    } else {
        throw VMDeviceNotSupportedError(
            fmt::format("drive_format \"{}\" of {} is not known; known are virtio, ide, ahci, scsi-hd, "
                        "scsi-cd, scsi, usb1, usb2, "
                        "usb3, floppy and sd",
                        format, drive.name));
    }
}

void read_common(Drive& drive, const Params& view) {
    drive.cache = view.get("drive_cache");
    drive.aio = view.get("image_aio");
    drive.rerror = view.get("drive_rerror");
    drive.werror = view.get("drive_werror");
    drive.serial = view.get("drive_serial");
    drive.index = optional_number(view, "drive_index");
    drive.boot_index = optional_number(view, "bootindex");
    drive.device_properties = view.get("blk_extra_params");
    drive.iothread = view.get("image_iothread");
    drive.throttle_group = view.get("image_throttle_group");
    drive.copy_on_read = view.get_boolean("image_copy_on_read");
    drive.pci_bus = view.get("pci_bus") == "pci.0" ? "" : view.get("pci_bus");
    drive.pci_addr = view.get("drive_pci_addr");
    drive.unit = optional_number(view, "drive_unit");
    drive.scsi_id = optional_number(view, "drive_scsiid");
    drive.lun = optional_number(view, "drive_lun");
    for (const auto& [value, key, choices] :
         {std::tuple{drive.cache, "drive_cache", " none writeback writethrough directsync unsafe "},
          std::tuple{drive.aio, "image_aio", " threads native io_uring "}}) {
        if (!value.empty() && std::string_view(choices).find(" " + value + " ") == std::string_view::npos) {
            throw BadParam(fmt::format("{}_{}", key, drive.name), value, "one of" + std::string(choices));
        }
    }
}

Drive disk_from_params(const Params& view, const std::string& name, const std::filesystem::path& data_dir) {
    Drive drive;
    drive.name = name;
    drive.readonly = yes(view, "image_readonly");
    drive.snapshot = yes(view, "image_snapshot");
    drive.raw_device = yes(view, "image_raw_device");
    drive.format = drive.raw_device ? "raw" : view.get("image_format", "qcow2");
    const std::string base = view.get("images_base_dir", data_dir.native());
    const std::string image = view.at("image_name");
    if (image.empty()) {
        throw BadParam("image_name_" + name, image,
                       "the name of an image file, without the format at its end");
    }
    // With a suffix the format names the file; a device node is named as it stands.
    drive.file = std::filesystem::path(base) / (drive.raw_device ? image : image + "." + drive.format);
    drive.discard = view.get("image_discard");
    drive.detect_zeroes = view.get("image_detect_zeroes");
    set_bus(drive, view.get("drive_format", "ide"), view);
    read_common(drive, view);
    return drive;
}

std::optional<Drive> cd_from_params(const Params& view, const std::string& name,
                                    const std::filesystem::path& data_dir) {
    const auto iso = view.get("cdrom");
    if (iso.empty() && !yes(view, "cdrom_without_file")) {
        return std::nullopt;
    }
    Drive drive;
    drive.name = name;
    drive.cdrom = true;
    drive.readonly = true;
    drive.format = "raw";
    if (!iso.empty()) {
        drive.file = data_dir / iso;
        drive.raw_device = drive.file.native().starts_with("/dev/");
    }
    set_bus(drive, view.get("cd_format", view.get("drive_format", "ide")), view);
    read_common(drive, view);
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
    const auto type = view.get("nettype", "user");
    if (type == "user") {
        nic.backend = Nic::Backend::user;
    } else if (type == "bridge" || type == "network") {
        nic.backend = Nic::Backend::bridge;
    } else if (type == "none") {
        nic.backend = Nic::Backend::none;
    } else {
        throw VMUnknownNetTypeError(
            fmt::format("nettype \"{}\" of {} is not supported; use user or bridge", type, name));
    }
    nic.redirs = redirs_from_params(view, first);
    nic.queues = optional_number(view, "queues");
    nic.boot_index = optional_number(view, "bootindex");
    nic.tftp = view.get("tftp");
    nic.bootfile = view.get("bootp");
    nic.romfile = view.get("romfile");
    nic.vhost = view.get("vhost");
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

// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/vm/qemu/drive_arguments.hpp"

#include "runner/support/strings.hpp"
#include "runner/vm/errors.hpp"

#include <set>

#include <fmt/core.h>

namespace vt::qemu {

namespace {

using Argv = std::vector<std::string>;

/// What `drive_cache` means for the back end and for the device.
struct CacheMode {
    std::string direct, no_flush, write_cache;
};

CacheMode cache_mode(const Drive& drive) {
    CacheMode mode;
    if (drive.cache == "none") {
        mode = {"on", "off", "on"};
    } else if (drive.cache == "writeback") {
        mode = {"off", "off", "on"};
    } else if (drive.cache == "writethrough") {
        mode = {"off", "off", "off"};
    } else if (drive.cache == "directsync") {
        mode = {"on", "off", "off"};
    } else if (drive.cache == "unsafe") {
        mode = {"off", "on", "on"};
    }
    if (drive.aio == "native") {
        mode.direct = "on";  // QEMU refuses native AIO without it
    }
    return mode;
}

std::string property(std::string_view name, std::string_view value) {
    return value.empty() ? std::string() : fmt::format(",{}={}", name, option_value(value));
}

/// Which ports of the built-in and added controllers are taken.
class Slots {
  public:
    Slots(Argv& argv, const MachineSpec& machine) : argv_(argv), machine_(machine) {
        for (const auto& controller : machine.usb_controllers) {
            usb_.push_back(controller);
        }
    }

    /// ",bus=…,unit=…" for \p drive; adds the controller that it needs.
    std::string place(const Drive& drive) {
        switch (drive.bus) {
            case DriveBus::virtio_blk:
                return {};
            case DriveBus::ide:
                return machine_.q35() ? sata(drive) : ide(drive);
            case DriveBus::ahci:
                return sata(drive);
            case DriveBus::scsi:
                return scsi(drive);
            case DriveBus::usb:
                return usb(drive);
            case DriveBus::floppy:
                return {};
            case DriveBus::sd:
                if (!std::exchange(sd_host_, true)) {
                    add("sdhci-pci,id=sdhci0");
                }
                return ",bus=sd-bus";
        }
        return {};
    }

  private:
    void add(std::string device) {
        argv_.emplace_back("-device");
        argv_.push_back(std::move(device));
    }

    /// The port that the drive's index names, else the next free one.
    int port(std::set<int>& taken, const Drive& drive, int count, const char* what) {
        if (drive.index && *drive.index >= 0 && *drive.index < count &&
            taken.insert(static_cast<int>(*drive.index)).second) {
            return static_cast<int>(*drive.index);
        }
        for (int i = 0; i < count; ++i) {
            if (taken.insert(i).second) {
                return i;
            }
        }
        throw VMDeviceError(fmt::format("there is no free {} port left for {}; {} drives are the most", what,
                                        drive.name, count));
    }

    std::string ide(const Drive& drive) {
        const int at = port(ide_, drive, 4, "IDE");
        return fmt::format(",bus=ide.{},unit={}", at / 2, at % 2);
    }

    std::string sata(const Drive& drive) {
        if (!machine_.q35() && !std::exchange(ahci_, true)) {
            add("ahci,id=ahci0");
        }
        return fmt::format(",bus={}.{}", machine_.q35() ? "ide" : "ahci0", port(sata_, drive, 6, "SATA"));
    }

    std::string scsi(const Drive& drive) {
        std::string id = replace_all(drive.scsi_hba, "-", "_") + "0";
        if (hbas_.insert(id).second) {
            add(fmt::format("{},id={}", option_value(drive.scsi_hba), option_value(id)));
        }
        return fmt::format(",bus={}.0", option_value(id));
    }

    static bool serves(const UsbController& controller, const std::string& kind) {
        const std::string& type = controller.type;
        return kind == "usb1"
                   ? type.find("uhci") != std::string::npos || type.find("ohci") != std::string::npos
               : kind == "usb2"
                   ? type.find("ehci") != std::string::npos || type.find("xhci") != std::string::npos
                   : type.find("xhci") != std::string::npos;
    }

    std::string usb(const Drive& drive) {
        for (const auto& controller : usb_) {
            if (serves(controller, drive.usb_kind)) {
                return fmt::format(",bus={}.0", option_value(controller.name));
            }
        }
        const UsbController added{"usb_for_" + drive.usb_kind, drive.usb_kind == "usb1"   ? "piix3-usb-uhci"
                                                               : drive.usb_kind == "usb2" ? "usb-ehci"
                                                                                          : "qemu-xhci"};
        usb_.push_back(added);
        add(fmt::format("{},id={}", added.type, added.name));
        return fmt::format(",bus={}.0", added.name);
    }

    Argv& argv_;
    const MachineSpec& machine_;
    std::vector<UsbController> usb_;
    std::set<int> ide_, sata_;
    std::set<std::string> hbas_;
    bool ahci_ = false, sd_host_ = false;
};

void add_block_nodes(Argv& argv, const Drive& drive, const Placement& placement) {
    const auto overlay = placement.overlays.find(drive.name);
    const bool overlaid = overlay != placement.overlays.end();
    const std::string& file = overlaid ? overlay->second.native() : drive.file.native();
    const bool device_node = drive.raw_device && !overlaid;
    const CacheMode cache = cache_mode(drive);
    const std::string shared = property("cache.direct", cache.direct) +
                               property("cache.no-flush", cache.no_flush) +
                               property("discard", drive.discard) + (drive.readonly ? ",read-only=on" : "");
    std::string protocol =
        fmt::format("node-name=file_{},driver={},filename={}", option_value(drive.name),
                    device_node ? (drive.cdrom ? "host_cdrom" : "host_device") : "file", option_value(file));
    protocol += property("aio", drive.aio) + shared;
    argv.emplace_back("-blockdev");
    argv.push_back(std::move(protocol));
    std::string format = fmt::format("node-name=drive_{0},driver={1},file=file_{0}", option_value(drive.name),
                                     overlaid ? "qcow2" : option_value(drive.format));
    format += shared + property("detect-zeroes", drive.detect_zeroes);
    argv.emplace_back("-blockdev");
    argv.push_back(std::move(format));
}

}  // namespace

void add_drives(std::vector<std::string>& argv, const MachineSpec& machine, const Placement& placement) {
    Slots slots(argv, machine);
    for (const auto& drive : machine.drives) {
        const std::string bus = slots.place(drive);
        if (!drive.file.empty()) {
            add_block_nodes(argv, drive, placement);
        }
        std::string device = option_value(drive.device) + ",id=" + option_value(drive.name);
        if (!drive.file.empty()) {
            device += ",drive=drive_" + option_value(drive.name);
        }
        device += bus;
        if (drive.boot_index) {
            device += fmt::format(",bootindex={}", *drive.boot_index);
        }
        device += property("serial", drive.serial);
        if (!drive.file.empty() && !drive.cdrom && drive.bus != DriveBus::floppy &&
            drive.bus != DriveBus::sd) {
            device += property("write-cache", cache_mode(drive).write_cache);
        }
        // A USB stick's disk takes error policies since QEMU 6; a CD of SCSI or IDE does too.
        if (drive.bus != DriveBus::floppy && drive.bus != DriveBus::sd) {
            device += property("rerror", drive.rerror) + property("werror", drive.werror);
        }
        if (!drive.device_properties.empty()) {
            device += (drive.device_properties.front() == ',' ? "" : ",") + drive.device_properties;
        }
        argv.emplace_back("-device");
        argv.push_back(std::move(device));
    }
}

}  // namespace vt::qemu

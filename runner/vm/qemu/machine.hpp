// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The machine that the parameters describe, as typed values.
///
/// Pure: no host is asked and nothing allocated, so the same parameters give the same description anywhere.
/// What only a start can know (ports, sockets, the accelerator, file descriptors) is in Placement, which
/// command_line() joins with it. The parameters' names and defaults are Avocado-VT's; one that we do not
/// support is refused or logged, never half applied.
#pragma once

#include "cfg/params.hpp"

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace vt::qemu {

/// How a disk or CD is attached.
enum class DriveBus { virtio_blk, ide, ahci, scsi_hd, scsi_generic, usb, floppy, sd, none };

/// A disk, CD or floppy.
struct Drive {
    std::string name;            ///< "image1"
    std::filesystem::path file;  ///< empty: no medium
    std::string format;          ///< qcow2, raw, …
    DriveBus bus = DriveBus::virtio_blk;
    std::string device;  ///< QEMU's device type: virtio-blk-pci, ide-hd, scsi-cd, …
    bool cdrom = false;
    bool readonly = false;
    bool snapshot = false;  ///< writes go to a temporary file
    std::string cache;      ///< none, writeback, …; empty: QEMU's default
    std::string aio;        ///< threads, native, io_uring; empty: default
    std::string rerror, werror, serial, discard, detect_zeroes, scsi_hba;
    std::optional<int> boot_index, index, unit;
    std::string device_properties;  ///< blk_extra_params, appended to the device as written
    std::string drive_properties;   ///< drive_extra_params, appended to the drive as written
};

/// A network card and what it is connected to.
struct Nic {
    std::string name, model, mac, netdst, device_properties, netdev_properties;
    enum class Backend { user, bridge, tap, none } backend = Backend::user;
    std::optional<int> queues, boot_index;
    std::map<std::string, std::uint16_t> redirs;  ///< name in `redirs` → port of the guest
    std::string tftp, bootfile, romfile;
    bool vhost = false;
};

/// A serial port with its Unix socket.
struct Serial {
    std::string name, type, properties;
};

/// A monitor with its Unix socket.
struct MonitorPort {
    std::string name;
    bool qmp = true;
};

/// A random number generator device.
struct Rng {
    std::string name, backend, backend_file, device_properties;
    std::optional<std::int64_t> max_bytes, period;
};

struct UsbController {
    std::string name, type;
};
struct UsbDevice {
    std::string name, type, bus;
};

struct Smp {
    int cpus = 1;
    int maxcpus = 0, sockets = 0, dies = 0, clusters = 0, cores = 0, threads = 0;  ///< 0: not said
};

struct Display {
    enum class Kind { none, vnc, sdl, spice, nographic } kind = Kind::vnc;
    std::string vga;  ///< std, virtio, qxl, cirrus, none, …
    std::string vnc_extra;
};

/// All of it.
struct MachineSpec {
    std::string vm_name;
    std::filesystem::path qemu_binary;
    std::string machine_type;  ///< pc, q35, …
    std::string machine_properties;
    std::string cpu_model, cpu_flags;  ///< model empty: QEMU's default
    std::uint64_t mem_mib = 1024;
    std::string maxmem, mem_slots;
    Smp smp;
    std::vector<Drive> drives;
    std::vector<Nic> nics;
    std::vector<Serial> serials;
    std::vector<MonitorPort> monitors;
    std::vector<Rng> rngs;
    std::vector<UsbController> usb_controllers;
    std::vector<UsbDevice> usb_devices;
    std::vector<std::string> inputs;
    Display display;
    std::string balloon;  ///< device type, empty: none
    std::string watchdog, watchdog_action;
    std::string soundhw;
    std::string uuid;
    std::string rtc_base, rtc_clock, rtc_drift;
    std::string boot_order, boot_once, boot_menu, boot_strict, boot_splash_time;
    std::filesystem::path kernel, initrd, bios, option_roms;
    std::string kernel_params;
    std::string extra_params;
    std::optional<std::uint16_t> pvpanic_ioport;
    bool pvpanic = false;
    bool disable_kvm = false, enable_kvm_demanded = false;
    bool no_hpet = false, no_acpi = false, no_shutdown = false, no_reboot = false;
    bool sandbox = false;
    bool sandbox_said = false;
    bool start_paused = true;  ///< -S; the guest runs once the monitors are connected
    bool malloc_perturb = false;
    bool defconfig = true;
    bool debugcon = false;
    int pcie_root_ports = 0;
    std::map<std::string, std::string> environment;  ///< of QEMU's process

    /// Reads the parameters as the VM sees them. \p data_dir: where relative file names start.
    /// Throws BadParam, MissingParam, VMDeviceNotSupportedError.
    static MachineSpec from_params(const Params& params, const std::string& vm_name,
                                   const std::filesystem::path& data_dir);
};

}  // namespace vt::qemu

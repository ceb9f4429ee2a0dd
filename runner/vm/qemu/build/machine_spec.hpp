// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The machine that the parameters describe, as typed values.
///
/// Pure: no host is asked and nothing allocated, so the same parameters give the same description anywhere.
/// What only a start can know (ports, sockets, the accelerator, file descriptors) is in Placement, which
/// build_machine() joins with it. The parameters' names and defaults are Avocado-VT's. A value that makes no
/// sense is refused by a BadParam that names it; `extra_params` takes what has no parameter of its own.
#pragma once

#include "cfg/params.hpp"
#include "runner/storage/image_access.hpp"

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace vt::qemu {

/// How a disk or CD is attached.
enum class DriveBus { virtio_blk, ide, ahci, scsi, usb, floppy, sd, nvme, vhost_user_blk };

/// A disk, CD or floppy. Texts that are empty stand for QEMU's default.
struct Drive {
    std::string name;            ///< "image1"
    std::filesystem::path file;  ///< of this host; empty: no medium, or not a file
    ImageRef image;              ///< how the medium is opened
    std::string format;          ///< qcow2, raw, …
    DriveBus bus = DriveBus::virtio_blk;
    std::string device;    ///< QEMU's device type: virtio-blk-pci, ide-hd, scsi-cd, …
    std::string scsi_hba;  ///< device type of the SCSI host adapter
    std::string usb_kind;  ///< usb1, usb2, usb3: which controller it wants
    bool cdrom = false;
    bool readonly = false;
    bool snapshot = false;  ///< writes go to a throw-away overlay
    std::string cache;      ///< none, writeback, writethrough, directsync, unsafe
    std::string aio;        ///< threads, native, io_uring
    std::string rerror, werror, serial, discard, detect_zeroes, auto_readonly;
    std::string removable, min_io_size, opt_io_size, physical_block_size, logical_block_size;
    std::string blkdebug;          ///< file with rules for injected errors
    std::string num_queues;        ///< of the disk or its SCSI host adapter
    std::string bus_properties;    ///< of the host adapter, as written
    std::string block_properties;  ///< `drv_extra_params`, of the block nodes, as written
    std::vector<std::pair<std::string, std::vector<std::int64_t>>>
        queue_threads;  ///< thread → queues that it serves
    std::optional<std::int64_t> boot_index, index, bus_number;
    std::string pci_bus, pci_addr;           ///< where its PCI device is to sit; empty: anywhere
    std::optional<std::int64_t> unit, port;  ///< place on its bus: unit (SCSI: id), port (SCSI: logical unit)
    std::string iothread;        ///< id, or "auto" for one of the machine's; empty: QEMU's main loop
    std::string throttle_group;  ///< whose limits it shares
    bool copy_on_read = false;
    std::string device_properties;  ///< `blk_extra_params`, appended to the device as written

    bool has_medium() const { return !file.empty() || !image.options.empty(); }
};

/// A network card and what it is connected to.
struct Nic {
    enum class Backend { user, bridge, macvtap, vhost_user, none };

    std::string name, model;
    std::string mac;  ///< empty: the start picks one
    Backend backend = Backend::user;
    std::string netdst;  ///< the bridge, network or parent interface; for vhost-user the server's socket
    std::map<std::string, std::uint16_t> redirs;  ///< name in `redirs` → port of the guest
    std::optional<std::int64_t> queues, boot_index;
    std::string tftp, bootfile, romfile, vhost, vhostforce, mq, ctrl_mac_addr, failover;
    bool network = false;                              ///< \ref netdst may be a network of libvirt's
    bool watched = true;                               ///< its address is learnt from what it sends
    std::string pci_bus, pci_addr;                     ///< where it is to sit; empty: anywhere
    std::string device_properties, netdev_properties;  ///< appended as written
};

/// A serial port or a port of a virtio-serial bus, served on a Unix socket unless \ref backend says else.
struct Serial {
    std::string name, type, properties;
    std::string backend = "unix_socket";  ///< `chardev_backend`
    std::string path;                     ///< of the socket, file or pipe; empty: one of the machine's start
    std::string port_name;                ///< by which a guest knows a virtio port
    std::string bus;                      ///< the virtio-serial controller's, "<new>" or empty: one with room
    std::string number, reg;              ///< port on that bus; register of spapr-vty
    std::string bus_properties;           ///< of a new controller
    std::vector<std::pair<std::string, std::string>> chardev_properties;

    /// Whether we can talk to it.
    bool is_console() const { return backend == "unix_socket" && path.empty(); }
};

/// UEFI firmware in flash memory, with variables that the VM keeps.
struct Firmware {
    std::filesystem::path code, vars;  ///< the template of the variables; empty: none
    bool restore = false;              ///< start from the template again
    bool secure = false;               ///< only firmware may write variables (needs SMM)
};

/// A TPM (`tpms`).
struct Tpm {
    std::string name, type;  ///< emulator or passthrough
    std::string model, version, binary, setup_binary, extra, setup_extra, device_path;
    bool overwrite = false;
    std::vector<std::pair<std::string, std::string>> model_properties;
};

/// A directory of the host that the guest can mount (`filesystems`: virtio-fs; `9p_export_dir`).
struct SharedFs {
    std::string name, tag;
    std::filesystem::path source;
    std::string binary, log_level, extra;
    std::filesystem::path socket;  ///< of a server that the user started
    std::vector<std::pair<std::string, std::string>> properties;
};

struct Plan9 {
    std::string driver, source, security_model, socket;
    bool immediate = false, readonly = false;
};

/// `intel_iommu`, `virtio_iommu`.
struct Iommu {
    std::string driver;
    std::vector<std::pair<std::string, std::string>> properties;
    std::string extra;
};

/// Memory that guests or a guest and the host share (`ivshmems`).
struct Ivshmem {
    std::string name, size, path;
};

/// A monitor, served on a Unix socket.
struct MonitorPort {
    std::string name;
    bool qmp = true;
};

/// A random number generator: a device and the back end it draws from.
struct Rng {
    std::string name, backend;
    std::string chardev;  ///< of an entropy daemon: what the back end's character device is
    std::vector<std::pair<std::string, std::string>> chardev_properties;
    std::string backend_properties, device_properties;  ///< "filename=/dev/urandom", "max-bytes=…,period=…"
};

/// Memory in a slot of its own (`mem_devs`): a back end, and unless `use_mem` says no, a device in front of
/// it.
struct MemoryDevice {
    std::string name, backend;
    std::vector<std::pair<std::string, std::string>> backend_properties;  ///< size, mem-path, …
    std::string device;  ///< pc-dimm, nvdimm, virtio-mem-pci; empty: the back end alone
    std::vector<std::pair<std::string, std::string>> device_properties;
};

/// A NUMA node of the guest (`guest_numa_nodes`); texts that are empty stand for QEMU's default.
struct NumaNode {
    std::string id, memory, memdev, cpus, initiator;
    std::vector<std::pair<std::string, std::string>> distances;  ///< to node id → distance
    /// What the guest is told of latency, bandwidth and caches (HMAT): properties of -numa hmat-lb,
    /// hmat-cache.
    std::vector<std::vector<std::pair<std::string, std::string>>> latencies, caches;
};

/// The machine's own memory, where it is not QEMU's default kind (`vm_mem_*`, `hugepage_path`).
struct MainMemory {
    std::string backend;  ///< memory-backend-ram, -file, -memfd; empty: QEMU's
    std::vector<std::pair<std::string, std::string>> properties;
};

/// Limits that several disks share (`throttle_groups`).
struct ThrottleGroup {
    std::string name;
    std::vector<std::pair<std::string, std::int64_t>> limits;  ///< iops-total, …
};

/// A thread for disks (`iothreads`).
struct IoThread {
    std::string name, poll_max_ns;
};

/// A PCI bridge, root port or the like (`pci_controllers`).
struct PciController {
    std::string name, type, bus;
};

struct UsbController {
    std::string name, type;
};

struct UsbDevice {
    std::string name, type, bus;
};

/// An input device (`inputs`): its device type is complete.
struct Input {
    std::string name, device;
};

struct Balloon {
    std::string name, properties;
};

/// The topology; a level that is 0 is left to QEMU.
struct Smp {
    std::int64_t cpus = 1, maxcpus = 0;
    std::int64_t sockets = 0, dies = 0, clusters = 0, cores = 0, threads = 0;
    std::int64_t books = 0, drawers = 0;  ///< of s390x
};

struct Display {
    enum class Kind { none, vnc, sdl, spice, nographic };
    Kind kind = Kind::vnc;
    std::string vga;  ///< std, virtio, qxl, cirrus, none, …
    bool vga_legacy = false;
    std::string extra;           ///< appended to -vnc or -spice as written
    bool password = false;       ///< clients need one, which a test sets by the monitor
    std::string secret;          ///< the password itself
    std::int64_t qxl_cards = 1;  ///< with vga qxl; the second and further are for more screens
    std::vector<std::pair<std::string, std::string>> properties;  ///< `spice_*`, by -spice's names
};

struct Boot {
    std::string order, once, menu, strict, reboot_timeout, splash_time;
};

struct Rtc {
    std::string base, clock, drift;
};

struct Pvpanic {
    std::string ioport, events;
};

/// All of it.
struct MachineSpec {
    std::string vm_name;
    std::string qemu_binary;   ///< a path, or a name for PATH
    std::string machine_type;  ///< pc, q35, …
    std::string machine_properties;
    std::string arch;
    std::string cpu_model;  ///< empty: the accelerator's default
    std::vector<std::string>
        cpu_models;  ///< in the order of preference; the first that the binary has is taken
    std::string cpu_vendor, cpu_family;
    std::string cpu_flags;
    bool auto_cpu_model = false;
    std::int64_t mem_mib = 1024;
    std::string maxmem, mem_slots;
    Smp smp;
    std::vector<Drive> drives;
    std::vector<Nic> nics;
    std::vector<Serial> serials;
    std::vector<MonitorPort> monitors;
    std::vector<Rng> rngs;
    std::vector<UsbController> usb_controllers;
    std::vector<UsbDevice> usb_devices;
    std::vector<Input> inputs;
    std::vector<Balloon> balloons;
    std::vector<std::string> sound_cards;
    std::string audio_driver;  ///< of -audiodev; empty: silence
    std::optional<Firmware> firmware;
    std::vector<Tpm> tpms;
    std::vector<SharedFs> shared_filesystems;
    std::optional<Plan9> plan9;
    std::vector<std::string> vsocks;
    std::vector<Iommu> iommus;
    std::vector<Ivshmem> ivshmems;
    std::vector<std::pair<std::string, std::string>>
        virtio_properties;  ///< `virtio_dev_*`, of each virtio device
    std::string debug_exit_iobase, debug_exit_iosize, run_as, timestamps, memory_lock, machine_compat;
    bool test_device = false, smartcard = false;
    std::string smartcard_chardev;
    std::vector<std::pair<std::string, std::string>> sandbox_properties;
    Display display;
    Boot boot;
    Rtc rtc;
    std::optional<Pvpanic> pvpanic;
    std::string watchdog, watchdog_action;
    std::string uuid;  ///< "random": the start picks one
    std::filesystem::path kernel, initrd, bios;
    std::string option_roms;
    std::string kernel_params;
    std::string accelerator;  ///< what the parameters insist on; empty: the probe decides
    std::string sandbox;      ///< on, off or nothing
    std::vector<std::string> extra_params;
    std::vector<std::string> command_prefix;
    bool defaults = false;        ///< QEMU's default devices stay
    bool no_user_config = false;  ///< QEMU does not read the host's configuration files
    bool no_hpet = false, no_acpi = false, no_shutdown = false, no_reboot = false;
    bool start_paused = true;  ///< -S: the guest runs once the monitors are connected
    bool debugcon = false;     ///< the firmware's log goes to a file
    bool vmcoreinfo = false;
    bool isa_debug_exit = false;
    std::int64_t pcie_root_ports = 0;
    std::string root_port_properties;  ///< of every root port, as written
    bool pci_bridge = false;           ///< conventional cards can be plugged into a machine with PCI Express
    std::vector<PciController> pci_controllers;
    std::vector<MemoryDevice> memory_devices;
    MainMemory memory;
    std::vector<NumaNode> numa;
    std::vector<std::vector<std::pair<std::string, std::string>>> numa_cpus;  ///< properties of -numa cpu
    std::vector<ThrottleGroup> throttle_groups;
    std::vector<IoThread> iothreads;
    std::string iothread_scheme;  ///< roundrobin, oto (one to one), rhv (one for all), or nothing
    bool mmio = false;            ///< virtio devices are no PCI devices
    std::map<std::string, std::string> environment;  ///< of QEMU's process

    bool q35() const { return machine_type.find("q35") != std::string::npos; }

    /// Reads the parameters as the VM sees them (object_params(VM) is done here). \p data_dir: where relative
    /// file names start. Throws BadParam, MissingParam, VMDeviceNotSupportedError, VMSMPTopologyInvalidError,
    /// Error.
    static MachineSpec from_params(const Params& params, const std::string& vm_name,
                                   const std::filesystem::path& data_dir);
};

/// The disks, CDs and floppy of the parameters; part of MachineSpec::from_params().
std::vector<Drive> drives_from_params(const Params& params, const std::filesystem::path& data_dir);

/// The network cards; part of MachineSpec::from_params().
std::vector<Nic> nics_from_params(const Params& params);

/// The `mem_devs`; part of MachineSpec::from_params().
std::vector<MemoryDevice> memory_devices_from_params(const Params& params);

/// NUMA nodes, throttle groups, IO threads; parts of MachineSpec::from_params().
std::vector<NumaNode> numa_from_params(const Params& params);
std::vector<std::vector<std::pair<std::string, std::string>>> numa_cpus_from_params(const Params& params);
MainMemory main_memory_from_params(const Params& params);
std::vector<ThrottleGroup> throttle_groups_from_params(const Params& params);
std::vector<IoThread> iothreads_from_params(const Params& params);

/// Words of \p text, quoted as in a shell, but without any expansion. Throws Error for an unfinished quote.
std::vector<std::string> split_arguments(std::string_view text);

}  // namespace vt::qemu

// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// From the description of a machine to its model; a file for each family of devices.
///
/// Pure: the same description, placement and binary give the same model, so that two can be compared. The
/// order in which families are built is the order in which devices get addresses, and stays as it is: guests
/// name their disks and network cards by it.
#pragma once

#include "runner/vm/qemu/build/machine_spec.hpp"
#include "runner/vm/qemu/build/placement.hpp"
#include "runner/vm/qemu/devices/machine.hpp"

#include <string>
#include <vector>

namespace vt {
class Capabilities;
}

namespace vt::qemu {

/// The machine of \p spec. Throws ModelError, AddressError, VMDeviceError, VMDeviceNotSupportedError.
Machine build_machine(const MachineSpec& spec, const Placement& placement, const Capabilities& caps);

/// What the families share. Nodes that it makes go into one machine.
class Builder {
  public:
    Builder(const MachineSpec& spec, const Placement& placement, const Capabilities& caps, Machine& machine,
            Machine::Moment moment = Machine::Moment::cold)
        : spec(spec), placement(placement), caps(caps), machine(machine), moment(moment) {}

    const MachineSpec& spec;
    const Placement& placement;
    const Capabilities& caps;
    Machine& machine;
    Machine::Moment moment;
    std::vector<NodePtr> made;    ///< in order
    std::vector<Address> wishes;  ///< theirs, before they got a place

    /// Inserts \p node; a place that its `extra` names becomes its address.
    NodePtr add(Node node);
    NodePtr device(const std::string& driver, const std::string& qid, Props props = {},
                   std::string extra = {}, Address address = {}, std::vector<std::string> needs = {},
                   std::string origin = {});
    NodePtr option(const std::string& name, Props props);
    NodePtr plain(const std::string& name, const std::string& value = {});
    /// A character device on a Unix socket that QEMU serves.
    NodePtr socket_chardev(const std::string& id, const std::filesystem::path& socket,
                           const std::string& origin);
    /// One on which somebody else serves.
    NodePtr client_chardev(const std::string& id, const std::filesystem::path& socket,
                           const std::string& origin);
    /// The virtio device of the machine's transport: "virtio-blk" to virtio-blk-pci, -device or -ccw.
    std::string virtio(const std::string& base) const;
    bool has_device(const std::string& qid) const;

    // Families, in the order of building.
    void add_process();
    void add_pci_controllers();
    void add_iommus();
    void add_processor();
    void add_objects();
    void add_numa();
    void add_monitors();
    void add_serials();
    void add_video();
    void add_usb();
    void add_drives();
    void add_nics();
    void add_small_devices();
    void add_extra_devices();
    void add_boot();
    void add_extra_params();

    void add_drive(const Drive& drive);
    void add_nic(const Nic& nic);
    void add_memory_device(const MemoryDevice& module);

  private:
    void add_display();
    Props add_firmware();
    std::string add_main_memory();
    void add_numa_option(const std::string& kind,
                         const std::vector<std::pair<std::string, std::string>>& values);
    void add_tpm(const Tpm& tpm);
    void add_shared_fs(const SharedFs& fs);
    void add_plan9(const Plan9& share);
    void add_ivshmem(const Ivshmem& shared);
    void add_serial(const Serial& serial);
    NodePtr serial_chardev(const Serial& serial);
    std::string serial_controller(const Serial& serial);
    std::string add_display_secret();
    /// Whether the machine has an ISA bus for ports and debug consoles.
    bool has_isa() const;
    void add_block_nodes(const Drive& drive);
    void add_old_drive(const Drive& drive, const std::string& file, const std::string& format);
    Node protocol_node(const Drive& drive, const std::string& overlay) const;
    Node format_node(const Drive& drive, const std::string& format, bool overlaid) const;
    std::vector<std::string> add_secrets(const ImageRef& image);
    Props drive_props(const Drive& drive) const;
    void add_served_drive(const Drive& drive);
    Address drive_address(const Drive& drive);
    Address scsi_address(const Drive& drive);
    Address usb_address(const Drive& drive);
    /// The thread that \p wish (a drive's) stands for, made if it is not there yet; empty: none.
    std::string iothread_for(const std::string& wish);

    std::size_t iothreads_used_ = 0;
};

/// Writes what opens the medium of \p drive to files in \p instance_dir, where its nodes read it. Throws
/// SystemError.
void write_secrets(const Drive& drive, const std::filesystem::path& instance_dir);
/// The same for all of a machine.
void write_secrets(const MachineSpec& spec, const std::filesystem::path& instance_dir);

/// Reads "5", "0x5.1", "05.0x1" as QEMU does: slot and function, in hexadecimal. Throws AddressError.
std::vector<int> parse_pci_address(const std::string& text);

/// What a user appended as written, without commas at its ends.
std::string tidy(std::string_view properties);

}  // namespace vt::qemu

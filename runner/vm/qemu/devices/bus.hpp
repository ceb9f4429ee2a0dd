// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Buses and the addresses on them.
///
/// An address is a bus and some numbers, whose meaning the bus's kind gives. Whoever sits on a bus has
/// reserved its address there, whether QEMU was told or chose; so hot-plug knows what is free, and two
/// devices on one address are found before QEMU finds them.
#pragma once

#include "runner/support/error.hpp"

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vt {
class Capabilities;
}

namespace vt::qemu {

/// What the numbers of an address are, in order.
enum class BusKind {
    none,           ///< nothing to reserve: ISA's choice, system devices, what has no bus
    pci,            ///< slot, function
    pcie,           ///< slot, function; takes PCI Express devices
    scsi,           ///< channel, id, logical unit
    ide,            ///< unit
    usb,            ///< port
    virtio_serial,  ///< port number
    hda,            ///< codec address
    sd,             ///< the one card
    floppy,         ///< drive
    ccw,            ///< number of the channel device
    virtio_mmio,    ///< which transport
    i2c,            ///< address
    nvme            ///< namespace
};

/// "PCI", "USB", … for messages.
std::string_view name_of(BusKind kind);

/// No room, an address that is taken or is none; what() names the bus, who sits there, what to do.
class AddressError : public Error {
  public:
    using Error::Error;
};

/// Where a device sits, or is to sit: an empty bus stands for any of the kind, no numbers (or -1) for any
/// free.
struct Address {
    BusKind kind = BusKind::none;
    std::string bus;
    std::vector<int> at;

    bool operator==(const Address&) const = default;
};

/// "slot 5, function 0", …
std::string text_of(const Address& address);

/// A range of numbers.
struct Range {
    int first = 0, count = 1;
};

/// One bus.
class Bus {
  public:
    /// \param owner qid of the device that gives it; empty: the machine
    Bus(std::string id, BusKind kind, std::string owner, std::vector<Range> ranges, bool hotpluggable);

    const std::string& id() const { return id_; }
    BusKind kind() const { return kind_; }
    const std::string& owner() const { return owner_; }
    /// Whether the guest can be given and asked for devices here while it runs.
    bool hotpluggable() const { return hotpluggable_; }
    /// Its name in QEMU, where several of ours are parts of one of QEMU's (USB hubs), and what comes before
    /// the port's number there.
    const std::string& qemu_name() const { return qemu_name_; }
    const std::string& prefix() const { return prefix_; }
    void part_of(std::string qemu_name, std::string prefix);

    /// The free address that \p wanted allows, first come first served; a whole slot of PCI unless the
    /// function is given. Nothing if there is none.
    std::optional<std::vector<int>> free(const std::vector<int>& wanted) const;
    /// Takes the first free one that \p wanted allows for \p holder. Throws AddressError that names who sits
    /// there.
    std::vector<int> reserve(const std::vector<int>& wanted, const std::string& holder);
    /// Gives up what \p holder has here.
    void release(const std::string& holder);
    /// Address → holder.
    const std::map<std::vector<int>, std::string>& taken() const { return taken_; }
    /// How many more devices fit.
    std::size_t room() const;

  private:
    bool is_free(const std::vector<int>& at, bool whole_slot) const;

    std::string id_;
    BusKind kind_;
    std::string owner_;
    std::vector<Range> ranges_;
    bool hotpluggable_;
    std::string qemu_name_, prefix_;
    std::map<std::vector<int>, std::string> taken_;
};

/// On which kind of bus \p driver sits: as the binary says, or by its name where the binary is unknown.
BusKind bus_kind_of(const std::string& driver, const Capabilities& caps);

/// The buses that a device gives. \p id is its qid; \p count: ports or the like, where a property changes it.
std::vector<Bus> buses_given_by(const std::string& driver, const std::string& id,
                                std::optional<int> count = std::nullopt);

/// Those of a machine type by itself, with what is built in already reserved. \p defaults: QEMU adds its
/// default devices.
std::vector<Bus> buses_of_machine(const std::string& type, const std::string& arch, bool defaults);

}  // namespace vt::qemu

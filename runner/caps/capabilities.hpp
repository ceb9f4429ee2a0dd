// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// What a QEMU binary can do: asked of the binary itself, never concluded from its version.
///
/// Distributions patch and configure QEMU, so a version number says little. The binary is started once
/// without a machine (`-machine none`), asked by QMP for machines, processor models, devices with their
/// buses and properties, objects, character devices, commands with their arguments and options of the command
/// line, and the answers are kept in the user's cache directory under the binary's digest. Later questions
/// cost one file of a megabyte to read; the properties of a device are parsed when first asked for.
///
/// What is ugly: some builds end by an assertion when they are asked for the properties of a device whose
/// module is not installed (QEMU 7.2 and virtio-gpu-gl-pci). Such a device then counts as not there, and the
/// question goes on with a new process.
#pragma once

#include "runner/support/deadline.hpp"
#include "runner/support/error.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace vt {

/// The binary could not be asked: it hangs, dies, or answers what makes no sense. what() names it and says
/// what to do.
class CapabilitiesError : public Error {
  public:
    using Error::Error;
};

/// A machine type of a binary.
struct MachineInfo {
    std::string name;
    std::string alias;  ///< "pc" for the newest of its kind, or empty
    std::int64_t max_cpus = 0;
    bool hotpluggable_cpus = false;
    std::string default_cpu;  ///< QOM type name, or empty
    bool is_default = false;  ///< what a command line without -machine gets
};

/// The answers of one binary; immutable, cheap to copy, safe from several threads.
class Capabilities {
  public:
    /// Nothing is known: every question is answered with no.
    Capabilities();

    /// Those of \p qemu (a path or a name for PATH), read from \p cache_dir or asked within \p limit. Throws
    /// CapabilitiesError, process::NotFoundError.
    static Capabilities of(const std::filesystem::path& qemu, const std::filesystem::path& cache_dir,
                           Seconds limit = Seconds{60});
    /// Asks \p qemu itself, whatever any cache holds; returns text for parse(). \p scratch: a private
    /// directory for its socket. Throws CapabilitiesError.
    static std::string ask(const std::filesystem::path& qemu, const std::filesystem::path& scratch,
                           const Deadline& deadline);
    /// From the text that ask() made. Throws CapabilitiesError if it is none of this format's version.
    static Capabilities parse(std::string text);

    /// False for an object that was made by the default constructor.
    bool known() const;
    /// "7.2.22 (Debian …)", for messages.
    const std::string& version() const;

    bool has_machine(std::string_view name) const { return machine(name).has_value(); }
    /// By name or alias.
    std::optional<MachineInfo> machine(std::string_view name) const;
    /// The one of a command line without `-machine`; some architectures have none.
    std::optional<MachineInfo> default_machine() const;
    /// "tcg", "kvm", "qtest", …: built in or a module that is there, whether or not this host can run it. The
    /// list of `-accel help` leaves qtest out.
    bool has_accelerator(std::string_view name) const;
    bool has_cpu_model(std::string_view name) const;

    /// Whether a user may add this device.
    bool has_device(std::string_view name) const;
    /// The kind of bus that it sits on, in QEMU's words: "PCI", "SCSI", "usb-bus", "virtio-serial-bus",
    /// "ISA", …; empty for a device without one. Nothing for an unknown device.
    std::optional<std::string> device_bus(std::string_view name) const;
    /// Whether it is a PCI Express device (which sits behind a root port as well).
    bool is_pcie(std::string_view name) const;
    /// The type of a property in QEMU's words ("uint32", "bool", "str", "size", …), if the device has it.
    std::optional<std::string> device_property(std::string_view device, std::string_view property) const;

    bool has_object(std::string_view type) const;
    /// Type of a property of an object in the schema's words ("string", "int", "boolean", "[int]", "enum").
    std::optional<std::string> object_property(std::string_view type, std::string_view property) const;
    bool has_block_driver(std::string_view driver) const;
    std::optional<std::string> block_property(std::string_view driver, std::string_view property) const;
    bool has_netdev(std::string_view type) const;
    std::optional<std::string> netdev_property(std::string_view type, std::string_view property) const;
    bool has_chardev(std::string_view backend) const;

    bool has_command(std::string_view name) const;
    bool command_argument(std::string_view command, std::string_view argument) const;
    /// "json-cli" of device_add and its like.
    bool command_feature(std::string_view command, std::string_view feature) const;
    bool has_event(std::string_view name) const;
    /// An option of the command line (without its dash), and one of its parameters; options that take no list
    /// of parameters are not told by QEMU.
    bool has_option(std::string_view option) const;
    bool option_parameter(std::string_view option, std::string_view parameter) const;

    /// All names of one sort, sorted: "machine", "accelerator", "cpu", "device", "object", "block", "netdev",
    /// "chardev", "command", "event", "option".
    std::vector<std::string> names(std::string_view sort) const;

  private:
    struct Answers;
    explicit Capabilities(std::shared_ptr<const Answers> answers);
    std::optional<std::string> property(std::string_view sort, std::string_view name,
                                        std::string_view property) const;

    std::shared_ptr<const Answers> answers_;
};

}  // namespace vt

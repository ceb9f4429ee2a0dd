// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/vm/qemu/command_line.hpp"

#include "runner/support/error.hpp"
#include "runner/support/strings.hpp"
#include "runner/vm/qemu/drive_arguments.hpp"

#include <algorithm>
#include <set>

#include <fmt/core.h>

namespace vt::qemu {

namespace {

using Argv = std::vector<std::string>;

void add(Argv& argv, const char* option, std::string value) {
    argv.emplace_back(option);
    argv.push_back(std::move(value));
}

/// ",NAME=VALUE" or nothing if the value is empty.
std::string property(std::string_view name, std::string_view value) {
    return value.empty() ? std::string() : fmt::format(",{}={}", name, option_value(value));
}

/// What a user appended as written, with one comma before it.
std::string appended(std::string_view properties) {
    while (properties.starts_with(',')) {
        properties.remove_prefix(1);
    }
    while (properties.ends_with(',')) {
        properties.remove_suffix(1);
    }
    return properties.empty() ? std::string() : fmt::format(",{}", properties);
}

/// A character device on a Unix socket that QEMU serves.
std::string socket_chardev(const std::string& id, const std::filesystem::path& socket) {
    return fmt::format("socket,id={},path={},server=on,wait=off", option_value(id),
                       option_value(socket.native()));
}

void add_machine(Argv& argv, const MachineSpec& machine, const Placement& placement) {
    std::string type = option_value(machine.machine_type);
    type += appended(machine.machine_properties);
    if (machine.no_hpet) {
        type += ",hpet=off";
    }
    add(argv, "-machine", type);
    add(argv, "-accel", machine.accelerator.empty() ? (placement.kvm ? "kvm" : "tcg") : machine.accelerator);
    if (machine.sandbox == "on") {
        add(argv, "-sandbox", "on,elevateprivileges=deny,obsolete=deny,resourcecontrol=deny,spawn=deny");
    } else if (machine.sandbox == "off") {
        add(argv, "-sandbox", "off");
    }
    if (!machine.defaults) {
        argv.emplace_back("-nodefaults");
    }
    if (machine.no_user_config) {
        argv.emplace_back("-no-user-config");
    }
    if (machine.no_acpi) {
        argv.emplace_back("-no-acpi");
    }
}

/// The model: what the parameters name; where they leave it to us, the host's under KVM and QEMU's default
/// under TCG. A "host" that TCG cannot be becomes what comes nearest, "max".
std::string cpu_model(const MachineSpec& machine, const Placement& placement) {
    const bool kvm = machine.accelerator.empty() ? placement.kvm : machine.accelerator.starts_with("kvm");
    std::string model = machine.cpu_model;
    if (model.empty() && machine.auto_cpu_model && kvm) {
        model = "host";
    }
    if (model == "host" && !kvm) {
        model = "max";
    }
    if (model.empty()) {
        return model;
    }
    model = option_value(model);
    // Flags come as "+sse4.1,-avx" or ",+sse4.1".
    return model + appended(machine.cpu_flags);
}

void add_processor(Argv& argv, const MachineSpec& machine, const Placement& placement) {
    std::string memory = std::to_string(machine.mem_mib);
    memory += property("slots", machine.mem_slots);
    memory += property("maxmem", machine.maxmem);
    add(argv, "-m", memory);

    const Smp& smp = machine.smp;
    std::string topology = fmt::format("{},maxcpus={}", smp.cpus, smp.maxcpus);
    for (const auto& [name, count] : {std::pair{"sockets", smp.sockets},
                                      {"dies", smp.dies},
                                      {"clusters", smp.clusters},
                                      {"cores", smp.cores},
                                      {"threads", smp.threads}}) {
        if (count != 0) {
            topology += fmt::format(",{}={}", name, count);
        }
    }
    add(argv, "-smp", topology);
    if (auto model = cpu_model(machine, placement); !model.empty()) {
        add(argv, "-cpu", model);
    }
}

void add_display(Argv& argv, const Display& display, const MachineSpec& machine) {
    if (display.vga_legacy && !display.vga.empty()) {
        add(argv, "-vga", display.vga);
    } else if (!display.vga.empty() && display.vga != "none") {
        const std::string& vga = display.vga;
        const bool x86 = machine.arch == "x86_64" || machine.arch == "i386" || machine.arch == "i686";
        std::string device = vga == "std"      ? "VGA"
                             : vga == "cirrus" ? "cirrus-vga"
                             : vga == "vmware" ? "vmware-svga"
                             : vga == "qxl"    ? "qxl-vga"
                             : vga == "virtio" ? (x86 ? "virtio-vga" : "virtio-gpu-pci")
                                               : option_value(vga);
        add(argv, "-device", device + ",id=video0");
    }
    switch (display.kind) {
        case Display::Kind::vnc:
            // QEMU takes the first display that is free, so two starts never fight for one.
            add(argv, "-vnc",
                fmt::format("127.0.0.1:0,to=999{}{}", display.password ? ",password=on" : "",
                            appended(display.extra)));
            break;
        case Display::Kind::sdl:
            add(argv, "-display", "sdl");
            break;
        case Display::Kind::spice:
            add(argv, "-spice", "addr=127.0.0.1,port=0,disable-ticketing=on" + appended(display.extra));
            break;
        case Display::Kind::nographic:
            argv.emplace_back("-nographic");
            break;
        case Display::Kind::none:
            add(argv, "-display", "none");
            break;
    }
}

void add_monitors(Argv& argv, const MachineSpec& machine, const Placement& placement) {
    for (const auto& monitor : machine.monitors) {
        const std::string id = (monitor.qmp ? "qmp_id_" : "hmp_id_") + monitor.name;
        add(argv, "-chardev", socket_chardev(id, monitor_socket(placement.instance_dir, monitor.name)));
        add(argv, "-mon",
            fmt::format("chardev={},mode={}", option_value(id), monitor.qmp ? "control" : "readline"));
    }
}

void add_serials(Argv& argv, const MachineSpec& machine, const Placement& placement) {
    bool virtio_bus = false;
    for (const auto& serial : machine.serials) {
        const std::string chardev = "chardev_" + serial.name;
        add(argv, "-chardev", socket_chardev(chardev, serial_socket(placement.instance_dir, serial.name)));
        std::string extra;
        if (serial.type == "virtconsole" || serial.type == "virtserialport") {
            if (!std::exchange(virtio_bus, true)) {
                add(argv, "-device", "virtio-serial-pci,id=virtio_serial_pci0");
            }
            extra = ",bus=virtio_serial_pci0.0";
            if (serial.type == "virtserialport") {
                extra += property("name", serial.name);
            }
        }
        add(argv, "-device",
            fmt::format("{},id={},chardev={}{}{}", option_value(serial.type), option_value(serial.name),
                        option_value(chardev), extra, appended(serial.properties)));
    }
    if (machine.debugcon) {
        add(argv, "-chardev",
            "file,id=seabioslog,path=" + option_value(firmware_log(placement.instance_dir).native()));
        add(argv, "-device", "isa-debugcon,chardev=seabioslog,iobase=0x402");
    }
}

/// Whether something of the machine may be slower than what an EHCI controller serves by itself.
bool needs_companions(const MachineSpec& machine) {
    static const std::set<std::string, std::less<>> fast = {
        "usb-tablet", "usb-mouse", "usb-kbd", "usb-storage", "usb-uas", "usb-bot", "usb-mtp"};
    const auto slow = [](const UsbDevice& device) { return !fast.contains(device.type); };
    const auto mentions_usb = [](const std::string& word) { return word.find("usb") != std::string::npos; };
    return std::any_of(machine.usb_devices.begin(), machine.usb_devices.end(), slow) ||
           std::any_of(machine.extra_params.begin(), machine.extra_params.end(), mentions_usb) ||
           std::any_of(machine.drives.begin(), machine.drives.end(),
                       [](const Drive& drive) { return drive.usb_kind == "usb1"; });
}

void add_usb(Argv& argv, const MachineSpec& machine) {
    // Each companion costs a guest a fifth of a second at boot where the processor is emulated.
    const bool companions = needs_companions(machine);
    int slot = 0x1d;
    for (const auto& controller : machine.usb_controllers) {
        const auto id = option_value(controller.name);
        if (controller.type != "ich9-usb-ehci1" || !companions) {
            add(argv, "-device", fmt::format("{},id={}", option_value(controller.type), id));
            continue;
        }
        // All are functions of one slot, which q35's own devices leave free.
        if (machine.q35()) {
            slot = std::min(slot, 0x1a);
        }
        add(argv, "-device", fmt::format("ich9-usb-ehci1,id={},addr={:x}.7,multifunction=on", id, slot));
        for (int i = 0; i < 3; ++i) {
            add(argv, "-device",
                fmt::format(
                    "ich9-usb-uhci{},id={}.{},multifunction=on,masterbus={}.0,firstport={},addr={:x}.{}",
                    i + 1, id, i, id, 2 * i, slot, i));
        }
        --slot;
    }
    for (const auto& device : machine.usb_devices) {
        add(argv, "-device",
            fmt::format("{},id=usb-{},bus={}", option_value(device.type), option_value(device.name),
                        option_value(device.bus)));
    }
    for (const auto& input : machine.inputs) {
        add(argv, "-device",
            fmt::format("{},id=input_{}", option_value(input.device), option_value(input.name)));
    }
}

void add_nic(Argv& argv, const Nic& nic, const Placement& placement) {
    const std::string netdev = "netdev_" + nic.name;
    if (const auto tap = placement.taps.find(nic.name); tap != placement.taps.end()) {
        add(argv, "-netdev",
            fmt::format("tap,id={},ifname={},script=no,downscript=no{}{}", option_value(netdev),
                        option_value(tap->second), property("vhost", nic.vhost),
                        appended(nic.netdev_properties)));
    } else {
        std::string user = "user,id=" + option_value(netdev);
        user += property("tftp", nic.tftp) + property("bootfile", nic.bootfile);
        if (const auto ports = placement.forwarded.find(nic.name); ports != placement.forwarded.end()) {
            for (const auto& [name, host_port] : ports->second) {
                user += fmt::format(",hostfwd=tcp:127.0.0.1:{}-:{}", host_port, nic.redirs.at(name));
            }
        }
        // vhost belongs to taps; on a NIC that fell back from a bridge it would stop QEMU.
        if (nic.backend == Nic::Backend::user) {
            user += appended(nic.netdev_properties);
        }
        add(argv, "-netdev", user);
    }
    std::string device = fmt::format("{},id={},netdev={}", option_value(nic.model), option_value(nic.name),
                                     option_value(netdev));
    const auto mac = placement.macs.find(nic.name);
    device += property("mac", !nic.mac.empty() ? nic.mac : mac != placement.macs.end() ? mac->second : "");
    if (nic.boot_index) {
        device += fmt::format(",bootindex={}", *nic.boot_index);
    }
    if (nic.model.starts_with("virtio") && nic.queues.value_or(1) > 1 && placement.taps.contains(nic.name)) {
        device += fmt::format(",mq=on,vectors={}", 2 * *nic.queues + 2);
    }
    device += property("romfile", nic.romfile) + appended(nic.device_properties);
    add(argv, "-device", device);
}

void add_small_devices(Argv& argv, const MachineSpec& machine) {
    for (const auto& rng : machine.rngs) {
        add(argv, "-object",
            fmt::format("{},id=backend-{}{}", option_value(rng.backend), option_value(rng.name),
                        rng.backend_properties));
        add(argv, "-device",
            fmt::format("virtio-rng-pci,id={0},rng=backend-{0}{1}", option_value(rng.name),
                        rng.device_properties));
    }
    for (const auto& balloon : machine.balloons) {
        add(argv, "-device",
            fmt::format("virtio-balloon-pci,id={}{}", option_value(balloon.name), balloon.properties));
    }
    for (const auto& card : machine.sound_cards) {
        if (card.find("hda") != std::string::npos) {
            add(argv, "-device", "intel-hda");
            add(argv, "-device", "hda-duplex");
        } else {
            const bool upper = card == "ac97" || card == "es1370";
            add(argv, "-device", card == "ac97" ? "AC97" : upper ? "ES1370" : option_value(card));
        }
    }
    if (!machine.watchdog.empty()) {
        add(argv, "-device", option_value(machine.watchdog));
        add(argv, "-action", "watchdog=" + option_value(machine.watchdog_action));
    }
    if (machine.pvpanic) {
        const bool isa = machine.arch.find("aarch64") == std::string::npos;
        add(argv, "-device",
            fmt::format("{},id=pvpanic0{}{}", isa ? "pvpanic" : "pvpanic-pci",
                        isa ? property("ioport", machine.pvpanic->ioport) : "",
                        property("events", machine.pvpanic->events)));
        // Without this a panicked guest with pvpanic would take QEMU down, and with it what there is to look
        // at.
        add(argv, "-action", "panic=pause");
    }
    if (machine.vmcoreinfo) {
        add(argv, "-device", "vmcoreinfo");
    }
    if (machine.isa_debug_exit) {
        add(argv, "-device", "isa-debug-exit");
    }
    for (std::int64_t i = 0; machine.q35() && i < machine.pcie_root_ports; ++i) {
        add(argv, "-device",
            fmt::format("pcie-root-port,id=pcie_extra_root_port_{0},bus=pcie.0,chassis={1}", i, i + 1));
    }
}

void add_boot(Argv& argv, const MachineSpec& machine) {
    if (!machine.kernel.empty()) {
        add(argv, "-kernel", machine.kernel);
        if (!machine.kernel_params.empty()) {
            add(argv, "-append", machine.kernel_params);
        }
        if (!machine.initrd.empty()) {
            add(argv, "-initrd", machine.initrd);
        }
    }
    const Boot& boot = machine.boot;
    std::string text;
    for (const auto& [name, value] : {std::pair{"menu", &boot.menu},
                                      {"order", &boot.order},
                                      {"once", &boot.once},
                                      {"strict", &boot.strict},
                                      {"reboot-timeout", &boot.reboot_timeout},
                                      {"splash-time", &boot.splash_time}}) {
        if (!value->empty()) {
            text += property(name, *value);
        }
    }
    if (!text.empty()) {
        add(argv, "-boot", text.substr(1));
    }
    const std::string rtc = property("base", machine.rtc.base) + property("clock", machine.rtc.clock) +
                            property("driftfix", machine.rtc.drift);
    if (!rtc.empty()) {
        add(argv, "-rtc", rtc.substr(1));
    }
    if (!machine.bios.empty()) {
        add(argv, "-bios", machine.bios);
    }
    if (!machine.option_roms.empty()) {
        add(argv, "-option-rom", option_value(machine.option_roms));
    }
}

}  // namespace

std::filesystem::path monitor_socket(const std::filesystem::path& instance_dir, const std::string& monitor) {
    return instance_dir / ("monitor-" + monitor);
}

std::filesystem::path serial_socket(const std::filesystem::path& instance_dir, const std::string& serial) {
    return instance_dir / ("serial-" + serial);
}

std::filesystem::path firmware_log(const std::filesystem::path& instance_dir) {
    return instance_dir / "seabios.log";
}

std::vector<std::string> command_line(const MachineSpec& machine, const Placement& placement) {
    Argv argv = machine.command_prefix;
    argv.push_back(machine.qemu_binary);
    if (machine.start_paused) {
        argv.emplace_back("-S");
    }
    add(argv, "-name", fmt::format("guest={},debug-threads=on", option_value(machine.vm_name)));
    add_machine(argv, machine, placement);
    add_processor(argv, machine, placement);
    if (!machine.uuid.empty()) {
        add(argv, "-uuid", machine.uuid == "random" ? placement.uuid : machine.uuid);
    }
    add_monitors(argv, machine, placement);
    add_serials(argv, machine, placement);
    add_display(argv, machine.display, machine);
    add_usb(argv, machine);
    add_drives(argv, machine, placement);
    for (const auto& nic : machine.nics) {
        add_nic(argv, nic, placement);
    }
    add_small_devices(argv, machine);
    add_boot(argv, machine);
    if (machine.no_shutdown) {
        argv.emplace_back("-no-shutdown");
    }
    if (machine.no_reboot) {
        argv.emplace_back("-no-reboot");
    }
    argv.insert(argv.end(), machine.extra_params.begin(), machine.extra_params.end());
    for (const auto& word : argv) {
        if (word.find('\0') != std::string::npos) {
            throw Error("a parameter of the VM holds a NUL character, which no command line can carry");
        }
    }
    return argv;
}

std::string option_value(std::string_view value) {
    if (value.find('\0') != std::string_view::npos) {
        throw Error(fmt::format("\"{}\" holds a NUL character, which no command line can carry",
                                replace_all(std::string(value), std::string_view("\0", 1), "\\0")));
    }
    return replace_all(std::string(value), ",", ",,");
}

}  // namespace vt::qemu

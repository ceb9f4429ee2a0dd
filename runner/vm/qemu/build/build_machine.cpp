// SPDX-License-Identifier: GPL-2.0-or-later
// The process, the machine type, processors, memory, boot and clock.
#include "runner/caps/capabilities.hpp"
#include "runner/support/strings.hpp"
#include "runner/vm/qemu/build/builder.hpp"

#include <algorithm>

#include <fmt/core.h>

namespace vt::qemu {

namespace {

/// The model: what the parameters name; where they leave it to us, the host's under KVM and QEMU's default
/// under TCG. A "host" that TCG cannot be becomes what comes nearest, "max".
std::string cpu_model(const MachineSpec& spec, const Placement& placement, const Capabilities& caps) {
    const bool kvm = spec.accelerator.empty() ? placement.kvm : spec.accelerator.starts_with("kvm");
    std::string model = spec.cpu_model;
    for (const auto& one : spec.cpu_models) {
        if (caps.known() && caps.has_cpu_model(one)) {
            model = one;
            break;
        }
    }
    if (model.empty() && spec.auto_cpu_model && kvm) {
        model = "host";
    }
    return model == "host" && !kvm ? "max" : model;
}

}  // namespace

void Builder::add_process() {
    if (spec.start_paused) {
        plain("S");
    }
    option("name", {{"guest", spec.vm_name}, {"debug-threads", true}});
    Node type;
    type.form = Form::machine;
    type.driver = type.qid = spec.machine_type;
    type.extra = spec.machine_properties;
    type.props = add_firmware();
    for (const auto& [name, value] : type.props) {
        if (name.starts_with("pflash")) {
            type.needs.push_back(value.text());
        }
    }
    if (const auto memory = add_main_memory(); !memory.empty()) {
        type.props.set("memory-backend", memory);
        type.needs.push_back(memory);
    }
    if (std::any_of(spec.numa.begin(), spec.numa.end(),
                    [](const NumaNode& node) { return !node.latencies.empty(); })) {
        type.props.set("hmat", true);
    }
    if (spec.no_hpet) {
        type.props.set("hpet", false);
    }
    add(std::move(type));
    plain("accel", !spec.accelerator.empty() ? spec.accelerator : placement.kvm ? "kvm" : "tcg");
    if (spec.sandbox == "on") {
        Props rules{{"", "on"},
                    {"elevateprivileges", "deny"},
                    {"obsolete", "deny"},
                    {"resourcecontrol", "deny"},
                    {"spawn", "deny"}};
        for (const auto& [name, value] : spec.sandbox_properties) {
            rules.set(name, value);
        }
        option("sandbox", std::move(rules));
    } else if (spec.sandbox == "off") {
        option("sandbox", {{"", "off"}});
    }
    if (!spec.run_as.empty()) {
        plain("runas", spec.run_as);
    }
    if (!spec.timestamps.empty()) {
        option("msg", {{"timestamp", spec.timestamps}});
    }
    if (!spec.memory_lock.empty()) {
        option("overcommit", {{"mem-lock", spec.memory_lock}});
    }
    if (!spec.machine_compat.empty()) {
        option("compat", {})->extra = spec.machine_compat;
    }
    if (!spec.defaults) {
        plain("nodefaults");
    }
    if (spec.no_user_config) {
        plain("no-user-config");
    }
    if (spec.no_acpi) {
        plain("no-acpi");
    }
    if (spec.no_shutdown) {
        plain("no-shutdown");
    }
    if (spec.no_reboot) {
        plain("no-reboot");
    }
}

void Builder::add_processor() {
    Props memory{{"", spec.mem_mib}};
    memory.set_text("slots", spec.mem_slots).set_text("maxmem", spec.maxmem);
    option("m", std::move(memory));
    const Smp& smp = spec.smp;
    Props topology{{"", smp.cpus}, {"maxcpus", smp.maxcpus}};
    for (const auto& [name, count] : {std::pair{"drawers", smp.drawers},
                                      {"books", smp.books},
                                      {"sockets", smp.sockets},
                                      {"dies", smp.dies},
                                      {"clusters", smp.clusters},
                                      {"cores", smp.cores},
                                      {"threads", smp.threads}}) {
        if (count != 0) {
            topology.set(name, count);
        }
    }
    option("smp", std::move(topology));
    if (const auto model = cpu_model(spec, placement, caps); !model.empty()) {
        Node cpu;
        cpu.form = Form::cpu;
        cpu.driver = model;
        cpu.qid = "cpu";
        // Flags come as "+sse4.1,-avx" or ",+sse4.1".
        cpu.extra = spec.cpu_flags;
        cpu.props.set_text("vendor", spec.cpu_vendor).set_text("family", spec.cpu_family);
        add(std::move(cpu));
    }
    if (!spec.uuid.empty()) {
        plain("uuid", spec.uuid == "random" ? placement.uuid : spec.uuid);
    }
}

/// What a Q35 has of Avocado-VT's: a root port with a bridge for conventional cards that are plugged later,
/// and the free ports that the parameters ask for.
void Builder::add_pci_controllers() {
    if (machine.has_pcie()) {
        if (spec.pci_bridge) {
            machine.add_root_port("pcie-root-port-0", caps, spec.root_port_properties);
            device("pcie-pci-bridge", "pcie-pci-bridge-0", {}, {},
                   {BusKind::pcie, "pcie-root-port-0", {0, 0}});
        }
        for (std::int64_t i = 0; i < spec.pcie_root_ports; ++i) {
            machine.add_root_port(fmt::format("pcie_extra_root_port_{}", i), caps, spec.root_port_properties);
        }
    }
    for (const auto& controller : spec.pci_controllers) {
        if (controller.type == "pcie-root-port" && controller.bus.empty()) {
            machine.add_root_port(controller.name, caps, spec.root_port_properties);
            continue;
        }
        Props props;
        if (controller.type == "pci-bridge") {
            int number = 1;
            for (const auto& node : machine.nodes()) {
                number += node->props.find("chassis_nr") != nullptr ? 1 : 0;
            }
            props.set("chassis_nr", number);
        }
        device(controller.type, controller.name, std::move(props), {}, {BusKind::none, controller.bus, {}},
               {}, controller.name);
    }
    for (const auto& module : spec.memory_devices) {
        if (module.device.starts_with("virtio")) {
            add_memory_device(module);
        }
    }
}

void Builder::add_boot() {
    if (!spec.kernel.empty()) {
        plain("kernel", spec.kernel.native());
        if (!spec.kernel_params.empty()) {
            plain("append", spec.kernel_params);
        }
        if (!spec.initrd.empty()) {
            plain("initrd", spec.initrd.native());
        }
    }
    const Boot& boot = spec.boot;
    Props order;
    order.set_text("menu", boot.menu)
        .set_text("order", boot.order)
        .set_text("once", boot.once)
        .set_text("strict", boot.strict)
        .set_text("reboot-timeout", boot.reboot_timeout)
        .set_text("splash-time", boot.splash_time);
    if (!order.empty()) {
        option("boot", std::move(order));
    }
    Props clock;
    clock.set_text("base", spec.rtc.base)
        .set_text("clock", spec.rtc.clock)
        .set_text("driftfix", spec.rtc.drift);
    if (!clock.empty()) {
        option("rtc", std::move(clock));
    }
    if (!spec.bios.empty()) {
        plain("bios", spec.bios.native());
    }
    if (!spec.option_roms.empty()) {
        option("option-rom", {{"", spec.option_roms}});
    }
}

}  // namespace vt::qemu

// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/vm/qemu/build/machine_spec.hpp"

#include "runner/support/strings.hpp"
#include "runner/vm/errors.hpp"
#include "runner/vm/qemu/build/extra_specs.hpp"

#include <fmt/core.h>

namespace vt::qemu {

namespace {

/// Avocado-VT compares many switches with "yes" and takes everything else for no.
bool yes(const Params& params, std::string_view key, std::string_view fallback = "no") {
    return params.get(key, fallback) == "yes";
}

std::int64_t positive(const Params& params, std::string_view key, std::int64_t fallback) {
    const auto value = params.get_numeric(key, fallback);
    if (value < 0) {
        throw BadParam(std::string(key), params.get(key), "a number that is not negative");
    }
    return value;
}

std::filesystem::path data_file(const std::filesystem::path& data_dir, const std::string& name) {
    return name.empty() ? std::filesystem::path() : data_dir / name;
}

/// Fills the levels that the parameters left out, as Avocado-VT does since QEMU 6.2: cores first, then
/// sockets, then threads.
Smp smp_from_params(const Params& params) {
    Smp smp;
    const auto level = [&](std::string_view key) -> std::int64_t {
        return params.get(key) == "INVALID" ? 0 : positive(params, key, 0);
    };
    smp.cpus = positive(params, "smp", 1);
    smp.maxcpus = positive(params, "vcpu_maxcpus", 0);
    smp.sockets = level("vcpu_sockets");
    smp.dies = level("vcpu_dies");
    smp.clusters = level("vcpu_clusters");
    smp.cores = level("vcpu_cores");
    smp.threads = level("vcpu_threads");
    smp.books = level("vcpu_books");
    smp.drawers = level("vcpu_drawers");

    const std::int64_t outer = std::max<std::int64_t>(smp.dies, 1) * std::max<std::int64_t>(smp.clusters, 1) *
                               std::max<std::int64_t>(smp.books, 1) * std::max<std::int64_t>(smp.drawers, 1);
    const std::int64_t total = smp.maxcpus != 0 ? smp.maxcpus : smp.cpus;
    const bool prefer_sockets = yes(params, "vcpu_prefer_sockets");
    if (total != 0) {
        const auto fill = [&](std::int64_t& wanted, std::int64_t others) {
            if (wanted == 0) {
                wanted = std::max<std::int64_t>(total / std::max<std::int64_t>(others, 1), 1);
            }
        };
        if (prefer_sockets && smp.sockets == 0) {
            smp.cores = std::max<std::int64_t>(smp.cores, 1);
            smp.threads = std::max<std::int64_t>(smp.threads, 1);
            fill(smp.sockets, smp.cores * smp.threads * outer);
        } else if (smp.cores == 0) {
            smp.sockets = std::max<std::int64_t>(smp.sockets, 1);
            smp.threads = std::max<std::int64_t>(smp.threads, 1);
            fill(smp.cores, smp.sockets * smp.threads * outer);
        } else if (smp.sockets == 0) {
            smp.threads = std::max<std::int64_t>(smp.threads, 1);
            fill(smp.sockets, smp.cores * smp.threads * outer);
        } else {
            fill(smp.threads, smp.sockets * smp.cores * outer);
        }
    } else {
        smp.sockets = std::max<std::int64_t>(smp.sockets, 1);
        smp.cores = std::max<std::int64_t>(smp.cores, 1);
        smp.threads = std::max<std::int64_t>(smp.threads, 1);
    }
    const std::int64_t product = smp.sockets * smp.cores * smp.threads * outer;
    if (smp.maxcpus == 0) {
        smp.maxcpus = std::max(smp.cpus, product);
    }
    if (smp.cpus == 0) {
        smp.cpus = smp.maxcpus;
    }
    if (smp.cpus > smp.maxcpus || product > smp.maxcpus) {
        throw VMSMPTopologyInvalidError(
            fmt::format("smp = {} with {} sockets, {} cores and {} threads does not fit vcpu_maxcpus = {}; "
                        "raise vcpu_maxcpus or "
                        "lower the levels",
                        smp.cpus, smp.sockets, smp.cores, smp.threads, smp.maxcpus));
    }
    return smp;
}

/// `pci_bus`, where "pci.0" stands for the machine's own.
std::string bus_of(const Params& view) {
    const auto bus = view.get("pci_bus");
    return bus == "pci.0" ? std::string() : bus;
}

/// The monitors in order; one that can be asked when the others hang (`catch_monitor`) comes last.
std::vector<MonitorPort> monitors_from_params(const Params& params) {
    std::vector<MonitorPort> monitors;
    auto names = params.objects("monitors");
    if (const auto catcher = params.get("catch_monitor"); !catcher.empty()) {
        if (std::find(names.begin(), names.end(), catcher) == names.end()) {
            names.push_back(catcher);
        }
    }
    for (const auto& name : names) {
        const auto type = params.object_params(name).get("monitor_type", "qmp");
        if (type != "qmp" && type != "human") {
            throw BadParam("monitor_type_" + name, type, "qmp or human");
        }
        monitors.push_back({name, type == "qmp"});
    }
    return monitors;
}

/// Keys that end in "_SUFFIX" become properties of the object that SUFFIX names, as upstream's rng parameters
/// do.
std::string suffixed_properties(const Params& params, const std::string& suffix) {
    std::string text;
    const std::string ending = "_" + suffix;
    params.for_each([&](std::string_view key, std::string_view value) {
        if (key.size() > ending.size() && key.ends_with(ending)) {
            text += fmt::format(",{}={}", key.substr(0, key.size() - ending.size()),
                                replace_all(std::string(value), ",", ",,"));
        }
    });
    return text;
}

std::vector<Rng> rngs_from_params(const Params& params) {
    std::vector<Rng> rngs;
    for (const auto& name : params.objects("virtio_rngs")) {
        const Params view = params.object_params(name);
        Rng rng;
        rng.name = name;
        rng.backend = view.get("backend", "rng-builtin");
        const auto type = view.get("backend_type", "builtin");
        if (type == "chardev") {
            // The entropy of a daemon (rng-egd): the character device is the back end's.
            const auto kind = view.get("rng_chardev_backend", rng.backend == "rng-egd" ? "udp" : rng.backend);
            const bool socket = kind.find("socket") != std::string::npos;
            rng.backend = "rng-egd";
            rng.chardev = socket ? "socket" : kind;
            for (const char* key : {"host", "port", "path"}) {
                if (auto value =
                        view.get(std::string("chardev_") + key, view.get(fmt::format("{}_{}", key, type)));
                    !value.empty()) {
                    rng.chardev_properties.emplace_back(key, std::move(value));
                }
            }
        } else {
            rng.backend_properties = suffixed_properties(view, type);
        }
        rng.device_properties = suffixed_properties(view, "virtio-rng");
        rngs.push_back(std::move(rng));
    }
    return rngs;
}

std::string input_device(const Params& view, const std::string& name) {
    const auto type = view.get("input_dev_type", "mouse");
    const auto bus = view.get("input_dev_bus_type", "virtio");
    if (bus == "virtio") {
        return fmt::format("virtio-{}-pci", type == "keyboard" ? "keyboard"
                                            : type == "tablet" ? "tablet"
                                                               : "mouse");
    }
    if (bus == "usb") {
        return fmt::format("usb-{}", type == "keyboard" ? "kbd" : type);
    }
    throw BadParam("input_dev_bus_type_" + name, bus, "virtio or usb");
}

Display display_from_params(const Params& params) {
    Display display;
    const auto kind = params.get("display", "vnc");
    if (kind == "vnc") {
        display.kind = Display::Kind::vnc;
        display.extra = params.get("vnc_extra_params");
        display.password = yes(params, "vnc_password");
        display.secret = params.get("vnc_secret");
    } else if (kind == "sdl") {
        display.kind = Display::Kind::sdl;
    } else if (kind == "spice") {
        display.kind = Display::Kind::spice;
        display.extra = params.get("spice_extra_params");
        display.secret = params.get("spice_password");
        display.properties = spice_from_params(params);
    } else if (kind == "nographic") {
        display.kind = Display::Kind::nographic;
    } else if (kind == "none" || kind.empty()) {
        display.kind = Display::Kind::none;
    } else {
        throw BadParam("display", kind, "vnc, spice, sdl, nographic or none");
    }
    display.vga = params.get("vga");
    if (const auto qxl = params.get("qxl"); qxl == "on" || qxl == "yes") {
        display.vga = "qxl";
    }
    display.qxl_cards = std::max<std::int64_t>(positive(params, "qxl_dev_nr", 1), 1);
    display.vga_legacy = yes(params, "vga_use_legacy_expression");
    return display;
}

void read_usb(const Params& params, MachineSpec& spec) {
    for (const auto& name : params.objects("usbs")) {
        const auto type = params.object_params(name).get("usb_type");
        if (type.empty()) {
            throw BadParam("usb_type_" + name, type,
                           "a USB controller of QEMU, for instance ich9-usb-ehci1 or qemu-xhci");
        }
        spec.usb_controllers.push_back({name, type});
    }
    for (const auto& name : params.objects("usb_devices")) {
        const Params view = params.object_params(name);
        spec.usb_devices.push_back({name, view.get("usbdev_type"), view.get("usbdev_bus", "usb1.0")});
        if (spec.usb_devices.back().type.empty()) {
            throw BadParam("usbdev_type_" + name, "", "a USB device of QEMU, for instance usb-tablet");
        }
    }
}

void read_processor(const Params& params, MachineSpec& spec) {
    spec.smp = smp_from_params(params);
    spec.mem_mib = positive(params, "mem", 1024);
    if (spec.mem_mib == 0) {
        throw BadParam("mem", params.get("mem"), "a number of MiB above 0");
    }
    spec.maxmem = params.get("maxmem_mem");
    spec.mem_slots = params.get("slots_mem");
    // Of several models, separated by commas, the first is the preferred one.
    for (const auto& model : split(params.get("cpu_model"), ',')) {
        if (const auto name = trim(model); !name.empty()) {
            spec.cpu_models.emplace_back(name);
        }
    }
    if (spec.cpu_models.empty() && !params.get("default_cpu_model").empty()) {
        spec.cpu_models.push_back(params.get("default_cpu_model"));
    }
    spec.cpu_model = spec.cpu_models.empty() ? "" : spec.cpu_models.front();
    spec.cpu_vendor = params.get("cpu_model_vendor");
    spec.cpu_family = params.get("cpu_family");
    spec.cpu_flags = params.get("cpu_model_flags");
    spec.auto_cpu_model = yes(params, "auto_cpu_model");
}

void read_firmware(const Params& params, const std::filesystem::path& data_dir, MachineSpec& spec) {
    spec.kernel = data_file(data_dir, params.get("kernel"));
    spec.initrd = data_file(data_dir, params.get("initrd"));
    spec.kernel_params = params.get("kernel_params");
    spec.bios = data_file(data_dir, params.get("bios_path"));
    spec.option_roms = params.get("option_roms");
    spec.boot = {params.get("boot_order"),          params.get("boot_once"),
                 params.get("boot_menu"),           params.get("boot_strict"),
                 params.get("boot_reboot_timeout"), params.get("boot_splash_time")};
    spec.rtc = {params.get("rtc_base"), params.get("rtc_clock"), params.get("rtc_drift")};
    spec.no_hpet = yes(params, "disable_hpet") || yes(params, "no_hpet");
    spec.no_acpi = params.get("acpi") == "no" || yes(params, "disable_acpi");
    spec.no_shutdown = yes(params, "disable_shutdown");
    spec.no_reboot = yes(params, "disable_reboot");
    spec.debugcon = yes(params, "enable_debugcon");
    spec.vmcoreinfo = yes(params, "vmcoreinfo");
    spec.isa_debug_exit = yes(params, "isa_debugexit");
    spec.pcie_root_ports = positive(params, "pcie_extra_root_port", 0);
    spec.root_port_properties = params.get("pcie_root_port_params");
    spec.pci_bridge = spec.q35();
    for (const auto& name : params.objects("pci_controllers")) {
        const Params view = params.object_params(name);
        spec.pci_controllers.push_back({name, view.get("type", "pcie-root-port"), bus_of(view)});
    }
    if (yes(params, "enable_pvpanic")) {
        spec.pvpanic = Pvpanic{params.get("ioport_pvpanic"), params.get("events_pvpanic")};
    }
    if (yes(params, "enable_watchdog")) {
        spec.watchdog = params.get("watchdog_device_type", "i6300esb");
        spec.watchdog_action = params.get("watchdog_action", "reset");
    }
}

void read_process(const Params& params, MachineSpec& spec) {
    spec.qemu_binary = params.get("qemu_binary", "qemu-kvm");
    spec.sandbox = params.get("qemu_sandbox");
    spec.defaults = yes(params, "defaults");
    spec.no_user_config = params.get("defconfig") == "no";
    spec.start_paused = params.get("qemu_stop", "on") == "on";
    spec.accelerator = params.get("vm_accelerator");
    if (spec.accelerator.empty() && (yes(params, "disable_kvm") || params.get("enable_kvm") == "no")) {
        spec.accelerator = "tcg";
    }
    if (yes(params, "malloc_perturb")) {
        spec.environment["MALLOC_PERTURB_"] = "1";
    }
    if (const auto driver = params.get("qemu_audio_drv"); !driver.empty()) {
        spec.environment["QEMU_AUDIO_DRV"] = driver;
    }
    if (const auto display = params.get("x11_display"); !display.empty()) {
        spec.environment["DISPLAY"] = display;
    }
    spec.extra_params = split_arguments(params.get("extra_params"));
    spec.command_prefix = split_arguments(params.get("qemu_command_prefix"));
}

}  // namespace

MachineSpec MachineSpec::from_params(const Params& all_params, const std::string& vm_name,
                                     const std::filesystem::path& data_dir) {
    const Params params = all_params.object_params(vm_name);
    MachineSpec spec;
    spec.vm_name = vm_name;
    spec.arch = params.get("vm_arch_name", "x86_64");
    // "arm64-pci:virt": what stands before the colon is for the configuration files only.
    const auto machine = params.get("machine_type", "pc");
    spec.machine_type = machine.substr(machine.rfind(':') + 1);
    if (spec.machine_type == "i440fx") {
        spec.machine_type = "pc";
    }
    spec.machine_properties = params.get("machine_type_extra_params");
    spec.mmio = machine.find("-mmio:") != std::string::npos || spec.machine_type == "microvm";
    read_processor(params, spec);
    read_firmware(params, data_dir, spec);
    read_process(params, spec);
    read_usb(params, spec);
    spec.memory_devices = memory_devices_from_params(params);
    spec.memory = main_memory_from_params(params);
    spec.numa = numa_from_params(params);
    spec.numa_cpus = numa_cpus_from_params(params);
    read_extra_devices(params, data_dir, spec);
    spec.throttle_groups = throttle_groups_from_params(params);
    spec.iothreads = iothreads_from_params(params);
    spec.iothread_scheme = params.get("iothread_scheme");
    spec.drives = drives_from_params(params, data_dir);
    spec.nics = nics_from_params(params);
    spec.serials = serials_from_params(params);
    spec.monitors = monitors_from_params(params);
    spec.rngs = rngs_from_params(params);
    spec.display = display_from_params(params);
    for (const auto& name : params.objects("inputs")) {
        spec.inputs.push_back({name, input_device(params.object_params(name), name)});
    }
    for (const auto& name : params.objects("balloon")) {
        const Params view = params.object_params(name);
        std::string properties;
        if (const auto deflate = view.get("balloon_opt_deflate_on_oom"); !deflate.empty()) {
            properties += ",deflate-on-oom=" + deflate;
        }
        if (const auto polling = view.get("balloon_opt_guest_polling"); !polling.empty()) {
            properties += ",guest-stats-polling-interval=" + polling;
        }
        if (const auto report = view.get("balloon_opt_free_page_reporting"); !report.empty()) {
            properties += ",free-page-reporting=" + report;
        }
        spec.balloons.push_back({view.get("balloon_dev_devid", name), properties});
    }
    for (const auto& card : split(params.get("soundcards"), ',')) {
        if (!card.empty()) {
            spec.sound_cards.push_back(card);
        }
    }
    spec.uuid = params.get("uuid");
    return spec;
}

std::vector<std::string> split_arguments(std::string_view text) {
    std::vector<std::string> words;
    std::string word;
    bool in_word = false;
    char quote = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (quote == '\'' ? c == '\'' : quote == '"' && c == '"') {
            quote = 0;
        } else if (c == '\\' && quote != '\'' && i + 1 < text.size()) {
            word += text[++i];
            in_word = true;
        } else if (quote != 0) {
            word += c;
        } else if (c == '\'' || c == '"') {
            quote = c;
            in_word = true;
        } else if (c == ' ' || c == '\t' || c == '\n') {
            if (in_word) {
                words.push_back(std::exchange(word, {}));
                in_word = false;
            }
        } else {
            word += c;
            in_word = true;
        }
    }
    if (quote != 0) {
        throw Error(fmt::format("a quote {} is not closed in \"{}\"", quote, text));
    }
    if (in_word) {
        words.push_back(word);
    }
    return words;
}

}  // namespace vt::qemu

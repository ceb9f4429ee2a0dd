// SPDX-License-Identifier: GPL-2.0-or-later
#include "resolver/host_programs.hpp"
#include "runner/bootstrap/generated_cfg.hpp"
#include "runner/bootstrap/setup.hpp"
#include "runner/caps/accelerator.hpp"
#include "runner/support/log.hpp"
#include "runner/support/runtime_dirs.hpp"
#include "runner/support/strings.hpp"

namespace vt::bootstrap {

namespace fs = std::filesystem;

std::vector<std::string> wanted_modules(const Setup& setup) {
    if (setup.options.type == "openvswitch") {
        return {"openvswitch"};
    }
    const std::string machine = host_machine();
    if (machine.starts_with("ppc64")) {
        return {"kvm", "kvm-hv"};
    }
    if (machine != "x86_64" && machine != "i686") {
        return {"kvm"};
    }
    const std::string vendor = describe_this_host().cpu_vendor;
    return {"kvm", vendor == "amd" || vendor == "hygon" ? "kvm-amd" : "kvm-intel"};
}

void check_modules(const Setup& setup) {
    for (const std::string& module : wanted_modules(setup)) {
        // Built into the kernel or loaded, it has a directory.
        bool there = fs::exists("/sys/module/" + replace_all(module, "-", "_"));
        if (there) {
            log::debug("Module {} loaded", module);
        } else {
            log::info("Module {} is not loaded", module);
        }
    }
    std::string qemu = resolver::find_host_programs(setup.options.qemu_bin, "").qemu;
    if (qemu.empty()) {
        return;
    }
    Accelerator accelerator = probe_accelerator(qemu, user_cache_dir(RuntimeDirs::make()));
    log::info("Guests run with {}: {}", accelerator.kvm() ? "KVM" : "TCG", accelerator.reason);
}

}  // namespace vt::bootstrap

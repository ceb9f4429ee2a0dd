// SPDX-License-Identifier: GPL-2.0-or-later
// VMs before and after a test.
#include "runner/env/lifecycle.hpp"
#include "runner/env/setup.hpp"
#include "runner/monitor/qmp.hpp"
#include "runner/session/shell_error.hpp"
#include "runner/session/shell_session.hpp"
#include "runner/support/log.hpp"

#include <algorithm>

#include <fmt/core.h>
#include <nlohmann/json.hpp>
#include <sys/utsname.h>

namespace vt {

namespace {

bool yes(const Params& params, std::string_view key, std::string_view fallback = "no") {
    return params.get(key, fallback) == "yes";
}

class VmsSetup : public Setup {
  public:
    explicit VmsSetup(const SetupScope& scope) : scope_(scope) {}

    std::string_view name() const override { return "VMs"; }

    void set_up() override {
        destroy_unrequested();
        if (yes(params(), "not_preprocess")) {
            return;
        }
        for (const auto& name : params().objects("vms")) {
            vt::set_up_vm(scope_.env, params(), name);
        }
        write_versions();
    }

    void clean_up() override {
        for (const auto& vm : scope_.env.get_all_vms()) {
            vm->close_sessions();
        }
        if (scope_.test.no_cleanup) {
            scope_.env.save();
            return;
        }
        for (const auto& name : params().objects("vms")) {
            clean_up_vm(name);
        }
        if (yes(params(), "env_cleanup")) {
            for (const auto& vm : scope_.env.get_all_vms()) {
                vm->destroy(false);
                scope_.env.unregister_vm(vm->name());
            }
        }
        end_unresponsive();
        scope_.env.save();
    }

  private:
    Params& params() { return scope_.test.params; }

    void destroy_unrequested() {
        if (yes(params(), "keep_unrequested_vms")) {
            return;
        }
        auto wanted = params().objects("vms");
        const auto more = params().objects("migrate_vms");
        wanted.insert(wanted.end(), more.begin(), more.end());
        for (const auto& vm : scope_.env.get_all_vms()) {
            if (std::find(wanted.begin(), wanted.end(), vm->name()) == wanted.end()) {
                log::info("VM {} is not wanted by this test and goes", vm->name());
                vm->destroy(yes(params(), "kill_unrequested_vms_gracefully", "yes"));
                scope_.env.unregister_vm(vm->name());
            }
        }
    }

    /// Avocado-VT's whiteboard: the versions of what ran the guests.
    void write_versions() {
        if (!scope_.test.whiteboard) {
            return;
        }
        for (const auto& vm : scope_.env.get_all_vms()) {
            if (vm->is_dead()) {
                continue;
            }
            utsname system{};
            ::uname(&system);
            const auto& greeting = vm->monitor().greeting();
            const auto version = greeting.value("/QMP/version/qemu"_json_pointer, nlohmann::json::object());
            const auto text = fmt::format("{}.{}.{} ({})", version.value("major", 0),
                                          version.value("minor", 0), version.value("micro", 0),
                                          greeting.value("/QMP/version/package"_json_pointer, std::string()));
            scope_.test.whiteboard(
                nlohmann::json{{"kvm_version", system.release}, {"qemu_version", text}}.dump());
            return;
        }
    }

    void clean_up_vm(const std::string& name) {
        const Params view = params().object_params(name);
        const auto vm = scope_.env.get_vm(name);
        if (!vm || !yes(view, "kill_vm")) {
            return;
        }
        if (const Seconds patience{view.get_double("kill_vm_timeout", 0)};
            patience.count() > 0 && !vm->is_dead()) {
            log::debug("Waiting up to {:g} s for VM {} to end by itself (kill_vm_timeout)", patience.count(),
                       name);
            vm->wait_for_shutdown(patience);
        }
        vm->destroy(yes(view, "kill_vm_gracefully"));
    }

    /// A machine into which nobody can log in is of no use to the next test.
    void end_unresponsive() {
        if (!yes(params(), "kill_unresponsive_vms")) {
            return;
        }
        for (const auto& vm : scope_.env.get_all_vms()) {
            if (vm->is_dead() || vm->status() != "running") {
                continue;
            }
            try {
                vm->wait_for_login(0, Seconds{VmTimeouts::login_wait})->close();
            } catch (const std::exception& error) {
                log::warning("VM {} is not kept, as nobody can log in: {}", vm->name(), error.what());
                vm->destroy(false);
            }
        }
    }

    SetupScope scope_;
};

}  // namespace

void set_up_vm(Env& env, const Params& params, const std::string& name) {
    const Params view = params.object_params(name);
    auto vm = env.get_vm(name);
    if (!vm) {
        vm = env.create_vm(params, name);
    }
    const bool gracefully = yes(view, "kill_vm_gracefully");
    const bool start = yes(view, "start_vm");
    if (!vm->is_dead()) {
        if (!start && yes(view, "kill_vm_before_test")) {
            vm->destroy(gracefully);
        } else if (start && yes(view, "check_vm_needs_restart", "yes") && vm->needs_restart(params)) {
            log::info("VM {} has to be restarted: this test wants another command line", name);
            vm->destroy(gracefully);
        }
    }
    if (vm->is_dead() || !vm->is_alive()) {
        vm->params() = params;
    }
    if (start && !vm->is_alive()) {
        vm->create(Deadline::after(Seconds{view.get_double("vm_create_timeout", VmTimeouts::create)}));
    }
    if (vm->is_dead()) {
        return;
    }
    if (yes(view, "paused_after_start_vm")) {
        if (vm->status() != "paused" && vm->status() != "prelaunch") {
            vm->pause();
        }
    } else if (vm->is_paused()) {
        vm->resume();
    }
}

std::unique_ptr<Setup> make_vms_setup(const SetupScope& scope) {
    return std::make_unique<VmsSetup>(scope);
}

}  // namespace vt

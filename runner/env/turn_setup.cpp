// SPDX-License-Identifier: GPL-2.0-or-later
// A test's turn: everything that it shares with other tests, jobs and users is waited for here, and nowhere
// else, in one order for all, so that no two wait for each other:
//
//   1. the end of the tests that it depends on, which were started before it, while it holds nothing;
//   2. the VMs of the job that it wants or means to keep, by name;
//   3. the images, by the paths of their locks;
//   4. memory and the host, at once, behind those who came before.
//
// Who has the last has all, and never waits again. None of this counts as the test's own time.
#include "runner/env/host_change.hpp"
#include "runner/env/image_work.hpp"
#include "runner/env/setup.hpp"
#include "runner/sharing/host_claim.hpp"
#include "runner/support/log.hpp"
#include "runner/support/strings.hpp"

#include <charconv>
#include <optional>
#include <set>

#include <fmt/core.h>

namespace vt {

namespace {

// What QEMU needs beside its guest's memory, in MiB: itself, its devices' memory, the emulator's
// translations.
constexpr std::uint64_t qemu_overhead = 128;
constexpr std::uint64_t default_memory = 1024;

/// MiB of one machine; what is no number is for QEMU's command line to refuse.
std::uint64_t memory_of(const Params& view) {
    const auto text = view.get("mem");
    std::uint64_t memory = default_memory;
    std::from_chars(text.data(), text.data() + text.size(), memory);
    return memory;
}

class TurnSetup : public Setup {
  public:
    explicit TurnSetup(const SetupScope& scope) : scope_(scope) {}

    std::string_view name() const override { return "locks"; }

    void set_up() override {
        const auto& test = scope_.test;
        if (test.job_tests) {
            test.job_tests->wait_for(dependencies());
        }
        take_vms_and_images();
        claim_host();
        if (test.waits_are_over) {
            test.waits_are_over();
        }
    }

    void clean_up() override {
        claim_.reset();
        for (auto& work : scope_.images) {
            work.lock.reset();
        }
    }

  private:
    const Params& params() const { return scope_.test.params; }

    /// `dep` is a list beside the parameters; a recipe of Avocado-VT's may have it as one of them.
    std::vector<std::string> dependencies() const {
        const auto& deps = params().extras().dep;
        return deps.empty() ? split_words(params().get("dep")) : deps;
    }

    std::set<std::string> wanted_vms() const {
        std::set<std::string> names;
        for (const auto* key : {"vms", "migrate_vms"}) {
            const auto more = params().objects(key);
            names.insert(more.begin(), more.end());
        }
        return names;
    }

    bool keeps(const std::string& vm) const { return params().object_params(vm).get("kill_vm") != "yes"; }

    /// Whoever held an image may have left a machine that runs with it: then that is wanted, and comes first.
    void take_vms_and_images() {
        for (bool again = true; again;) {
            scope_.images.clear();
            for (const auto& vm : wanted_vms()) {
                if (keeps(vm) || scope_.env.knows(vm)) {
                    scope_.env.lease(vm);
                }
            }
            scope_.images = plan_images(scope_.test, scope_.env);
            lock_images(scope_.images, scope_.env, scope_.test.vm.holder);
            again = false;
            for (const auto& vm : wanted_vms()) {
                again = again || (!scope_.env.leased(vm) && scope_.env.knows(vm));
            }
        }
    }

    /// MiB for all machines that are yet to be started.
    std::uint64_t memory() const {
        std::uint64_t sum = 0;
        for (const auto& name : wanted_vms()) {
            const auto vm = scope_.env.get_vm(name);
            if (!vm || vm->is_dead()) {
                sum += memory_of(params().object_params(name)) + qemu_overhead;
            }
        }
        return sum;
    }

    void claim_host() {
        const auto change = host_change(params());
        const HostWish wish{memory(), change.has_value(), scope_.test.vm.holder};
        if (change) {
            log::info("This test changes the host ({}): it has the host for itself", *change);
        }
        try {
            claim_ = HostClaim::take(RuntimeDirs::host(), wish);
            if (const auto& guardian = scope_.test.vm.guardian) {
                guardian->hold(claim_->descriptor());  // its machines use memory until they are gone
            }
        } catch (const Error& error) {
            // A full or read-only /tmp: better a test that runs unprotected than none.
            log::warning("Other tests on this host are not waited for, nor they for this one: {}",
                         error.what());
        }
    }

    SetupScope scope_;
    std::optional<HostClaim> claim_;
};

}  // namespace

std::unique_ptr<Setup> make_turn_setup(const SetupScope& scope) {
    return std::make_unique<TurnSetup>(scope);
}

}  // namespace vt

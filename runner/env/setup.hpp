// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The setups of preprocess, each with its undo.
///
/// A setup is a small class: set_up() makes something, clean_up() takes it back. The lifecycle runs them in
/// order and cleans up those that were begun, last first, whatever happened in between. A new setup is a new
/// class and one line in the list.
#pragma once

#include "runner/env/env.hpp"
#include "runner/env/image_work.hpp"
#include "runner/env/test_context.hpp"

#include <memory>
#include <string_view>
#include <vector>

namespace vt {

/// One pair of preparation and undo.
class Setup {
  public:
    virtual ~Setup() = default;

    /// For the log: "images", "VMs".
    virtual std::string_view name() const = 0;
    /// Throws what ends the test.
    virtual void set_up() = 0;
    /// Called if set_up() was begun, also when it threw. What it throws makes a passed test an error.
    virtual void clean_up() = 0;
};

/// What all setups see. The test's verdict is known when they clean up.
struct SetupScope {
    TestContext& test;
    Env& env;
    const TestVerdict& verdict;
    std::vector<ImageWork>& images;  ///< what the turn has locked
};

/// The setups of a test in their order.
std::vector<std::unique_ptr<Setup>> make_setups(const SetupScope& scope);

std::unique_ptr<Setup> make_demands_setup(
    const SetupScope& scope);  ///< requires_root, cmds_installed_host, …
std::unique_ptr<Setup> make_turn_setup(
    const SetupScope& scope);  ///< waits: tests it depends on, VMs, image locks, memory, the host
std::unique_ptr<Setup> make_host_dmesg_setup(const SetupScope& scope);  ///< verify_host_dmesg
std::unique_ptr<Setup> make_ulimits_setup(const SetupScope& scope);     ///< vt_ulimit_*
std::unique_ptr<Setup> make_huge_pages_setup(const SetupScope& scope);  ///< setup_hugepages
std::unique_ptr<Setup> make_thp_setup(const SetupScope& scope);         ///< setup_thp
std::unique_ptr<Setup> make_ksm_setup(const SetupScope& scope);         ///< setup_ksm
std::unique_ptr<Setup> make_bridge_setup(const SetupScope& scope);      ///< netdst = private
std::unique_ptr<Setup> make_storage_setup(const SetupScope& scope);     ///< storage_type
std::unique_ptr<Setup> make_services_setup(const SetupScope& scope);    ///< network_proxies, firewalld_*
std::unique_ptr<Setup> make_modules_setup(const SetupScope& scope);     ///< kvm_module_*, kvm_probe_module_*
std::unique_ptr<Setup> make_shares_setup(const SetupScope& scope);      ///< filesystems' directories
std::unique_ptr<Setup> make_commands_setup(const SetupScope& scope);    ///< pre_command, post_command
std::unique_ptr<Setup> make_images_setup(
    const SetupScope& scope);  ///< backup, creation; check, restore, removal
std::unique_ptr<Setup> make_vms_setup(const SetupScope& scope);  ///< start; kill or keep

}  // namespace vt

// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The environment: what one test of a job leaves for the next.
///
/// A JSON file in the job's directory: the VMs that still run, each with what it takes to adopt it, and an
/// opaque section for what Python tests put into `env[...]`. Tasks that run at once see the same file; a VM
/// is leased by one of them: who wants one that is kept, or means to keep one, has it by its name for himself
/// until his end. A VM without a lease is the test's own, whatever others call theirs.
#pragma once

#include "cfg/params.hpp"
#include "runner/vm/vm.hpp"

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace vt {

/// The VMs and values of one task. Not thread-safe.
class Env {
  public:
    /// Reads \p file (nothing yet: an empty environment) and adopts the VMs that the guardian still holds. A
    /// damaged file is set aside as FILE.damaged with a warning.
    /// \param parallel tasks of the job run at once: VMs are adopted by lease() only, and others stay as they
    /// are. Where VMs outlive jobs (VmContext::outlives_job), those that no other job's test has are adopted.
    Env(std::filesystem::path file, VmContext context, bool parallel = false);
    ~Env();
    Env(const Env&) = delete;
    Env& operator=(const Env&) = delete;

    /// The VM, or nothing.
    std::shared_ptr<Vm> get_vm(const std::string& name);
    std::vector<std::shared_ptr<Vm>> get_all_vms();
    /// Whether an earlier task left a VM called \p name (which may have ended since).
    bool knows(const std::string& name) const;
    /// Whether \p name is this task's, by a lease or since tasks do not run at once.
    bool leased(const std::string& name) const;
    /// Waits until no other task has the VMs called \p name, and adopts the one that is there, if any.
    void lease(const std::string& name);
    /// Makes a VM of the parameters' `vm_type` and registers it; replaces one of the same name.
    std::shared_ptr<Vm> create_vm(const Params& params, const std::string& name);
    void register_vm(std::shared_ptr<Vm> vm);
    void unregister_vm(const std::string& name);

    /// The opaque section (Python's env[...]): JSON text by key.
    std::optional<std::string> get(const std::string& key) const;
    void set(const std::string& key, const std::string& json_text);
    bool erase(const std::string& key);
    std::vector<std::string> keys() const;

    /// Writes the file. VMs that run are in it; they outlive this task only after keep().
    void save();
    const VmContext& context() const;

  private:
    void adopt(const std::string& name, const nlohmann::json& entry);

    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace vt

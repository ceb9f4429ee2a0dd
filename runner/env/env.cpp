// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/env/env.hpp"

#include "runner/env/test_status.hpp"
#include "runner/support/file.hpp"
#include "runner/support/file_lock.hpp"
#include "runner/support/log.hpp"
#include "runner/support/strings.hpp"
#include "runner/vm/qemu/qemu_vm.hpp"

#include <map>
#include <set>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

namespace vt {

namespace fs = std::filesystem;

namespace {

constexpr int version = 1;

/// What stands in \p file; an empty environment if there is none, a damaged one is set aside.
nlohmann::json read_env(const fs::path& file) {
    auto empty = nlohmann::json{
        {"version", version}, {"vms", nlohmann::json::object()}, {"values", nlohmann::json::object()}};
    std::error_code error;
    if (!fs::exists(file, error)) {
        return empty;
    }
    auto json = nlohmann::json::parse(read_file(file), nullptr, false);
    const bool good = json.is_object() && json.value("version", nlohmann::json()) == version &&
                      json.contains("vms") && json["vms"].is_object() && json.contains("values") &&
                      json["values"].is_object();
    if (good) {
        return json;
    }
    const fs::path aside = file.native() + ".damaged";
    fs::rename(file, aside, error);
    log::warning(
        "The environment file {} is damaged; it is set aside as {} and the test starts with an empty one",
        file.native(), aside.native());
    return empty;
}

}  // namespace

struct Env::Impl {
    fs::path file;
    VmContext context;
    std::map<std::string, std::shared_ptr<Vm>> vms;
    std::set<std::string> ours;  ///< names of VMs that we had at any time: their entries are ours to write
    nlohmann::json values = nlohmann::json::object();
    std::set<std::string> changed;  ///< keys of values that we set or erased
    bool parallel = false;
    bool shared = false;  ///< other tasks may have VMs of this environment at the same time
    std::map<std::string, FileLock> leases;  ///< by VM

    fs::path lease_file(const std::string& name) const {
        return file.native() + ".lease-" + replace_all(name, "/", "_");
    }

    bool try_lease(const std::string& name) {
        auto lease = FileLock::try_take(lease_file(name), FileLock::Mode::exclusive, context.holder);
        if (lease) {
            add_lease(name, std::move(*lease));
            return true;
        }
        return false;
    }

    /// The guardian takes a machine down a moment after its task has died; until then nobody else leases it.
    void add_lease(const std::string& name, FileLock lease) {
        if (context.guardian) {
            context.guardian->hold(lease.descriptor());
        }
        leases.emplace(name, std::move(lease));
    }

    FileLock lock() const {
        return FileLock::take(file.native() + ".lock", FileLock::Mode::exclusive, context.holder,
                              Deadline::after(Seconds{60}));
    }

    nlohmann::json read() const {
        const auto guard = lock();
        return read_env(file);
    }
};

Env::Env(fs::path file, VmContext context, bool parallel) : impl_(std::make_unique<Impl>()) {
    impl_->file = std::move(file);
    impl_->context = std::move(context);
    impl_->parallel = parallel;
    impl_->shared = parallel || impl_->context.outlives_job;
    const auto json = impl_->read();
    impl_->values = json["values"];
    for (const auto& [name, entry] : json["vms"].items()) {
        if (parallel) {
            continue;
        }
        // A test of another job may have it.
        if (!impl_->shared || impl_->try_lease(name)) {
            adopt(name, entry);
        }
    }
}

void Env::adopt(const std::string& name, const nlohmann::json& entry) {
    if (!entry.is_object() || entry.value("type", "") != "qemu" || !entry.contains("state")) {
        return;
    }
    if (auto vm = qemu::adopt_vm(name, Params(), entry["state"].dump(), impl_->context)) {
        register_vm(std::move(vm));
    }
}

bool Env::knows(const std::string& name) const {
    return impl_->read()["vms"].contains(name);
}

bool Env::leased(const std::string& name) const {
    return !impl_->shared || impl_->leases.contains(name);
}

void Env::lease(const std::string& name) {
    if (leased(name)) {
        return;
    }
    impl_->add_lease(name,
                     FileLock::take(impl_->lease_file(name), FileLock::Mode::exclusive, impl_->context.holder,
                                    Deadline::never(), "VM " + name + " of this job"));
    const auto json = impl_->read();
    if (const auto entry = json["vms"].find(name); entry != json["vms"].end()) {
        adopt(name, *entry);
    }
}

Env::~Env() = default;

std::shared_ptr<Vm> Env::get_vm(const std::string& name) {
    const auto vm = impl_->vms.find(name);
    return vm == impl_->vms.end() ? nullptr : vm->second;
}

std::vector<std::shared_ptr<Vm>> Env::get_all_vms() {
    std::vector<std::shared_ptr<Vm>> vms;
    vms.reserve(impl_->vms.size());
    for (const auto& [name, vm] : impl_->vms) {
        vms.push_back(vm);
    }
    return vms;
}

std::shared_ptr<Vm> Env::create_vm(const Params& params, const std::string& name) {
    const auto type = params.object_params(name).get("vm_type", "qemu");
    if (type != "qemu") {
        throw TestCancel(fmt::format(
            "vm_type \"{}\" of {} is not supported by this runner; supported is qemu", type, name));
    }
    if (impl_->shared && !impl_->parallel && !leased(name)) {
        impl_->try_lease(name);  // it may be kept for another job
    }
    auto vm = qemu::make_vm(name, params, impl_->context);
    register_vm(vm);
    return vm;
}

void Env::register_vm(std::shared_ptr<Vm> vm) {
    const auto name = vm->name();
    impl_->ours.insert(name);
    impl_->vms[name] = std::move(vm);
}

void Env::unregister_vm(const std::string& name) {
    impl_->vms.erase(name);
}

std::optional<std::string> Env::get(const std::string& key) const {
    const auto value = impl_->values.find(key);
    if (value == impl_->values.end()) {
        return std::nullopt;
    }
    return value->dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

void Env::set(const std::string& key, const std::string& json_text) {
    auto value = nlohmann::json::parse(json_text, nullptr, false);
    if (value.is_discarded()) {
        throw Error(fmt::format("the environment keeps JSON, which the value of \"{}\" is not", key));
    }
    impl_->values[key] = std::move(value);
    impl_->changed.insert(key);
}

bool Env::erase(const std::string& key) {
    impl_->changed.insert(key);
    return impl_->values.erase(key) != 0;
}

std::vector<std::string> Env::keys() const {
    std::vector<std::string> keys;
    for (const auto& [key, value] : impl_->values.items()) {
        keys.push_back(key);
    }
    return keys;
}

/// Reads the file again under its lock and changes what is ours, since tasks that run at once share it.
void Env::save() {
    const auto lock = impl_->lock();
    auto json = read_env(impl_->file);
    auto& vms = json["vms"];
    for (const auto& name : impl_->ours) {
        if (!leased(name)) {
            continue;  // nobody else's business
        }
        vms.erase(name);
        const auto vm = impl_->vms.find(name);
        if (vm != impl_->vms.end() && !vm->second->is_dead()) {
            vms[name] = {{"type", "qemu"}, {"state", nlohmann::json::parse(vm->second->state())}};
        }
    }
    auto& values = json["values"];
    for (const auto& key : impl_->changed) {
        values.erase(key);
        if (const auto value = impl_->values.find(key); value != impl_->values.end()) {
            values[key] = *value;
        }
    }
    write_file_atomically(impl_->file, json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace),
                          0600);
}

const VmContext& Env::context() const {
    return impl_->context;
}

}  // namespace vt

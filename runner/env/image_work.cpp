// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/env/image_work.hpp"

#include <algorithm>
#include <map>

namespace vt {

namespace {

bool yes(const Params& params, std::string_view key, std::string_view fallback = "no") {
    return params.get(key, fallback) == "yes";
}

bool vm_runs(Env& env, const std::string& vm) {
    const auto machine = vm.empty() ? nullptr : env.get_vm(vm);
    return machine && !machine->is_dead();
}

/// \param view the parameters as the image sees them
bool overlay_will_do(const ImageWork& work, const Params& view, bool parallel) {
    const bool restored = yes(view, "restore_image_after_testing") || yes(view, "restore_image");
    const bool made = yes(view, "force_create_image") || (yes(view, "create_image") && !work.image.exists());
    return parallel && !work.vm.empty() && restored && !made && !yes(view, "remove_image", "yes") &&
           !yes(view, "backup_image_after_testing_passed") && view.get("image_chain").empty() &&
           !work.image.raw_device() && yes(view, "kill_vm") && work.image.exists();
}

void plan_for_vm(std::vector<ImageWork>& works, const TestContext& test, Env& env, const std::string& vm) {
    const Params vm_view = vm.empty() ? test.params : test.params.object_params(vm);
    if (vm_view.get("vm_type", "qemu") != "qemu") {
        return;
    }
    for (const auto& name : vm_view.objects("images")) {
        const Params view = vm_view.object_params(name);
        if (view.get("image_name").empty()) {
            continue;
        }
        ImageWork work{vm, Image::from_params(view, name, test.datadir), {}, false};
        if (std::none_of(works.begin(), works.end(),
                         [&](const ImageWork& other) { return other.image.path() == work.image.path(); })) {
            work.overlaid = !vm_runs(env, vm) && overlay_will_do(work, view, test.parallel);
            works.push_back(std::move(work));
        }
    }
}

}  // namespace

std::vector<ImageWork> plan_images(const TestContext& test, Env& env) {
    std::vector<ImageWork> works;
    if (yes(test.params, "skip_image_processing") || yes(test.params, "not_preprocess")) {
        return works;
    }
    const auto vms = test.params.objects("vms");
    if (vms.empty()) {
        plan_for_vm(works, test, env, "");
    }
    for (const auto& vm : vms) {
        plan_for_vm(works, test, env, vm);
    }
    return works;
}

void lock_images(std::vector<ImageWork>& works, Env& env, const std::string& holder) {
    // Two names of one file have one lock.
    std::map<std::filesystem::path, std::vector<ImageWork*>> by_lock;
    for (auto& work : works) {
        if (!vm_runs(env, work.vm)) {
            by_lock[ImageLock::path_for(work.image)].push_back(&work);
        }
    }
    for (const auto& [path, users] : by_lock) {
        const bool shared =
            std::all_of(users.begin(), users.end(), [](const ImageWork* work) { return work->overlaid; });
        const auto lock = std::make_shared<ImageLock>(
            ImageLock::take(users.front()->image, shared ? FileLock::Mode::shared : FileLock::Mode::exclusive,
                            holder, Deadline::never()));
        // A machine of this test may outlive it by a moment, and the lock has to outlive the machine.
        if (const auto& guardian = env.context().guardian) {
            guardian->hold(lock->descriptor());
        }
        for (auto* work : users) {
            work->lock = lock;
        }
    }
}

}  // namespace vt

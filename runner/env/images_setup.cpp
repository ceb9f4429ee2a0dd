// SPDX-License-Identifier: GPL-2.0-or-later
// Images before and after a test: upstream's rules, and the locks that make them safe between tests.
#include "runner/env/setup.hpp"
#include "runner/storage/image.hpp"
#include "runner/support/log.hpp"

#include <algorithm>
#include <set>

#include <fmt/core.h>

namespace vt {

namespace {

constexpr Seconds create_patience{600};
constexpr Seconds check_patience{600};

bool yes(const Params& params, std::string_view key, std::string_view fallback = "no") {
    return params.get(key, fallback) == "yes";
}

/// One image of one VM, and the lock on it while the test lasts.
struct ImageWork {
    std::string vm;  ///< empty where the test has no VMs
    Image image;
    std::optional<ImageLock> lock;
    bool overlaid = false;  ///< writes go to a throw-away overlay, the image itself stays as it is
};

/// Keeps a running machine paused while somebody works on its image.
class PausedVm {
  public:
    explicit PausedVm(std::shared_ptr<Vm> vm) : vm_(std::move(vm)) {
        if (vm_ && vm_->status() == "running") {
            vm_->pause();
        } else {
            vm_.reset();
        }
    }
    ~PausedVm() {
        try {
            if (vm_) {
                vm_->resume();
            }
        } catch (const std::exception& error) {
            log::warning("VM {} could not be resumed: {}", vm_->name(), error.what());
        }
    }
    PausedVm(const PausedVm&) = delete;
    PausedVm& operator=(const PausedVm&) = delete;

  private:
    std::shared_ptr<Vm> vm_;
};

class ImagesSetup : public Setup {
  public:
    explicit ImagesSetup(const SetupScope& scope) : scope_(scope) {}

    std::string_view name() const override { return "images"; }

    void set_up() override {
        if (yes(params(), "skip_image_processing") || yes(params(), "not_preprocess")) {
            return;
        }
        const auto vms = params().objects("vms");
        if (vms.empty()) {
            set_up_images("");
        }
        for (const auto& vm : vms) {
            set_up_images(vm);
        }
    }

    void clean_up() override {
        std::exception_ptr first;
        const auto keep_going = [&](auto&& step) {
            try {
                step();
            } catch (const std::exception& error) {
                log::error("{}", error.what());
                if (!first) {
                    first = std::current_exception();
                }
            }
        };
        for (auto& work : works_) {
            if (scope_.test.no_cleanup) {
                log::info("Image {} is left as it is: {} (vt.debug.no_cleanup)", work.image.name(),
                          work.image.path().native());
                continue;
            }
            bool damaged = false;
            keep_going([&] {
                try {
                    check(work);
                } catch (const ImageCorruptError&) {
                    damaged = true;
                    throw;
                }
            });
            keep_going([&] { clean_up_image(work, damaged); });
        }
        works_.clear();
        if (first) {
            std::rethrow_exception(first);
        }
    }

  private:
    Params& params() { return scope_.test.params; }

    /// The parameters as the image sees them; asked anew, since X_on_error may have changed them.
    Params view(const std::string& vm, const std::string& image) {
        return (vm.empty() ? params() : params().object_params(vm)).object_params(image);
    }

    bool vm_runs(const std::string& vm) {
        const auto machine = vm.empty() ? nullptr : scope_.env.get_vm(vm);
        return machine && !machine->is_dead();
    }

    void set_up_images(const std::string& vm) {
        const Params vm_view = vm.empty() ? params() : params().object_params(vm);
        if (vm_view.get("vm_type", "qemu") != "qemu") {
            return;
        }
        for (const auto& name : vm_view.objects("images")) {
            const Params image_view = vm_view.object_params(name);
            if (image_view.get("image_name").empty()) {
                continue;
            }
            ImageWork work{vm, Image::from_params(image_view, name, scope_.test.datadir), {}, false};
            if (!std::any_of(works_.begin(), works_.end(), [&](const ImageWork& other) {
                    return other.image.path() == work.image.path();
                })) {
                set_up_image(std::move(work), image_view);
            }
        }
    }

    void set_up_image(ImageWork work, const Params& view) {
        if (vm_runs(work.vm)) {
            // A machine that an earlier test left: its image is in use, and was prepared then.
            log::debug("Image {} is in use by {}, which still runs", work.image.name(), work.vm);
            works_.push_back(std::move(work));
            return;
        }
        if (overlay_will_do(work, view)) {
            take_lock(work, FileLock::Mode::shared);
            refuse_used(work.image);
            work.overlaid = true;
            params().set(fmt::format("image_snapshot_{}_{}", work.image.name(), work.vm), "yes");
            log::debug("Image {} is restored after the test anyway: it gets a throw-away overlay",
                       work.image.name());
            works_.push_back(std::move(work));
            return;
        }
        take_lock(work, FileLock::Mode::exclusive);
        refuse_used(work.image);
        const Image image = work.image;
        works_.push_back(std::move(work));
        if (yes(view, "backup_image_before_testing")) {
            image.backup();
        }
        if (yes(view, "force_create_image") || (yes(view, "create_image") && !image.exists())) {
            image.create(Deadline::after(create_patience));
        }
    }

    /// A QEMU that nobody's lock tells of: a machine that another job keeps, or one that a person started.
    static void refuse_used(const Image& image) {
        if (image.in_use()) {
            throw TestError(
                fmt::format("image {} ({}) is in use by another QEMU (a VM that another job keeps?); wait "
                            "for its end or end it",
                            image.name(), image.path().native()));
        }
    }

    /// Tests that may run at once share an image by overlays, where the image is restored anyway
    /// and the test neither creates, removes nor chains it, and leaves no machine behind.
    bool overlay_will_do(const ImageWork& work, const Params& view) const {
        const bool restored = yes(view, "restore_image_after_testing") || yes(view, "restore_image");
        const bool made =
            yes(view, "force_create_image") || (yes(view, "create_image") && !work.image.exists());
        return scope_.test.parallel && !work.vm.empty() && restored && !made &&
               !yes(view, "remove_image", "yes") && !yes(view, "backup_image_after_testing_passed") &&
               view.get("image_chain").empty() && !work.image.raw_device() && yes(view, "kill_vm") &&
               work.image.exists();
    }

    void take_lock(ImageWork& work, FileLock::Mode mode) {
        const Seconds patience{params().get_double("test_timeout", 14400)};
        work.lock = ImageLock::take(work.image, scope_.test.vm.dirs.locks(), mode, scope_.test.vm.holder,
                                    Deadline::after(patience));
    }

    void check(const ImageWork& work) {
        const Params image_view = view(work.vm, work.image.name());
        const bool runs = vm_runs(work.vm);
        if (!yes(image_view, "check_image") || work.overlaid || !work.image.exists() ||
            (runs && yes(image_view, "skip_image_check_during_running"))) {
            return;
        }
        try {
            // A paused machine has flushed what it knows of the image; a running one always seems to leak.
            const PausedVm pause(runs ? scope_.env.get_vm(work.vm) : nullptr);
            work.image.check(Deadline::after(check_patience), runs);
        } catch (const ImageCorruptError&) {
            if (yes(image_view, "backup_image_on_check_error")) {
                work.image.keep_damaged();
            }
            throw;
        }
    }

    void clean_up_image(const ImageWork& work, bool damaged) {
        const Params image_view = view(work.vm, work.image.name());
        if (vm_runs(work.vm)) {
            log::warning("Image {} is left as it is, as {} still runs", work.image.name(), work.vm);
            return;
        }
        if (work.image.in_use()) {
            log::warning("Image {} is left as it is, as some QEMU still uses it", work.image.name());
            return;
        }
        if (work.overlaid || !work.lock) {
            return;
        }
        if (!damaged && scope_.verdict.passed() && yes(image_view, "backup_image_after_testing_passed")) {
            work.image.backup(true);
        }
        if (yes(image_view, "restore_image") || yes(image_view, "restore_image_after_testing")) {
            work.image.restore();
        }
        if (yes(image_view, "remove_image", "yes")) {
            work.image.remove();
        }
    }

    SetupScope scope_;
    std::vector<ImageWork> works_;
};

}  // namespace

std::unique_ptr<Setup> make_images_setup(const SetupScope& scope) {
    return std::make_unique<ImagesSetup>(scope);
}

}  // namespace vt

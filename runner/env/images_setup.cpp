// SPDX-License-Identifier: GPL-2.0-or-later
// Images before and after a test, by upstream's rules. The test holds their locks by then (turn_setup.cpp).
#include "runner/env/image_work.hpp"
#include "runner/env/setup.hpp"
#include "runner/support/log.hpp"

#include <fmt/core.h>

namespace vt {

namespace {

constexpr Seconds create_patience{600};
constexpr Seconds check_patience{600};

bool yes(const Params& params, std::string_view key, std::string_view fallback = "no") {
    return params.get(key, fallback) == "yes";
}

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
    explicit ImagesSetup(const SetupScope& scope) : scope_(scope), works_(scope.images) {}

    std::string_view name() const override { return "images"; }

    void set_up() override {
        for (const auto& work : works_) {
            set_up_image(work);
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
        for (std::size_t i = 0; i < begun_; ++i) {
            const ImageWork& work = works_[i];
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

    void set_up_image(const ImageWork& work) {
        const Image& image = work.image;
        if (vm_runs(work.vm)) {
            // A machine that an earlier test left: its image is in use, and was prepared then.
            log::debug("Image {} is in use by {}, which still runs", image.name(), work.vm);
            ++begun_;
            return;
        }
        refuse_used(image);
        ++begun_;
        if (work.overlaid) {
            params().set(fmt::format("image_snapshot_{}_{}", image.name(), work.vm), "yes");
            log::debug("Image {} is restored after the test anyway: it gets a throw-away overlay",
                       image.name());
            return;
        }
        const Params image_view = view(work.vm, image.name());
        if (yes(image_view, "backup_image_before_testing") && may_change(image, "backed up")) {
            image.backup();
        }
        if (yes(image_view, "force_create_image") || (yes(image_view, "create_image") && !image.exists())) {
            if (out_of_bounds(image)) {
                throw TestError(
                    fmt::format("image {} is not made: {}", image.name(), out_of_bounds_text(image)));
            }
            image.create(Deadline::after(create_patience));
        }
    }

    bool out_of_bounds(const Image& image) const { return image.climbs_out() && !scope_.test.allow_outside; }

    static std::string out_of_bounds_text(const Image& image) {
        return fmt::format(
            "\"..\" in image_name or backup_dir leads {} out of the data directory, where tests change "
            "nothing "
            "unless the setting vt.common.allow_outside is yes",
            image.path().lexically_normal().native());
    }

    /// Whether \p image may be changed; else it is left as it is, and the log says why.
    bool may_change(const Image& image, std::string_view what) const {
        if (!out_of_bounds(image)) {
            return true;
        }
        log::warning("Image {} is not {}: {}", image.name(), what, out_of_bounds_text(image));
        return false;
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
            if (yes(image_view, "backup_image_on_check_error") && may_change(work.image, "copied")) {
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
        if (!damaged && scope_.verdict.passed() && yes(image_view, "backup_image_after_testing_passed") &&
            may_change(work.image, "backed up")) {
            work.image.backup(true);
        }
        if ((yes(image_view, "restore_image") || yes(image_view, "restore_image_after_testing")) &&
            may_change(work.image, "restored")) {
            work.image.restore();
        }
        if (yes(image_view, "remove_image", "yes") && may_change(work.image, "removed")) {
            work.image.remove();
        }
    }

    SetupScope scope_;
    std::vector<ImageWork>& works_;
    std::size_t begun_ = 0;  ///< so many of them are ours to clean up
};

}  // namespace

std::unique_ptr<Setup> make_images_setup(const SetupScope& scope) {
    return std::make_unique<ImagesSetup>(scope);
}

}  // namespace vt

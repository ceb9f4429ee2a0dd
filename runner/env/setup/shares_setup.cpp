// SPDX-License-Identifier: GPL-2.0-or-later
// Directories that machines share with the host (`filesystems`): made before, removed after.
#include "runner/env/setup/setup_params.hpp"
#include "runner/support/log.hpp"

#include <set>

namespace vt {

namespace fs = std::filesystem;

namespace {

class SharesSetup : public Setup {
  public:
    explicit SharesSetup(const SetupScope& scope) : scope_(scope) {}

    std::string_view name() const override { return "shared directories"; }

    void set_up() override {
        for_each([this](const std::string&, const std::string& share, const Params& params_) {
            if (const auto type = params_.get("fs_source_type", "mount"); type != "mount") {
                throw TestCancel(
                    fmt::format("fs_source_type = {} of {} is not supported; mount is", type, share));
            }
            if (yes(params_, "fs_source_user_config") || params_.get("fs_source_dir").empty()) {
                return;
            }
            const auto directory = place(params_);
            const bool there = fs::exists(directory);
            if (!yes(params_, "force_create_fs_source") && (there || !yes(params_, "create_fs_source"))) {
                return;
            }
            if (there) {
                guard(directory, "made anew");
                fs::remove_all(directory);
            }
            fs::create_directories(directory);
            made_.insert(directory);
            log::info("The shared directory {} is {}", share, directory.native());
        });
    }

    void clean_up() override {
        for_each([this](const std::string& vm, const std::string& share, const Params& params_) {
            if (!yes(params_, "remove_fs_source") || params_.get("fs_source_dir").empty() ||
                params_.get("fs_source_type", "mount") != "mount") {
                return;
            }
            if (const auto machine = scope_.env.get_vm(vm); machine && !machine->is_dead()) {
                log::warning("The shared directory {} stays, as {} still runs", share, vm);
                return;
            }
            const auto directory = place(params_);
            guard(directory, "removed");
            fs::remove_all(directory);
            log::info("The shared directory {} is removed", directory.native());
        });
    }

  private:
    template <typename Step>
    void for_each(Step&& step) {
        if (yes(scope_.test.params, "not_preprocess") ||
            yes(scope_.test.params, "skip_fs_source_processing")) {
            return;
        }
        for (const auto& vm : scope_.test.params.objects("vms")) {
            const Params view = scope_.test.params.object_params(vm);
            for (const auto& share : view.objects("filesystems")) {
                step(vm, share, view.object_params(share));
            }
        }
    }

    fs::path place(const Params& params_) const {
        return fs::path(params_.get("fs_source_base_dir", scope_.test.datadir.native())) /
               params_.get("fs_source_dir");
    }

    /// A whole tree goes: not one that a mistake in a path leads to.
    void guard(const fs::path& directory, std::string_view what) const {
        const auto plain = fs::weakly_canonical(directory);
        const auto data = fs::weakly_canonical(scope_.test.datadir);
        const auto inside = plain.lexically_relative(data);
        const bool below = !inside.empty() && *inside.begin() != ".." && *inside.begin() != ".";
        if (!below && made_.count(directory) == 0 && !scope_.test.allow_outside) {
            throw TestError(
                fmt::format("the shared directory {} is not {}: it is out of the data directory, where "
                            "tests remove nothing unless the setting vt.common.allow_outside is yes",
                            plain.native(), what));
        }
    }

    SetupScope scope_;
    std::set<fs::path> made_;
};

}  // namespace

std::unique_ptr<Setup> make_shares_setup(const SetupScope& scope) {
    return std::make_unique<SharesSetup>(scope);
}

}  // namespace vt

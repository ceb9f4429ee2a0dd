// SPDX-License-Identifier: GPL-2.0-or-later
// `setup_thp` and `setup_ksm`: transparent huge pages, and the merging of equal pages.
#include "runner/env/setup/host_changes.hpp"
#include "runner/env/setup/setup_params.hpp"
#include "runner/support/log.hpp"
#include "runner/support/strings.hpp"

#include <algorithm>

#include <unistd.h>

namespace vt {

namespace fs = std::filesystem;

namespace {

/// What a test does with transparent huge pages itself is taken back, too: every setting is noted.
class ThpSetup : public Setup {
  public:
    explicit ThpSetup(const SetupScope& scope)
        : params_(scope.test.params), changes_(scope.test.vm.dirs.journal(), scope.test.host_root) {}

    std::string_view name() const override { return "transparent huge pages"; }

    void set_up() override {
        if (!yes(params_, "setup_thp")) {
            return;
        }
        honour("setup_thp = yes", [&] {
            const auto files = settings();
            if (files.empty()) {
                throw Error("its kernel has no transparent huge pages that this user may set");
            }
            for (const auto& file : files) {
                changes_.guard(file);
            }
            for (const auto& wish : split(params_.get("test_config"), ';')) {
                if (trim(wish).empty()) {
                    continue;
                }
                const auto colon = wish.find(':');
                if (colon == std::string::npos) {
                    throw TestError(fmt::format(
                        "the parameter 'test_config' should be FILE:VALUE;FILE:VALUE, not '{}'", wish));
                }
                changes_.set(std::string(trim(wish.substr(0, colon))), trim(wish.substr(colon + 1)));
            }
        });
    }

    void clean_up() override { changes_.undo(); }

  private:
    /// What can be both read and written.
    std::vector<fs::path> settings() const {
        std::vector<fs::path> files;
        std::error_code error;
        const fs::path base = "/sys/kernel/mm/transparent_hugepage";
        for (const auto& entry : fs::recursive_directory_iterator(changes_.at(base), error)) {
            if (entry.is_regular_file(error) && ::access(entry.path().c_str(), R_OK | W_OK) == 0) {
                files.push_back(base / entry.path().lexically_relative(changes_.at(base)));
            }
        }
        std::sort(files.begin(), files.end());
        return files;
    }

    const Params& params_;
    HostChanges changes_;
};

class KsmSetup : public Setup {
  public:
    explicit KsmSetup(const SetupScope& scope)
        : params_(scope.test.params), changes_(scope.test.vm.dirs.journal(), scope.test.host_root) {}

    std::string_view name() const override { return "KSM"; }

    void set_up() override {
        if (!yes(params_, "setup_ksm")) {
            return;
        }
        honour("setup_ksm = yes", [&] {
            load_module();
            if (!fs::exists(changes_.at("/sys/kernel/mm/ksm/run"))) {
                throw Error("its kernel has no KSM (/sys/kernel/mm/ksm)");
            }
            if (yes(params_, "disable_ksmtuned", "yes")) {
                stop_tuner();
            }
            changes_.set("/sys/kernel/mm/ksm/sleep_millisecs", params_.get("ksm_sleep_ms", "50"));
            changes_.set("/sys/kernel/mm/ksm/pages_to_scan", params_.get("ksm_pages_to_scan", "5000"));
            changes_.set("/sys/kernel/mm/ksm/run", run());
        });
    }

    void clean_up() override { changes_.undo(); }

  private:
    std::string run() const {
        const auto word = params_.get("ksm_run", "1");
        return word == "yes" ? "1" : word == "no" ? "0" : word;
    }

    void load_module() {
        const auto module = params_.get("ksm_module");
        if (module.empty() || fs::exists(changes_.at("/sys/module") / replace_all(module, "-", "_"))) {
            return;
        }
        changes_.undo_by({"modprobe", "-r", module});
        process::check({{"modprobe", module}, {}, {}, {}, true}, Deadline::after(Seconds{60}));
    }

    /// ksmtuned changes the same settings on its own account.
    void stop_tuner() {
        if (!process::find_program("systemctl") ||
            !process::run({{"systemctl", "is-active", "--quiet", "ksmtuned"}, {}, {}, {}, true},
                          Deadline::after(Seconds{30}))
                 .status.ok()) {
            return;
        }
        changes_.undo_by({"systemctl", "start", "ksmtuned"});
        process::check({{"systemctl", "stop", "ksmtuned"}, {}, {}, {}, true}, Deadline::after(Seconds{60}));
    }

    const Params& params_;
    HostChanges changes_;
};

}  // namespace

std::unique_ptr<Setup> make_thp_setup(const SetupScope& scope) {
    return std::make_unique<ThpSetup>(scope);
}

std::unique_ptr<Setup> make_ksm_setup(const SetupScope& scope) {
    return std::make_unique<KsmSetup>(scope);
}

}  // namespace vt

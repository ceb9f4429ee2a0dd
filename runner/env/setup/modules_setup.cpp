// SPDX-License-Identifier: GPL-2.0-or-later
// `kvm_module_force_load`, `kvm_module_parameters`, `kvm_probe_…`: KVM's modules, loaded with other
// parameters.
#include "runner/env/setup/host_changes.hpp"
#include "runner/env/setup/setup_params.hpp"
#include "runner/support/file.hpp"
#include "runner/support/kernel_setting.hpp"
#include "runner/support/log.hpp"
#include "runner/support/strings.hpp"

#include <algorithm>
#include <vector>

namespace vt {

namespace fs = std::filesystem;

namespace {

constexpr Seconds patience{120};

class ModulesSetup : public Setup {
  public:
    explicit ModulesSetup(const SetupScope& scope)
        : params_(scope.test.params), changes_(scope.test.vm.dirs.journal(), scope.test.host_root) {}

    std::string_view name() const override { return "kernel modules"; }

    void set_up() override {
        const std::string probe = probe_module();
        for (const auto& [module, prefix] : {std::pair<std::string, std::string>{"kvm", "kvm"},
                                             std::pair<std::string, std::string>{probe, "kvm_probe"}}) {
            const bool force = params_.get_boolean(prefix + "_module_force_load");
            const auto wanted = params_.get(prefix + "_module_parameters");
            if (!force && wanted.empty()) {
                continue;
            }
            honour(fmt::format("{}_module_parameters = {}", prefix, wanted),
                   [&, name = module] { reload(name, force, wanted); });
        }
    }

    void clean_up() override { changes_.undo(); }

  private:
    fs::path directory(const std::string& module) const {
        return changes_.at("/sys/module") / replace_all(module, "-", "_");
    }

    /// The half of KVM that knows the processor.
    std::string probe_module() const {
        for (const char* name : {"kvm_intel", "kvm_amd", "kvm_hv", "kvm_pr"}) {
            if (fs::exists(directory(name))) {
                return name;
            }
        }
        std::string text;
        try {
            text = read_file(changes_.at("/proc/cpuinfo"));
        } catch (const Error&) {
        }
        return text.find(" svm") != std::string::npos ? "kvm_amd" : "kvm_intel";
    }

    /// "nested=1 ept=Y …" of a loaded one.
    std::vector<std::string> parameters(const std::string& module) const {
        std::vector<std::string> found;
        std::error_code error;
        for (const auto& entry : fs::directory_iterator(directory(module) / "parameters", error)) {
            try {
                found.push_back(entry.path().filename().native() + "=" + kernel_setting::read(entry.path()));
            } catch (const Error&) {
                continue;  // it may be written only
            }
        }
        std::sort(found.begin(), found.end());
        return found;
    }

    std::vector<std::string> users(const std::string& module) const {
        std::vector<std::string> found;
        std::error_code error;
        for (const auto& entry : fs::directory_iterator(directory(module) / "holders", error)) {
            found.push_back(entry.path().filename().native());
        }
        return found;
    }

    static void run(const std::vector<std::string>& argv) {
        process::check({argv, {}, {}, {}, true}, Deadline::after(patience));
    }

    static std::vector<std::string> loading(const std::string& module,
                                            const std::vector<std::string>& words) {
        std::vector<std::string> argv{"modprobe", module};
        argv.insert(argv.end(), words.begin(), words.end());
        return argv;
    }

    /// Unloads \p module and those that use it, each of which comes back later as it was.
    void unload(const std::string& module) {
        if (!fs::exists(directory(module))) {
            return;
        }
        for (const auto& user : users(module)) {
            unload(user);
        }
        // Undone in reverse: what the test loaded goes, then the module comes back as it was.
        changes_.undo_by(loading(module, parameters(module)));
        run({"modprobe", "-r", module});
    }

    void reload(const std::string& module, bool force, const std::string& wanted) {
        const auto words = split_words(wanted);
        const bool loaded = fs::exists(directory(module));
        const auto now = parameters(module);
        const bool same = loaded && std::all_of(words.begin(), words.end(), [&](const std::string& word) {
                              return std::find(now.begin(), now.end(), word) != now.end();
                          });
        if (!force && (same || !loaded)) {
            log::debug("Module {} stays: {}", module,
                       loaded ? "it has these parameters" : "it is not loaded");
            return;
        }
        const auto before = users(module);
        unload(module);
        changes_.undo_by({"modprobe", "-r", module});
        run(loading(module, words));
        log::info("Module {} is loaded with \"{}\"", module, wanted);
        for (const auto& user : before) {
            changes_.undo_by({"modprobe", "-r", user});
            run({"modprobe", user});
        }
    }

    const Params& params_;
    HostChanges changes_;
};

}  // namespace

std::unique_ptr<Setup> make_modules_setup(const SetupScope& scope) {
    return std::make_unique<ModulesSetup>(scope);
}

}  // namespace vt

// SPDX-License-Identifier: GPL-2.0-or-later
// `network_proxies`, `firewalld_*`; and what asks for things that no step here does: the test is then
// cancelled rather than run without them.
#include "runner/env/setup/host_changes.hpp"
#include "runner/env/setup/setup_params.hpp"
#include "runner/support/log.hpp"
#include "runner/support/strings.hpp"

#include <cstdlib>
#include <optional>
#include <utility>
#include <vector>

#include <sys/utsname.h>

namespace vt {

namespace {

constexpr Seconds patience{60};

class ServicesSetup : public Setup {
  public:
    explicit ServicesSetup(const SetupScope& scope)
        : params_(scope.test.params), changes_(scope.test.vm.dirs.journal(), scope.test.host_root) {}

    std::string_view name() const override { return "services"; }

    void set_up() override {
        refuse_unknown();
        set_proxies();
        set_firewall();
    }

    void clean_up() override {
        for (const auto& [name, former] : former_) {
            if (former) {
                ::setenv(name.c_str(), former->c_str(), 1);
            } else {
                ::unsetenv(name.c_str());
            }
        }
        former_.clear();
        changes_.undo();
    }

  private:
    void refuse_unknown() const {
        const auto refuse = [](std::string_view wish, std::string_view why) {
            throw TestCancel(fmt::format("{} cannot be honoured by this runner: {}", wish, why));
        };
        if (yes(params_, "run_nested_guest_test")) {
            refuse("run_nested_guest_test = yes",
                   "it installs no Avocado into guests; run the nested test there yourself");
        }
        if (yes(params_, "setup_egd")) {
            refuse("setup_egd = yes",
                   "it has no entropy daemon; start one and name its socket by chardev_path");
        }
        if (yes(params_, "migration_setup")) {
            refuse("migration_setup = yes", "tests have one host");
        }
        if (yes(params_, "setup_ssh")) {
            refuse("setup_ssh = yes", "tests have one host");
        }
        if (yes(params_, "setup_libvirt_polkit")) {
            refuse("setup_libvirt_polkit = yes", "it does not configure libvirt's access rights");
        }
        utsname host{};
        ::uname(&host);
        // Elsewhere both mean nothing.
        if (std::string_view(host.machine).starts_with("ppc") &&
            (yes(params_, "power9_compat") || yes(params_, "restore_smt"))) {
            refuse("power9_compat and restore_smt", "it does not switch SMT of POWER hosts");
        }
        if (yes(params_, "enable_strace")) {
            refuse("enable_strace = yes", "say qemu_command_prefix = strace -f -o FILE");
        }
    }

    /// "http_proxy: http://a:1, https_proxy: …" become variables of the environment, which is where Python's
    /// urllib and other programs look for them.
    void set_proxies() {
        auto list = replace_all(params_.get("network_proxies"), ";", ",");
        for (const auto& part : split(list, ',')) {
            const auto wish = trim(part);
            if (wish.empty()) {
                continue;
            }
            const auto colon = wish.find("_proxy:");
            if (colon == std::string_view::npos || colon == 0) {
                throw TestError(fmt::format(
                    "the parameter 'network_proxies' should be http_proxy: URL, https_proxy: URL, not '{}'",
                    wish));
            }
            const auto name = std::string(wish.substr(0, colon)) + "_proxy";
            const char* former = std::getenv(name.c_str());
            former_.emplace_back(name, former == nullptr ? std::nullopt : std::optional<std::string>(former));
            ::setenv(name.c_str(), std::string(trim(wish.substr(colon + 7))).c_str(), 1);
        }
    }

    static bool works(const std::vector<std::string>& argv) {
        return process::run({argv, {}, {}, {}, true}, Deadline::after(patience)).status.ok();
    }

    void set_firewall() {
        const auto service = params_.get("firewalld_service");
        const bool workaround = yes(params_, "firewalld_dhcp_workaround");
        if (service != "disable" && service != "enable" && !workaround) {
            return;
        }
        if (!process::find_program("firewall-cmd")) {
            log::warning(
                "firewalld is not installed on this host, so firewalld_service and "
                "firewalld_dhcp_workaround change nothing");
            return;
        }
        const bool runs = works({"firewall-cmd", "--state"});
        if ((service == "disable" && runs) || (service == "enable" && !runs)) {
            const bool stop = service == "disable";
            honour("firewalld_service = " + service, [&] {
                changes_.undo_by({"systemctl", stop ? "start" : "stop", "firewalld"});
                process::check({{"systemctl", stop ? "stop" : "start", "firewalld"}, {}, {}, {}, true},
                               Deadline::after(patience));
            });
        }
        if (workaround && service != "disable" && !works({"firewall-cmd", "--query-service=dhcp"})) {
            changes_.undo_by({"firewall-cmd", "--remove-service=dhcp"});
            if (!works({"firewall-cmd", "--add-service=dhcp"})) {
                log::warning("firewalld does not let the guests' DHCP through (firewalld_dhcp_workaround)");
            }
        }
    }

    const Params& params_;
    HostChanges changes_;
    std::vector<std::pair<std::string, std::optional<std::string>>> former_;
};

}  // namespace

std::unique_ptr<Setup> make_services_setup(const SetupScope& scope) {
    return std::make_unique<ServicesSetup>(scope);
}

}  // namespace vt

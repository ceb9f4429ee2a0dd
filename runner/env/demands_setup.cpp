// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/env/setup.hpp"
#include "runner/env/version_interval.hpp"
#include "runner/process/process.hpp"
#include "runner/support/log.hpp"
#include "runner/support/strings.hpp"

#include <fmt/core.h>
#include <sys/utsname.h>
#include <unistd.h>

namespace vt {

namespace {

/// What a test demands of the host before anything is touched.
class DemandsSetup : public Setup {
  public:
    explicit DemandsSetup(const SetupScope& scope) : params_(scope.test.params) {}

    std::string_view name() const override { return "demands"; }

    void set_up() override {
        if (params_.get("requires_root") == "yes" && ::geteuid() != 0) {
            throw TestSkip("the test requires root privileges (requires_root); run it as root");
        }
        for (const auto& program : split_words(params_.get("cmds_installed_host"))) {
            if (!process::find_program(program)) {
                throw TestSkip(fmt::format(
                    "the program {} is not installed on this host (cmds_installed_host)", program));
            }
        }
        if (params_.get("enable_kvm") == "yes" && ::access("/dev/kvm", F_OK) != 0) {
            throw TestCancel("the test wants KVM (enable_kvm = yes), but this host has no /dev/kvm");
        }
        if (const auto wanted = params_.get("required_kernel"); !wanted.empty()) {
            utsname system{};
            ::uname(&system);
            demand("kernel", system.release, wanted);
        }
        if (const auto wanted = params_.get("required_qemu"); !wanted.empty()) {
            demand("QEMU", qemu_version(), wanted);
        }
    }

    void clean_up() override {}

  private:
    static void demand(std::string_view what, const std::string& found, const std::string& wanted) {
        if (!VersionInterval::parse(wanted).contains(found)) {
            throw TestCancel(fmt::format("the test wants a {} of {}, this one is {}", what, wanted, found));
        }
    }

    /// "7.2.22" of "QEMU emulator version 7.2.22 (Debian …)".
    std::string qemu_version() const {
        const process::Command command{
            {params_.get("qemu_binary", "qemu-kvm"), "--version"}, {}, {}, {}, false};
        const auto words = split_words(process::check(command, Deadline::after(Seconds{20})).out);
        const auto word = std::find(words.begin(), words.end(), "version");
        if (word == words.end() || word + 1 == words.end()) {
            throw Error(fmt::format("{} does not tell its version", command.argv.front()));
        }
        return *(word + 1);
    }

    const Params& params_;
};

}  // namespace

std::unique_ptr<Setup> make_demands_setup(const SetupScope& scope) {
    return std::make_unique<DemandsSetup>(scope);
}

}  // namespace vt

// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/env/setup.hpp"
#include "runner/env/version_interval.hpp"
#include "runner/process/process.hpp"
#include "runner/support/log.hpp"
#include "runner/support/strings.hpp"

#include <algorithm>
#include <filesystem>
#include <optional>

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
            const auto told = version_by("kvm_userspace_ver_cmd");
            demand("QEMU", told ? *told : qemu_version(), wanted);
        }
        demand_virtiofsd();
        demand_virtio_win();
        if (const auto told = version_by("vm_bootloader_ver_cmd")) {
            log::info("The machines' firmware is {}", *told);
        }
    }

    void clean_up() override {}

  private:
    static void demand(std::string_view what, const std::string& found, const std::string& wanted) {
        if (!VersionInterval::parse(wanted).contains(found)) {
            throw TestCancel(fmt::format("the test wants a {} of {}, this one is {}", what, wanted, found));
        }
    }

    /// What the shell command under \p key prints; nothing if it is not set.
    std::optional<std::string> version_by(const std::string& key) const {
        const auto text = params_.get(key);
        if (text.empty()) {
            return std::nullopt;
        }
        const auto done =
            process::run({{"/bin/sh", "-c", text}, {}, {}, {}, true}, Deadline::after(Seconds{20}));
        return done.status.ok() ? std::string(trim(done.out)) : "Unknown";
    }

    /// As with Avocado-VT, a version is asked for only where it is said how.
    void demand_virtiofsd() const {
        const auto told = version_by("virtiofsd_ver_cmd");
        const auto wanted = params_.get("required_virtiofsd");
        if (!told || wanted.empty()) {
            return;
        }
        const auto version = first_version(*told);
        if (version.empty()) {
            throw TestCancel(
                fmt::format("the test wants a virtiofsd of {}, and its version cannot be told from \"{}\"",
                            wanted, *told));
        }
        demand("virtiofsd", version, wanted);
    }

    /// The drivers' version is in the name of their disc, "virtio-win-1.9.40-0.iso",
    /// "virtio-win-prewhql-0.1-224".
    void demand_virtio_win() const {
        const auto disc = params_.get("cdrom_virtio");
        const bool prewhql = disc.find("prewhql") != std::string::npos;
        const auto wanted =
            prewhql ? params_.get("required_virtio_win_prewhql") : params_.get("required_virtio_win");
        if (wanted.empty() || disc.empty()) {
            return;
        }
        std::error_code ignored;
        const auto target = std::filesystem::weakly_canonical(disc, ignored);
        const auto version = first_version((ignored ? disc : target.filename().native()));
        if (version.empty()) {
            throw TestCancel(fmt::format(
                "the test wants virtio-win of {}, and its version cannot be told from cdrom_virtio = {}",
                wanted, disc));
        }
        demand("virtio-win", version, wanted);
    }

    /// The first dotted number of \p text, with what follows it behind a hyphen: "1.9.40.0"; empty if none.
    static std::string first_version(std::string_view text) {
        static constexpr std::string_view digits = "0123456789";
        for (auto begin = text.find_first_of(digits); begin != std::string_view::npos;
             begin = text.find_first_of(digits, begin + 1)) {
            auto end = std::min(text.find_first_not_of("0123456789.-", begin), text.size());
            while (end > begin && digits.find(text[end - 1]) == std::string_view::npos) {
                --end;
            }
            const auto word = text.substr(begin, end - begin);
            if (word.find('.') != std::string_view::npos) {
                return replace_all(std::string(word), "-", ".");
            }
            begin = end;
        }
        return {};
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

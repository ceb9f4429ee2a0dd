// SPDX-License-Identifier: GPL-2.0-or-later
// `verify_host_dmesg`: whether the host's kernel complained during the test.
#include "runner/env/setup/kernel_log.hpp"
#include "runner/env/setup/setup_params.hpp"
#include "runner/support/file.hpp"
#include "runner/support/log.hpp"
#include "runner/support/strings.hpp"

#include <optional>

namespace vt {

namespace {

class HostDmesgSetup : public Setup {
  public:
    explicit HostDmesgSetup(const SetupScope& scope) : test_(scope.test), params_(scope.test.params) {}

    std::string_view name() const override { return "the host's kernel log"; }

    void set_up() override {
        if (!yes(params_, "verify_host_dmesg", "yes")) {
            return;
        }
        try {
            log_.emplace(test_.host_root / "dev/kmsg");
        } catch (const Error& error) {
            log::info("The host's kernel log is not watched (verify_host_dmesg): {}", error.what());
        }
    }

    void clean_up() override {
        if (!log_ || !yes(params_, "verify_host_dmesg", "yes")) {
            return;
        }
        const auto messages = log_->read();
        const auto levels = static_cast<int>(params_.get_numeric("host_dmesg_level", 3));
        const auto found = unexpected_messages(messages, levels, params_.get("expected_host_dmesg"));
        if (found.empty()) {
            return;
        }
        const auto file = test_.logdir / params_.get("host_dmesg_logfile", "host_dmesg.log");
        write_file_atomically(file, to_text(messages));
        const auto what = fmt::format(
            "the host's kernel complained during the test: {} (host_dmesg_level = {}; all of it is in {})",
            found.front().text, levels, file.native());
        if (yes(params_, "host_dmesg_ignore")) {
            log::warning("{}", what);
            return;
        }
        throw TestFail(what);
    }

  private:
    TestContext& test_;
    const Params& params_;
    std::optional<KernelLog> log_;
};

}  // namespace

std::unique_ptr<Setup> make_host_dmesg_setup(const SetupScope& scope) {
    return std::make_unique<HostDmesgSetup>(scope);
}

}  // namespace vt

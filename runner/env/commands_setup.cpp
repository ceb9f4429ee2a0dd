// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/env/setup.hpp"
#include "runner/process/process.hpp"
#include "runner/support/log.hpp"
#include "runner/support/strings.hpp"

#include <fmt/core.h>

namespace vt {

namespace {

/// `pre_command` and `post_command`, which are documented as shell commands: they run by /bin/sh in the
/// test's directory with every parameter in the environment as KVM_TEST_NAME.
class CommandsSetup : public Setup {
  public:
    explicit CommandsSetup(const SetupScope& scope) : test_(scope.test) {}

    std::string_view name() const override { return "commands"; }
    void set_up() override { run("pre_command"); }
    void clean_up() override { run("post_command"); }

  private:
    void run(const std::string& key) {
        const Params& params = test_.params;
        const auto text = params.get(key);
        if (text.empty()) {
            return;
        }
        process::Command command;
        command.argv = {"/bin/sh", "-c", text};
        command.working_dir = test_.bindir;
        command.merge_stderr = true;
        params.for_each([&](std::string_view name, std::string_view value) {
            command.environment["KVM_TEST_" + std::string(name)] = value;
        });
        log::info("Running {}: {}", key, text);
        const auto done =
            process::run(command, Deadline::after(Seconds{params.get_double(key + "_timeout", 600)}));
        if (const auto output = trim(done.out); !output.empty()) {
            log::info("{}", to_valid_utf8(output));
        }
        if (done.status.ok()) {
            return;
        }
        const auto lines = split(trim(done.out), '\n');
        const auto what = fmt::format("{} \"{}\" ended with {}{}{}", key, text, done.status.text(),
                                      lines.back().empty() ? "" : ": ", lines.back());
        if (params.get(key + "_noncritical") == "yes") {
            log::warning("{}", what);
            return;
        }
        throw TestError(what);
    }

    TestContext& test_;
};

}  // namespace

std::unique_ptr<Setup> make_commands_setup(const SetupScope& scope) {
    return std::make_unique<CommandsSetup>(scope);
}

}  // namespace vt

// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/commands/commands.hpp"
#include "runner/support/journal.hpp"
#include "runner/support/runtime_dirs.hpp"

#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/core.h>

namespace vt {

void add_reap_command(CLI::App& app, int& exit_status) {
    auto* command =
        app.add_subcommand("reap", "Bring back what a dead run left: processes, files, interfaces, mounts");
    auto all = std::make_shared<bool>(false);
    command->add_flag("--all", *all, "also what was meant to stay (kill_vm = no with vt.common.tmp_dir)");
    command->callback([all, &exit_status] {
        const auto journal = RuntimeDirs::make().journal();
        const auto count = Journal::reap(journal, *all);
        std::size_t left = 0;
        for (const auto& resource : Journal::leftovers(journal)) {
            if (resource.kept && !*all) {
                fmt::print("kept: {} (take it down with --all)\n", resource.name);
            } else {
                fmt::print("still there: {}\n", resource.name);
                ++left;
            }
        }
        fmt::print("{} thing(s) taken down\n", count);
        exit_status = left == 0 ? 0 : 1;
    });
}

}  // namespace vt

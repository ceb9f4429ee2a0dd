// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/commands/commands.hpp"
#include "runner/sharing/take_away.hpp"
#include "runner/support/error.hpp"
#include "runner/support/journal.hpp"
#include "runner/support/log.hpp"
#include "runner/support/printable.hpp"
#include "runner/support/runtime_dirs.hpp"

#include <algorithm>
#include <memory>
#include <string>

#include <CLI/CLI.hpp>
#include <fmt/core.h>

namespace vt {

namespace {

constexpr Seconds patience{10};  ///< with another reaper, who needs milliseconds

/// One line for people; empty for what needs none.
std::string sentence(const Reaped& reaped) {
    const auto what = reaped.resource.text();
    switch (reaped.fate) {
        case Reaped::Fate::taken_down:
            return fmt::format("taken down: {}, left by process {}", what, reaped.owner.pid);
        case Reaped::Fate::was_gone:
            return {};
        case Reaped::Fate::kept:
            return fmt::format("kept: {}, which was meant to stay (--all takes it down)", what);
        case Reaped::Fate::in_use:
            return fmt::format("kept: {}, as its job still runs (process {})", what,
                               reaped.resource.holder.pid);
        case Reaped::Fate::foreign:
            return fmt::format(
                "kept: {}, as its job may still run in another container (--all takes it down)", what);
        case Reaped::Fate::resisted:
            return fmt::format("still there: {} ({})", what, reaped.problem);
    }
    return {};
}

/// `--claims-of`: what others wait for is taken away, and nothing else is done.
int take_away(const std::string& user) {
    try {
        const auto taken = take_away_claims(RuntimeDirs::host(), user_named(user));
        for (const auto& one : taken) {
            fmt::print("taken away: {}\n", printable_line(one));
        }
        fmt::print("{}\n", taken.empty() ? fmt::format("user {} claims nothing", printable_line(user))
                                         : fmt::format("{} taken away", taken.size()));
        return 0;
    } catch (const Error& error) {
        fmt::print(stderr, "{}\n", printable(error.what()));
        return 1;
    }
}

int take_down(bool all) {
    // The lines below say it all, and on standard output.
    log::set_sink([](auto, auto, auto) {});
    const auto reaped = Journal::reap(RuntimeDirs::make().journal(), all, Deadline::after(patience));
    log::set_sink({});
    for (const auto& one : reaped) {
        if (const auto line = sentence(one); !line.empty()) {
            fmt::print("{}\n", printable_line(line));
        }
    }
    const auto count = [&](Reaped::Fate fate) {
        return std::count_if(reaped.begin(), reaped.end(),
                             [fate](const Reaped& one) { return one.fate == fate; });
    };
    const auto down = count(Reaped::Fate::taken_down);
    fmt::print("{}\n", down == 0 ? "nothing to take down" : fmt::format("{} taken down", down));
    return count(Reaped::Fate::resisted) == 0 ? 0 : 1;
}

}  // namespace

void add_reap_command(CLI::App& app, int& exit_status) {
    auto* command =
        app.add_subcommand("reap",
                           "Bring back what dead runs left: processes, files, interfaces, mounts. Ends with "
                           "status 1 if something that should go resists");
    auto all = std::make_shared<bool>(false);
    command->add_flag("--all", *all, "also what was meant to stay (kill_vm = no with vt.common.tmp_dir)");
    auto user = std::make_shared<std::string>();
    command
        ->add_option("--claims-of", *user,
                     "Instead: take away the claims of the host and the locks of images that processes of "
                     "this user hold, so that others stop waiting for them; his tests go on without them. "
                     "For root, or for one's own")
        ->type_name("USER");
    command->callback(
        [all, user, &exit_status] { exit_status = user->empty() ? take_down(*all) : take_away(*user); });
}

}  // namespace vt

// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// One script, run and judged as `check` judges: exit status, NAME.notrun, the output against the expected
/// one, NAME.casenotrun.
///
/// A script gets directories of its own, so that any number run side by side, and everything that it started
/// ends with it: what it left running (QEMU, qemu-nbd, a storage daemon) is named and killed.
#pragma once

#include "runner/harness/block/script.hpp"
#include "runner/harness/block/settings.hpp"

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace vt {
class Interrupt;
class IoLoop;
}  // namespace vt

namespace vt::block {

/// How a script ended. `error`: nothing can be said of what it tests (it hung, it could not be started).
enum class Verdict { pass, fail, not_run, error };

/// "pass", "fail", "not run", "error".
std::string_view verdict_name(Verdict verdict);

/// What came of one script.
struct ScriptResult {
    Verdict verdict = Verdict::pass;
    std::string reason;                    ///< one readable sentence; empty for a pass
    std::string difference;                ///< unified diff of the output; empty if there is none
    std::string remarks;                   ///< cases that were not run, a line each
    std::vector<std::string> left_behind;  ///< what it left running: "qemu-nbd (process 12)"; killed
    std::vector<std::string> cores;        ///< of programs that crashed: where each is kept
    double seconds = 0;
};

/// What a script is run with, beside its Settings.
struct RunContext {
    std::filesystem::path journals;   ///< RuntimeDirs::journal()
    std::filesystem::path test_dirs;  ///< TEST_DIRs are made here; empty: $TEST_DIR, $TMPDIR or /var/tmp
    std::filesystem::path sock_dirs;  ///< SOCK_DIRs are made here: a short path
    std::filesystem::path
        results;  ///< NAME.out.bad and QMP logs of a script that did not pass; made if needed
    std::filesystem::path
        source;  ///< the folder of the tests; empty: the script's (or the one above `tests`)
    std::function<void(std::string_view line)>
        on_line;                           ///< each line of output, and each unittest case's end
    const Interrupt* interrupt = nullptr;  ///< ends the script; InterruptedError comes out
};

/// Runs \p script. Throws InterruptedError; whatever else goes wrong is in the result.
ScriptResult run_script(IoLoop& loop, const Script& script, const Settings& settings, const Facts& facts,
                        const RunContext& context);

}  // namespace vt::block

// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// How a process ended.
#pragma once

#include <string>

namespace vt::process {

/// How a process ended.
struct ExitStatus {
    int code = 0;       ///< exit code, if it exited
    int signal = 0;     ///< the signal that killed it, or 0
    bool core = false;  ///< a core was dumped

    bool ok() const { return code == 0 && signal == 0; }
    /// "exit status 1", "killed by SIGSEGV (core dumped)".
    std::string text() const;
    /// From waitpid's status word.
    static ExitStatus from_wait(int status);
    bool operator==(const ExitStatus&) const = default;
};

}  // namespace vt::process

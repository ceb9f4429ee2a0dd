// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// A program as a driver: started under supervision, ready when its log says so, gone with all that it
/// started.
#pragma once

#include "runner/harness/driver/driver.hpp"
#include "runner/support/deadline.hpp"

#include <csignal>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

namespace vt::process {
class Supervised;
}

namespace vt::driver {

/// What is run. Texts may have {{names}}, which are resolved at the start. It works in the run path; its
/// standard output and error are the files `stdout` and `stderr` there, which are its logs.
struct ProcessTexts {
    std::vector<std::string> argv;
    std::map<std::string, std::string> environment;
    int stop_signal = SIGTERM;
    Seconds grace{5};                ///< then it gets SIGKILL
    std::optional<int> exit_status;  ///< what its end has to be when it is stopped; empty: anything
};

/// A program's driver; the environment owns it. Its values: pid.
class ProcessDriver {
  public:
    ProcessDriver(Driver& driver, std::shared_ptr<std::unique_ptr<process::Supervised>> process);

    Driver& driver() const { return *driver_; }
    /// The process, once it was started.
    std::optional<pid_t> pid() const;
    bool running() const;
    /// Writes to its standard input. Throws NoConnectionError before the start, as Supervised::write().
    void write(std::string_view bytes, const Deadline& deadline) const;

  private:
    Driver* driver_;
    std::shared_ptr<std::unique_ptr<process::Supervised>> process_;
};

/// Throws Error for a name that is taken. Its start throws NotFoundError for a program that is not there, and
/// Error with the status and the last lines if it ends before it has started.
ProcessDriver add_process(Environment& environment, Settings settings, ProcessTexts texts);

}  // namespace vt::driver

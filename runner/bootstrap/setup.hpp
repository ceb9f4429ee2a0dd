// SPDX-License-Identifier: GPL-2.0-or-later
/// \file setup.hpp
/// What the steps of one bootstrap share, and the steps themselves: each in a file of its own,
/// `step_NAME.cpp`.
///
/// A step looks at what is there and does what is missing. It says what it does through the logger, adds to
/// Outcome::problems what the user has to mend before tests can run, and throws BootstrapError where going on
/// makes no sense. Only bootstrap.cpp calls them, in the order in which they stand here.
#pragma once

#include "providers/provider.hpp"
#include "resolver/data_dir.hpp"
#include "resolver/resolver.hpp"
#include "runner/bootstrap/bootstrap.hpp"
#include "runner/bootstrap/config_set.hpp"
#include "runner/support/install_dirs.hpp"

#include <string>
#include <vector>

namespace vt::bootstrap {

/// One run.
struct Setup {
    Options options;
    resolver::DataDir dir;
    InstallDirs install;
    resolver::DataDirNotes notes;
    std::vector<providers::Provider> providers;  ///< known from step 1 on
    Outcome outcome;
};

/// Before the first step, since the lock lies in the data directory: every directory of it.
void make_directories(const Setup& setup);

/// Removes the files that a run which was killed had half written; for who holds the lock.
void remove_leftovers(const Setup& setup);

/// 1: definitions of test providers, and their directories.
void update_providers(Setup& setup);

/// 2: the programs and headers that the type's list calls mandatory; a problem if no test runs without one.
void check_mandatory_programs(Setup& setup);

/// 3: programs that some tests use.
void check_recommended_programs(Setup& setup);

/// 4: says that the directories are there.
void verify_directories(const Setup& setup);

/// 5: backends/TYPE/cfg.
void make_config_set(Setup& setup);

/// 6: the guest's image. Throws BootstrapError if there is no such guest.
void provide_guest(Setup& setup);

/// The kernel modules that the type's tests want on this host, as modprobe names them.
std::vector<std::string> wanted_modules(const Setup& setup);

/// 7: kernel modules, and which accelerator works.
void check_modules(const Setup& setup);

/// This host's architecture, as uname has it.
std::string host_machine();

/// Says which files were written and which were kept. \param why_kept as in "it was edited"
void report_config_files(const Setup& setup, const ConfigSetReport& done, const char* why_kept);

}  // namespace vt::bootstrap

// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// `iotests`: QEMU's block tests in the words of QEMU's own `check`.
///
/// Its options are single-dash words (`-qcow2`, `-nocache`, `-j 2`), as users of `check` type them, so they
/// are parsed by hand.
#pragma once

#include "runner/harness/block/script.hpp"
#include "runner/harness/block/settings.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace vt {

/// What the words mean.
struct IotestsRequest {
    block::Settings settings;
    block::Selection selection;
    std::filesystem::path
        source;  ///< the folder of the tests; empty: found by the names, else the working one
    std::filesystem::path results;  ///< what is kept of tests that did not pass
    int jobs = 1;
    bool dry_run = false;
    bool tap = false;
    bool color = false;
    bool help = false;
    std::vector<std::string> command;  ///< behind `--`: run in a test's environment in place of tests
};

/// Throws Error for a word that is none of ours.
IotestsRequest parse_iotests(const std::vector<std::string>& words);

/// Runs the command. Exit status: 0, 1 if a test failed, 2 for words that cannot be understood.
int run_iotests_command(const std::vector<std::string>& words);

}  // namespace vt

// SPDX-License-Identifier: GPL-2.0-or-later
/// \file git_worker.hpp
/// The process that does one GitJob: `avocado-runner-vt provider-worker`.
///
/// It reads the job from standard input, opens libvtgit.so, and writes JSON lines (git_job.hpp) to standard
/// output: progress at most a few times a second, then one result or error.
#pragma once

namespace vt::providers {

/// Serves the job on descriptor 0. Returns the exit status: 0 after a result, 1 after an error.
int run_git_worker();

}  // namespace vt::providers

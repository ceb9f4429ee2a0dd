// SPDX-License-Identifier: GPL-2.0-or-later
/// \file worker_client.hpp
/// Starts the worker's process for one job and listens to it.
#pragma once

#include "providers/git_job.hpp"
#include "runner/support/deadline.hpp"

#include <string>

namespace vt::providers {

/// Has \p job done and logs its progress, a line every few seconds. The worker is killed if it says nothing
/// for \p patience. Throws GitError, GitRefusedError with the worker's words, TimeoutError.
GitResult run_worker(const GitJob& job, Seconds patience);

/// \p progress for people: "receiving objects: 45 % (900 of 2000), 12.3 MiB".
std::string progress_text(const GitProgress& progress);

}  // namespace vt::providers

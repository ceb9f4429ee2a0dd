// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// How a task ended, as the protocol says it.
///
/// The protocol layer knows nothing of tests, so it has a type of its own; who runs tests translates.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace vt::nrunner {

/// Avocado's results (avocado.core.teststatus).
enum class Status { pass, fail, error, skip, cancel, warn, interrupted };

/// Lower case, as messages carry it.
std::string_view status_name(Status status);
/// The status of that name in whatever case; nothing for another word.
std::optional<Status> status_from_name(std::string_view name);

/// What the `finished` message says.
struct TestResult {
    Status status = Status::pass;
    std::string reason;             ///< one readable sentence; empty: none
    std::string fail_class;         ///< name of the exception; empty: none
    std::string traceback;          ///< empty: none
    std::optional<int> returncode;  ///< of the process that ran the test, where it did not end well

    bool operator==(const TestResult&) const = default;
};

}  // namespace vt::nrunner

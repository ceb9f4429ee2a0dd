// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The dialogue before a shell: user name, password, and what else login programs say. Patterns and answers
/// are aexpect's.
#pragma once

#include "runner/session/shell_session.hpp"
#include "runner/support/deadline.hpp"

#include <string>

namespace vt {

/// Answers the questions on \p session until its prompt shows, aexpect's handle_prompts(): returns what was
/// read. \param step how long each answer may take, in seconds, within \p deadline
/// Throws LoginAuthenticationError, LoginTimeoutError, LoginProcessTerminatedError, LoginError.
std::string handle_prompts(ShellSession& session, const std::string& username, const std::string& password,
                           Seconds step, const Deadline& deadline);

}  // namespace vt

// SPDX-License-Identifier: GPL-2.0-or-later
/// \file git_uri.hpp
/// What may stand in a definition's `uri` for a git repository, and how it is shown.
///
/// Only transports that speak git's protocol are let through: `https`, `http`, `git`, `ssh`, the short form
/// `user@host:path`, and absolute paths. Git's `ext::`, `fd::` and other remote helpers run commands that the
/// URI names, so they are refused before anything else sees them. A URI may carry a password or a token; what
/// is shown never does.
#pragma once

#include <filesystem>
#include <string>

namespace vt::providers {

/// True if \p uri is a path on this host (absolute, or with `~`).
bool is_path(const std::string& uri);

/// \p uri as git takes it: a path with `~` expanded, anything else as it is. Throws ProviderError if it is
/// none of the forms above; what() has no secrets.
std::string checked_git_uri(const std::string& uri);

/// \p uri without secrets, for messages and for the checkout's own configuration.
std::string uri_for_messages(const std::string& uri);

/// \p text with what is secret in \p uri left out, wherever it stands.
std::string without_secrets(std::string text, const std::string& uri);

/// `~` and `~/x` as a shell would.
std::filesystem::path expand_home(const std::string& path);

}  // namespace vt::providers

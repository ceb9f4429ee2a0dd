// SPDX-License-Identifier: GPL-2.0-or-later
/// \file signature.hpp
/// Verifies the signature of a tag or commit against the one file that a definition names.
///
/// OpenPGP keys (as `gpg --export` writes them, armored or not) are checked by gpgv, which needs neither a
/// home directory nor an agent and trusts nothing but the keyring it is given. OpenSSH public keys are
/// checked by `ssh-keygen -Y verify`. The user's own keyrings play no part. Signatures in the X.509 format
/// are not supported.
#pragma once

#include "providers/git_job.hpp"

#include <filesystem>
#include <string>
#include <string_view>

namespace vt::providers {

/// The signer of \p object: the key's fingerprint, and for OpenPGP the user id. \param key_file one or more
/// public keys \param scratch a private directory for temporary files. Throws GitRefusedError if the
/// signature is not by one of them (or the key is expired or revoked), GitError if it cannot be checked.
std::string verify_signature(const SignedObject& object, const std::filesystem::path& key_file,
                             const std::filesystem::path& scratch);

/// The bytes of an armored OpenPGP block (RFC 4880, section 6.2); \p text itself if it is not armored. Throws
/// GitError.
std::string dearmored(std::string_view text);

/// What gpgv's status lines say: the signer. Throws GitRefusedError unless there is a good signature by a
/// valid key and no other one.
std::string signer_from_status(std::string_view status_lines, const SignedObject& object);

}  // namespace vt::providers

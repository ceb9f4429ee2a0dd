// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// What can go wrong between a test and a guest's shell.
///
/// Names, fields and texts are those of Python's aexpect, because tests catch these types and look into their
/// texts; the Python layer makes its exceptions of the fields here. Hence strings appear in texts as Python's
/// repr() writes them.
#pragma once

#include "runner/support/error.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vt {

/// \p text as Python's repr() of a str prints it, quotes included; bytes that are no UTF-8 appear as \\xNN.
std::string python_repr(std::string_view text);

/// Nothing matched one of the awaited patterns.
class ExpectError : public Error {
  public:
    ExpectError(const std::vector<std::string>& patterns, const std::string& output);

    const std::vector<std::string>& patterns() const noexcept { return patterns_; }
    /// What was read meanwhile.
    const std::string& output() const noexcept { return output_; }

  protected:
    ExpectError(const std::string& what, std::vector<std::string> patterns, std::string output);

  private:
    std::vector<std::string> patterns_;
    std::string output_;
};

/// The deadline passed before a pattern matched.
class ExpectTimeoutError : public ExpectError {
  public:
    ExpectTimeoutError(const std::vector<std::string>& patterns, const std::string& output);
};

/// The connection ended before a pattern matched.
class ExpectProcessTerminatedError : public ExpectError {
  public:
    ExpectProcessTerminatedError(const std::vector<std::string>& patterns, std::optional<int> status,
                                 const std::string& output);
    /// The shell's exit status where the peer told it.
    std::optional<int> status() const noexcept { return status_; }

  private:
    std::optional<int> status_;
};

/// A command could not be run; the parent of what cmd() and its like throw.
class ShellError : public Error {
  public:
    ShellError(const std::string& cmd, const std::string& output);

    const std::string& cmd() const noexcept { return cmd_; }
    /// The command's output so far.
    const std::string& output() const noexcept { return output_; }

  protected:
    ShellError(const std::string& what, std::string cmd, std::string output);

  private:
    std::string cmd_;
    std::string output_;
};

/// The prompt did not come back in time.
class ShellTimeoutError : public ShellError {
  public:
    ShellTimeoutError(const std::string& cmd, const std::string& output);
};

/// The connection ended while the command ran.
class ShellProcessTerminatedError : public ShellError {
  public:
    ShellProcessTerminatedError(const std::string& cmd, std::optional<int> status, const std::string& output);
    std::optional<int> status() const noexcept { return status_; }

  private:
    std::optional<int> status_;
};

/// The command ended with a status other than 0.
class ShellCmdError : public ShellError {
  public:
    ShellCmdError(const std::string& cmd, int status, const std::string& output);
    int status() const noexcept { return status_; }

  private:
    int status_;
};

/// The command ran, its exit status cannot be told.
class ShellStatusError : public ShellError {
  public:
    ShellStatusError(const std::string& cmd, const std::string& output);
};

/// The parent of errors of logins and transfers.
class RemoteError : public Error {
  public:
    using Error::Error;
};

/// No session could be had.
class LoginError : public RemoteError {
  public:
    explicit LoginError(const std::string& msg, const std::string& output = {});

    /// The reason without the output.
    const std::string& msg() const noexcept { return msg_; }
    /// What was last seen of the peer.
    const std::string& output() const noexcept { return output_; }

  protected:
    LoginError(const std::string& what, std::string msg, std::string output);

  private:
    std::string msg_;
    std::string output_;
};

/// Whatever the peer does, this login cannot come about: trying again is in vain.
class LoginImpossibleError : public LoginError {
  public:
    using LoginError::LoginError;
};

/// The peer refused user name or password.
class LoginAuthenticationError : public LoginError {
  public:
    using LoginError::LoginError;
};

/// The deadline passed before a shell prompt was seen.
class LoginTimeoutError : public LoginError {
  public:
    explicit LoginTimeoutError(const std::string& output = {});
};

/// The connection ended during login.
class LoginProcessTerminatedError : public LoginError {
  public:
    explicit LoginProcessTerminatedError(std::optional<int> status, const std::string& output = {});
    std::optional<int> status() const noexcept { return status_; }

  private:
    std::optional<int> status_;
};

/// An unknown shell_client.
class LoginBadClientError : public LoginError {
  public:
    explicit LoginBadClientError(const std::string& client);
    const std::string& client() const noexcept { return client_; }

  private:
    std::string client_;
};

/// Files could not be copied.
class TransferError : public RemoteError {
  public:
    TransferError(const std::string& msg, const std::string& output);
    /// The reason without the output.
    const std::string& msg() const noexcept { return msg_; }
    /// The log of the copy so far.
    const std::string& output() const noexcept { return output_; }

  protected:
    TransferError(const std::string& what, std::string msg, std::string output);

  private:
    std::string msg_;
    std::string output_;
};

/// An unknown file_transfer_client.
class TransferBadClientError : public RemoteError {
  public:
    explicit TransferBadClientError(const std::string& client);
};

/// A copy over SSH failed.
class SCPError : public TransferError {
  public:
    using TransferError::TransferError;
};

/// The peer refused user name or password of a copy.
class AuthenticationError : public SCPError {
  public:
    using SCPError::SCPError;
};

/// The deadline passed before the copy was allowed in.
class AuthenticationTimeoutError : public AuthenticationError {
  public:
    explicit AuthenticationTimeoutError(const std::string& output);
};

/// The deadline passed during the copy.
class TransferTimeoutError : public SCPError {
  public:
    explicit TransferTimeoutError(const std::string& output);
};

/// The peer or the local file system refused the copy.
class TransferFailedError : public SCPError {
  public:
    TransferFailedError(int status, const std::string& output);
    int status() const noexcept { return status_; }

  private:
    int status_;
};

}  // namespace vt

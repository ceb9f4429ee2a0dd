// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/session/shell_error.hpp"

#include <doctest/doctest.h>

namespace vt {
namespace {

std::string text_of(const Error& error) {
    return error.what();
}

}  // namespace

TEST_CASE("repr is Python's") {
    CHECK(python_repr("plain") == "'plain'");
    CHECK(python_repr("it's") == "\"it's\"");
    CHECK(python_repr("it's \"it\"") == R"('it\'s "it"')");
    CHECK(python_repr("a\nb\tc\\\r") == R"('a\nb\tc\\\r')");
    CHECK(python_repr("\x1b[0m") == R"('\x1b[0m')");
    CHECK(python_repr("grün €") == "'grün €'");
    CHECK(python_repr("\xff\xc3(\xe2\x82") == R"('\xff\xc3(\xe2\x82')");
    CHECK(python_repr(std::string_view("\0", 1)) == R"('\x00')");
}

// The texts are those that aexpect's exceptions print.
TEST_CASE("texts are those that tests match") {
    CHECK(text_of(ShellError("ls", "o")) == "Could not execute shell command 'ls'    (output: 'o')");
    CHECK(text_of(ShellTimeoutError("ls", "o\n")) ==
          "Timeout expired while waiting for shell command to complete: 'ls'    (output: 'o\\n')");
    CHECK(text_of(ShellProcessTerminatedError("ls", 255, "o")) ==
          "Shell process terminated while waiting for command to complete: 'ls'    (status: 255,    output: "
          "'o')");
    CHECK(text_of(ShellProcessTerminatedError("ls", std::nullopt, "")) ==
          "Shell process terminated while waiting for command to complete: 'ls'    (status: None,    output: "
          "'')");
    CHECK(text_of(ShellCmdError("ls", 2, "o")) ==
          "Shell command failed: 'ls'    (status: 2,    output: 'o')");
    CHECK(text_of(ShellStatusError("ls", "o")) ==
          "Could not get exit status of command: 'ls'    (output: 'o')");
    CHECK(text_of(ExpectTimeoutError({"a"}, "o")) ==
          "Timeout expired while looking for pattern 'a'    (output: 'o')");
    CHECK(text_of(ExpectProcessTerminatedError({"a", "b"}, 1, "o")) ==
          "Process terminated while looking for patterns ['a', 'b']    (status: 1,    output: 'o')");
    CHECK(text_of(LoginTimeoutError("o")) == "Login timeout expired    (output: 'o')");
    CHECK(text_of(LoginAuthenticationError("Got password prompt twice", "o")) ==
          "Got password prompt twice    (output: 'o')");
    CHECK(text_of(LoginProcessTerminatedError(1, "o")) ==
          "Client process terminated    (status: 1,    output: 'o')");
    CHECK(text_of(LoginBadClientError("x")) == "Unknown remote shell client    (value: 'x')");
    CHECK(text_of(TransferFailedError(1, "o")) == "SCP transfer failed    (status: 1,    output: 'o')");
    CHECK(text_of(TransferTimeoutError("o")) == "Transfer timeout expired    (output: 'o')");
    CHECK(text_of(TransferBadClientError("x")) ==
          "Unknown file copy client: 'x', valid values are scp and rss");
}

TEST_CASE("errors are caught by their parents") {
    CHECK_THROWS_AS(throw ShellCmdError("a", 1, ""), ShellError);
    CHECK_THROWS_AS(throw LoginTimeoutError(""), RemoteError);
    CHECK_THROWS_AS(throw AuthenticationTimeoutError(""), SCPError);
    CHECK_THROWS_AS(throw ExpectTimeoutError({}, ""), ExpectError);
}

}  // namespace vt

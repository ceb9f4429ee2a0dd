// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/session/shell_error.hpp"

#include "runner/support/strings.hpp"

#include <fmt/format.h>

namespace vt {
namespace {

/// The length of the valid UTF-8 sequence at the beginning of \p text, 0 if there is none.
std::size_t utf8_length(std::string_view text) {
    const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
    const unsigned char lead = byte(0);
    const std::size_t length = lead < 0x80   ? 1
                               : lead < 0xC2 ? 0
                               : lead < 0xE0 ? 2
                               : lead < 0xF0 ? 3
                               : lead < 0xF5 ? 4
                                             : 0;
    if (length == 0 || length > text.size()) {
        return 0;
    }
    for (std::size_t i = 1; i < length; ++i) {
        if ((byte(i) & 0xC0U) != 0x80) {
            return 0;
        }
    }
    const bool overlong = (lead == 0xE0 && byte(1) < 0xA0) || (lead == 0xF0 && byte(1) < 0x90);
    const bool outside = (lead == 0xED && byte(1) > 0x9F) || (lead == 0xF4 && byte(1) > 0x8F);
    return overlong || outside ? 0 : length;
}

std::string repr_of(const std::vector<std::string>& patterns) {
    if (patterns.size() == 1) {
        return "pattern " + python_repr(patterns.front());
    }
    std::vector<std::string> shown;
    shown.reserve(patterns.size());
    for (const auto& pattern : patterns) {
        shown.push_back(python_repr(pattern));
    }
    return "patterns [" + join(shown, ", ") + "]";
}

std::string status_text(std::optional<int> status) {
    return status ? std::to_string(*status) : "None";
}

std::string with_output(const std::string& text, const std::string& output) {
    return fmt::format("{}    (output: {})", text, python_repr(output));
}

}  // namespace

std::string python_repr(std::string_view text) {
    const bool double_quotes =
        text.find('\'') != std::string_view::npos && text.find('"') == std::string_view::npos;
    const char quote = double_quotes ? '"' : '\'';
    std::string out(1, quote);
    while (!text.empty()) {
        const char c = text.front();
        const std::size_t length = utf8_length(text);
        if (c == quote || c == '\\') {
            out += '\\';
            out += c;
        } else if (c == '\n') {
            out += "\\n";
        } else if (c == '\r') {
            out += "\\r";
        } else if (c == '\t') {
            out += "\\t";
        } else if (length == 0 || (length == 1 && (static_cast<unsigned char>(c) < 0x20 || c == 0x7F))) {
            out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
        } else {
            out += text.substr(0, length);
        }
        text.remove_prefix(length == 0 ? 1 : length);
    }
    return out + quote;
}

ExpectError::ExpectError(const std::string& what, std::vector<std::string> patterns, std::string output)
    : Error(what), patterns_(std::move(patterns)), output_(std::move(output)) {}

ExpectError::ExpectError(const std::vector<std::string>& patterns, const std::string& output)
    : ExpectError(with_output("Unknown error occurred while looking for " + repr_of(patterns), output),
                  patterns, output) {}

ExpectTimeoutError::ExpectTimeoutError(const std::vector<std::string>& patterns, const std::string& output)
    : ExpectError(with_output("Timeout expired while looking for " + repr_of(patterns), output), patterns,
                  output) {}

ExpectProcessTerminatedError::ExpectProcessTerminatedError(const std::vector<std::string>& patterns,
                                                           std::optional<int> status,
                                                           const std::string& output)
    : ExpectError(fmt::format("Process terminated while looking for {}    (status: {},    output: {})",
                              repr_of(patterns), status_text(status), python_repr(output)),
                  patterns, output),
      status_(status) {}

ShellError::ShellError(const std::string& what, std::string cmd, std::string output)
    : Error(what), cmd_(std::move(cmd)), output_(std::move(output)) {}

ShellError::ShellError(const std::string& cmd, const std::string& output)
    : ShellError(with_output("Could not execute shell command " + python_repr(cmd), output), cmd, output) {}

ShellTimeoutError::ShellTimeoutError(const std::string& cmd, const std::string& output)
    : ShellError(
          with_output("Timeout expired while waiting for shell command to complete: " + python_repr(cmd),
                      output),
          cmd, output) {}

ShellProcessTerminatedError::ShellProcessTerminatedError(const std::string& cmd, std::optional<int> status,
                                                         const std::string& output)
    : ShellError(fmt::format("Shell process terminated while waiting for command to complete: {}    (status: "
                             "{},    output: {})",
                             python_repr(cmd), status_text(status), python_repr(output)),
                 cmd, output),
      status_(status) {}

ShellCmdError::ShellCmdError(const std::string& cmd, int status, const std::string& output)
    : ShellError(fmt::format("Shell command failed: {}    (status: {},    output: {})", python_repr(cmd),
                             status, python_repr(output)),
                 cmd, output),
      status_(status) {}

ShellStatusError::ShellStatusError(const std::string& cmd, const std::string& output)
    : ShellError(with_output("Could not get exit status of command: " + python_repr(cmd), output), cmd,
                 output) {}

LoginError::LoginError(const std::string& what, std::string msg, std::string output)
    : RemoteError(what), msg_(std::move(msg)), output_(std::move(output)) {}

LoginError::LoginError(const std::string& msg, const std::string& output)
    : LoginError(with_output(msg, output), msg, output) {}

LoginTimeoutError::LoginTimeoutError(const std::string& output)
    : LoginError("Login timeout expired", output) {}

LoginProcessTerminatedError::LoginProcessTerminatedError(std::optional<int> status, const std::string& output)
    : LoginError(fmt::format("Client process terminated    (status: {},    output: {})", status_text(status),
                             python_repr(output)),
                 "Client process terminated", output),
      status_(status) {}

LoginBadClientError::LoginBadClientError(const std::string& client)
    : LoginError(fmt::format("Unknown remote shell client    (value: {})", python_repr(client)),
                 "Unknown remote shell client", {}),
      client_(client) {}

TransferError::TransferError(const std::string& msg, const std::string& output)
    : TransferError(with_output(msg, output), msg, output) {}

TransferError::TransferError(const std::string& what, std::string msg, std::string output)
    : RemoteError(what), msg_(std::move(msg)), output_(std::move(output)) {}

TransferBadClientError::TransferBadClientError(const std::string& client)
    : RemoteError(fmt::format("Unknown file copy client: '{}', valid values are scp and rss", client)) {}

AuthenticationTimeoutError::AuthenticationTimeoutError(const std::string& output)
    : AuthenticationError("Authentication timeout expired", output) {}

TransferTimeoutError::TransferTimeoutError(const std::string& output)
    : SCPError("Transfer timeout expired", output) {}

TransferFailedError::TransferFailedError(int status, const std::string& output)
    : SCPError(fmt::format("SCP transfer failed    (status: {},    output: {})", status, python_repr(output)),
               {}, output),
      status_(status) {}

}  // namespace vt

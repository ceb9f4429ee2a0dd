// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// JSON-RPC 1.0 on a stream socket, as Open vSwitch speaks it: its database (RFC 7047, section 4) and the
/// control socket of each of its daemons.
///
/// Messages have no separator, so the reader looks for the end of each JSON object itself. Replies come in
/// any order and find who asked by their ids; the peer's own requests ("echo", by which it asks whether we
/// live) are answered here, its notifications are handed on. QMP has ids and replies too, but a greeting,
/// events and a line for each message, and so a wire of its own (runner/monitor).
#pragma once

#include "runner/io/interrupt.hpp"
#include "runner/support/deadline.hpp"
#include "runner/support/error.hpp"
#include "runner/support/unique_fd.hpp"

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace vt {

class IoLoop;

/// The peer answered a call with an error; what() has the method and the peer's own words.
class JsonRpcError : public Error {
  public:
    JsonRpcError(const std::string& text, std::string error) : Error(text), error_(std::move(error)) {}
    /// The peer's error: a string as it is, anything else as JSON.
    const std::string& error() const { return error_; }

  private:
    std::string error_;
};

/// Cuts a stream of bytes into JSON texts (objects; what lies between them has to be white space).
class JsonSplitter {
  public:
    /// \param limit the longest text that is taken, in bytes
    explicit JsonSplitter(std::size_t limit = std::size_t{64} << 20) : limit_(limit) {}

    /// The texts that \p bytes complete. Throws Error for bytes that begin no object, and for a text without
    /// end.
    std::vector<std::string> feed(std::string_view bytes);

  private:
    bool take(char c);

    std::size_t limit_;
    std::string partial_;
    std::size_t depth_ = 0;
    bool in_string_ = false;
    bool escaped_ = false;
};

/// A connection. Every call is safe from several threads.
class JsonRpc {
  public:
    /// Called on the loop's thread with a notification of the peer's; must not throw and not wait.
    using Notified = std::function<void(const std::string& method, const nlohmann::json& parameters)>;

    /// \param socket connected; \param peer for messages: "ovsdb-server"; \p loop must outlive the object
    JsonRpc(IoLoop& loop, UniqueFd socket, std::string peer, Notified notified = {});
    ~JsonRpc();
    JsonRpc(const JsonRpc&) = delete;
    JsonRpc& operator=(const JsonRpc&) = delete;

    /// Calls \p method with the array \p parameters and returns the result. Throws JsonRpcError,
    /// TimeoutError, InterruptedError (\p interrupt may be null), Error once the connection is over.
    nlohmann::json call(const std::string& method, const nlohmann::json& parameters, const Deadline& deadline,
                        const Interrupt* interrupt = nullptr);

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace vt

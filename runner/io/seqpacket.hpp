// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// One message of the guardian's protocol on a Unix SOCK_SEQPACKET socket: a JSON object, with at most one
/// descriptor.
#pragma once

#include "runner/support/deadline.hpp"
#include "runner/support/unique_fd.hpp"

#include <optional>
#include <string>

#include <nlohmann/json_fwd.hpp>

namespace vt::process {

/// The file in a job's directory that names its guardian: "PID STARTTIME".
constexpr auto guardian_id_file = "guardian.id";
/// Held by whoever connects to the job's guardian or starts it, there.
constexpr auto guardian_lock_file = "guardian.lock";

/// A received message.
struct Packet {
    std::string text;
    UniqueFd fd;
};

/// Sends \p message, with \p fd unless it is -1. Throws SystemError (EPIPE where the peer is gone).
void send_packet(int socket, const nlohmann::json& message, int fd = -1);

/// Receives a message; nothing once the peer is gone. Throws TimeoutError, SystemError, Error for one that is
/// too long.
std::optional<Packet> receive_packet(int socket, const Deadline& deadline);

}  // namespace vt::process

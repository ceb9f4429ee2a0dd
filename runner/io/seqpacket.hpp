// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// One message of the guardian's protocol on a Unix SOCK_SEQPACKET socket: a JSON object, and descriptors.
#pragma once

#include "runner/support/deadline.hpp"
#include "runner/support/unique_fd.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace vt::process {

/// The file in a job's directory that names its guardian: "PID STARTTIME".
constexpr auto guardian_id_file = "guardian.id";
/// Held by whoever connects to the job's guardian or starts it, there.
constexpr auto guardian_lock_file = "guardian.lock";

/// How many descriptors go with one message; the kernel takes 253 (SCM_MAX_FD).
constexpr std::size_t most_passed_fds = 128;

/// A received message.
struct Packet {
    std::string text;
    std::vector<UniqueFd> fds;  ///< in the order in which they were sent
    bool fds_lost = false;      ///< not all of them could be taken: too many open files here
};

/// Sends \p message with the descriptors \p fds. Throws SystemError (EPIPE where the peer is gone), Error for
/// too much of either.
void send_packet(int socket, const nlohmann::json& message, const std::vector<int>& fds = {});

/// Receives a message; nothing once the peer is gone. Throws TimeoutError, SystemError, Error for one that is
/// too long.
std::optional<Packet> receive_packet(int socket, const Deadline& deadline);

}  // namespace vt::process

// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/io/seqpacket.hpp"

#include "runner/support/error.hpp"

#include <array>
#include <cerrno>
#include <cstring>

#include <fmt/core.h>
#include <nlohmann/json.hpp>
#include <poll.h>
#include <sys/socket.h>

namespace vt::process {
namespace {

constexpr std::size_t longest_packet =
    std::size_t{128} * 1024;  // well below the kernel's default socket buffer

/// Room for the descriptors of a message.
struct alignas(cmsghdr) Control : std::array<char, CMSG_SPACE(most_passed_fds * sizeof(int))> {};

}  // namespace

void send_packet(int socket, const nlohmann::json& message, const std::vector<int>& fds) {
    auto text = message.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    if (text.size() > longest_packet) {
        throw Error(fmt::format("a command of {} bytes is too long for the guardian, which takes {}",
                                text.size(), longest_packet));
    }
    if (fds.size() > most_passed_fds) {
        throw Error(fmt::format("{} descriptors are too many for one message to the guardian, which takes {}",
                                fds.size(), most_passed_fds));
    }
    iovec part{text.data(), text.size()};
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    Control control{};
    if (!fds.empty()) {
        header.msg_control = control.data();
        header.msg_controllen = CMSG_SPACE(fds.size() * sizeof(int));
        cmsghdr* rights = CMSG_FIRSTHDR(&header);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
        std::memcpy(CMSG_DATA(rights), fds.data(), fds.size() * sizeof(int));
    }
    while (::sendmsg(socket, &header, MSG_NOSIGNAL) < 0) {
        if (errno != EINTR) {
            throw SystemError("cannot send to the guardian", errno);
        }
    }
}

std::optional<Packet> receive_packet(int socket, const Deadline& deadline) {
    pollfd ready{socket, POLLIN, 0};
    int count = 0;
    while ((count = ::poll(&ready, 1, deadline.poll_timeout_ms())) < 0 && errno == EINTR) {
    }
    if (count == 0) {
        throw TimeoutError(
            fmt::format("the guardian did not answer within {:g} s", deadline.total().count()));
    }
    Packet packet;
    packet.text.resize(longest_packet);
    iovec part{packet.text.data(), packet.text.size()};
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    Control control{};
    header.msg_control = control.data();
    header.msg_controllen = control.size();
    const auto size = ::recvmsg(socket, &header, MSG_CMSG_CLOEXEC);
    if (size < 0 && errno != ECONNRESET) {
        throw SystemError("cannot read from the guardian", errno);
    }
    if (size <= 0) {
        return std::nullopt;
    }
    for (cmsghdr* rights = CMSG_FIRSTHDR(&header); rights != nullptr; rights = CMSG_NXTHDR(&header, rights)) {
        if (rights->cmsg_level == SOL_SOCKET && rights->cmsg_type == SCM_RIGHTS) {
            std::vector<int> fds((rights->cmsg_len - CMSG_LEN(0)) / sizeof(int));
            std::memcpy(fds.data(), CMSG_DATA(rights), fds.size() * sizeof(int));
            for (const int fd : fds) {
                packet.fds.emplace_back(fd);
            }
        }
    }
    if ((header.msg_flags & MSG_TRUNC) != 0) {
        throw Error("a message of the guardian's protocol is too long");
    }
    packet.fds_lost = (header.msg_flags & MSG_CTRUNC) != 0;
    packet.text.resize(static_cast<std::size_t>(size));
    return packet;
}

}  // namespace vt::process

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

}  // namespace

void send_packet(int socket, const nlohmann::json& message, int fd) {
    auto text = message.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    if (text.size() > longest_packet) {
        throw Error(fmt::format("a command of {} bytes is too long for the guardian, which takes {}",
                                text.size(), longest_packet));
    }
    iovec part{text.data(), text.size()};
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    if (fd >= 0) {
        header.msg_control = control.data();
        header.msg_controllen = control.size();
        cmsghdr* rights = CMSG_FIRSTHDR(&header);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(sizeof(int));
        std::memcpy(CMSG_DATA(rights), &fd, sizeof fd);
    }
    while (::sendmsg(socket, &header, MSG_NOSIGNAL) < 0) {
        if (errno != EINTR) {
            throw SystemError("cannot speak to the guardian", errno);
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
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    header.msg_control = control.data();
    header.msg_controllen = control.size();
    const auto size = ::recvmsg(socket, &header, MSG_CMSG_CLOEXEC);
    if (size < 0 && errno != ECONNRESET) {
        throw SystemError("cannot hear the guardian", errno);
    }
    if (size <= 0) {
        return std::nullopt;
    }
    for (cmsghdr* rights = CMSG_FIRSTHDR(&header); rights != nullptr; rights = CMSG_NXTHDR(&header, rights)) {
        if (rights->cmsg_level == SOL_SOCKET && rights->cmsg_type == SCM_RIGHTS) {
            int fd = -1;
            std::memcpy(&fd, CMSG_DATA(rights), sizeof fd);
            packet.fd.reset(fd);
        }
    }
    if ((header.msg_flags & MSG_TRUNC) != 0) {
        throw Error("a message of the guardian's protocol is too long");
    }
    packet.text.resize(static_cast<std::size_t>(size));
    return packet;
}

}  // namespace vt::process

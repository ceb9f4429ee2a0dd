// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/net/address_watch.hpp"

#include "runner/support/error.hpp"
#include "runner/support/log.hpp"
#include "runner/support/unique_fd.hpp"

#include <array>
#include <cerrno>
#include <mutex>

#include <arpa/inet.h>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <fmt/core.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sys/socket.h>

namespace vt {

namespace {

constexpr std::size_t ethernet = 14;
constexpr std::size_t bootp = 236;  ///< fixed part of a DHCP message, before the magic cookie

std::uint16_t word(const std::uint8_t* at) {
    return static_cast<std::uint16_t>(at[0] << 8 | at[1]);
}

std::string mac_text(const std::uint8_t* at) {
    return fmt::format("{:02x}:{:02x}:{:02x}:{:02x}:{:02x}:{:02x}", at[0], at[1], at[2], at[3], at[4], at[5]);
}

std::optional<std::string> ip_text(const std::uint8_t* at) {
    const bool none = at[0] == 0 || (at[0] == 169 && at[1] == 254);
    return none ? std::nullopt : std::optional(fmt::format("{}.{}.{}.{}", at[0], at[1], at[2], at[3]));
}

/// Whether the options of a DHCP message say that it is an acknowledgement.
bool acknowledges(const std::uint8_t* options, std::size_t size) {
    constexpr std::array<std::uint8_t, 4> cookie = {99, 130, 83, 99};
    if (size < 4 || !std::equal(cookie.begin(), cookie.end(), options)) {
        return false;
    }
    for (std::size_t at = 4; at + 2 < size && options[at] != 255;) {
        if (options[at] == 0) {
            ++at;
        } else if (options[at] == 53) {
            return options[at + 1] == 1 && options[at + 2] == 5;
        } else {
            at += 2U + options[at + 1];
        }
    }
    return false;
}

}  // namespace

std::optional<std::string> address_in_frame(const std::uint8_t* frame, std::size_t size,
                                            const MacAddress& mac) {
    if (size < ethernet) {
        return std::nullopt;
    }
    const auto* body = frame + ethernet;
    const std::size_t length = size - ethernet;
    if (word(frame + 12) == ETHERTYPE_ARP) {
        const bool wanted = length >= 28 && word(body + 2) == ETHERTYPE_IP && mac_text(body + 8) == mac.text;
        return wanted ? ip_text(body + 14) : std::nullopt;
    }
    if (word(frame + 12) != ETHERTYPE_IP || length < 20 || body[9] != 17) {
        return std::nullopt;
    }
    const std::size_t header = (body[0] & 0xfU) * 4U;
    if (header < 20 || length < header + 8 + bootp || word(body + header) != 67) {
        return std::nullopt;
    }
    const auto* message = body + header + 8;
    if (message[0] != 2 || mac_text(message + 28) != mac.text ||
        !acknowledges(message + bootp, length - header - 8 - bootp)) {
        return std::nullopt;
    }
    return ip_text(message + 16);
}

struct AddressWatch::Impl : std::enable_shared_from_this<AddressWatch::Impl> {
    Impl(IoLoop& loop, int fd, MacAddress guest) : descriptor(loop.context(), fd), mac(std::move(guest)) {}

    void wait() {
        descriptor.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                              [self = shared_from_this()](const boost::system::error_code& error) {
                                  if (!error && self->descriptor.is_open()) {
                                      self->read();
                                      self->wait();
                                  }
                              });
    }

    void read() {
        std::array<std::uint8_t, 2048> frame{};
        for (int i = 0; i < 32; ++i) {
            const auto size = ::recv(descriptor.native_handle(), frame.data(), frame.size(), MSG_DONTWAIT);
            if (size <= 0) {
                return;
            }
            if (auto found = address_in_frame(frame.data(), static_cast<std::size_t>(size), mac)) {
                const std::lock_guard lock(mutex);
                if (address != found) {
                    log::debug("The guest with {} has the address {}", mac.text, *found);
                }
                address = std::move(found);
            }
        }
    }

    boost::asio::posix::stream_descriptor descriptor;
    const MacAddress mac;
    std::mutex mutex;
    std::optional<std::string> address;
};

AddressWatch::AddressWatch(IoLoop& loop, const std::string& interface, MacAddress mac) : loop_(loop) {
    UniqueFd fd(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    // ARP, or UDP over IPv4 that is no later fragment and comes from port 67 (socket filters: BPF's classic
    // form).
    std::array<sock_filter, 12> code = {
        {BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 12), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETHERTYPE_ARP, 8, 0),
         BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETHERTYPE_IP, 0, 8), BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 23),
         BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 17, 0, 6), BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 20),
         BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x1fff, 4, 0), BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 14),
         BPF_STMT(BPF_LD | BPF_H | BPF_IND, 14), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 67, 0, 1),
         BPF_STMT(BPF_RET | BPF_K, 2048), BPF_STMT(BPF_RET | BPF_K, 0)}};
    const sock_fprog filter{static_cast<unsigned short>(code.size()), code.data()};
    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_protocol = htons(ETH_P_ALL);
    address.sll_ifindex = static_cast<int>(::if_nametoindex(interface.c_str()));
    if (!fd || address.sll_ifindex == 0 ||
        ::setsockopt(fd.get(), SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) != 0 ||
        ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        throw SystemError("look at what passes " + interface, errno);
    }
    impl_ = std::make_shared<Impl>(loop, fd.release(), std::move(mac));
    loop_.run_there([impl = impl_] { impl->wait(); });
}

AddressWatch::~AddressWatch() {
    loop_.run_there([this] {
        boost::system::error_code ignored;
        impl_->descriptor.close(ignored);
        impl_.reset();
    });
}

std::optional<std::string> AddressWatch::address() const {
    const std::lock_guard lock(impl_->mutex);
    return impl_->address;
}

}  // namespace vt

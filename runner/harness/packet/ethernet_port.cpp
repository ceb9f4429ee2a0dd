// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/harness/packet/ethernet_port.hpp"

#include "runner/io/io_loop.hpp"
#include "runner/io/socket.hpp"
#include "runner/process/process.hpp"
#include "runner/support/error.hpp"
#include "runner/support/log.hpp"
#include "runner/support/unique_fd.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include <arpa/inet.h>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <fmt/format.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <pcap/pcap.h>
#include <poll.h>
#include <sys/socket.h>

namespace vt::packet {
namespace asio = boost::asio;
namespace {

constexpr Seconds ip_patience{20};
constexpr int receive_buffer = 64 << 20;
constexpr std::size_t most_a_turn = 4096;

void ip(const NetworkNamespace& network, std::vector<std::string> words) {
    process::Command command;
    command.argv = network.enter_words();
    command.argv.emplace_back("ip");
    command.argv.insert(command.argv.end(), words.begin(), words.end());
    process::check(command, Deadline::after(ip_patience));
}

/// Interfaces of a fresh namespace say much of themselves in IPv6, which no test has asked for.
void silence_ipv6(const NetworkNamespace& network, const std::string& interface) {
    try {
        ip(network, {"link", "set", "dev", interface, "addrgenmode", "none"});
    } catch (const process::CommandError& error) {
        log::debug("IPv6 stays on {}: {}", interface, error.what());
    }
}

/// The tag that the kernel has taken out of a frame, as it does on receipt (packet(7), PACKET_AUXDATA).
void put_tag_back(Frame& frame, msghdr& message) {
    for (auto* part = CMSG_FIRSTHDR(&message); part != nullptr; part = CMSG_NXTHDR(&message, part)) {
        if (part->cmsg_level != SOL_PACKET || part->cmsg_type != PACKET_AUXDATA) {
            continue;
        }
        tpacket_auxdata about{};
        std::memcpy(&about, CMSG_DATA(part), sizeof about);
        if ((about.tp_status & TP_STATUS_VLAN_VALID) != 0 && frame.size() >= 14) {
            const bool typed = (about.tp_status & TP_STATUS_VLAN_TPID_VALID) != 0;
            frame = tagged(std::move(frame), about.tp_vlan_tci, typed ? about.tp_vlan_tpid : ETH_P_8021Q);
        }
    }
}

/// The next frame that has arrived, an empty one for one of our own; nothing if there is none.
std::optional<Frame> receive_one(int socket, std::vector<char>& buffer) {
    sockaddr_ll from{};
    iovec place{buffer.data(), buffer.size()};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(tpacket_auxdata))> control{};
    msghdr message{};
    message.msg_name = &from;
    message.msg_namelen = sizeof from;
    message.msg_iov = &place;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const auto got = ::recvmsg(socket, &message, MSG_DONTWAIT);
    if (got < 0) {
        return std::nullopt;
    }
    if (from.sll_pkttype == PACKET_OUTGOING) {
        return Frame();
    }
    Frame frame(buffer.data(), static_cast<std::size_t>(got));
    put_tag_back(frame, message);
    return frame;
}

}  // namespace

void make_veth(const NetworkNamespace& network, const std::string& ours, const std::string& theirs,
               std::size_t mtu) {
    for (const auto& name : {ours, theirs}) {
        if (name.empty() || name.size() >= IFNAMSIZ) {
            throw Error(fmt::format("\"{}\" is no name of a network interface", name));
        }
    }
    ip(network, {"link", "add", ours, "type", "veth", "peer", "name", theirs});
    for (const auto& name : {ours, theirs}) {
        bring_up(network, name, mtu);
    }
}

void bring_up(const NetworkNamespace& network, const std::string& interface, std::size_t mtu) {
    silence_ipv6(network, interface);
    ip(network, {"link", "set", "dev", interface, "mtu", std::to_string(mtu), "up"});
}

/// The reading thread's half; its handlers hold it.
struct EthernetPort::State : std::enable_shared_from_this<State> {
    State(IoLoop& its_loop, UniqueFd its_socket, const std::filesystem::path& capture)
        : loop(its_loop), socket(std::move(its_socket)), descriptor(its_loop.context()) {
        kind = pcap_open_dead(DLT_EN10MB, 262144);
        file = kind == nullptr ? nullptr : pcap_dump_open(kind, capture.c_str());
        if (file == nullptr) {
            const std::string why = kind == nullptr ? "libpcap has no memory" : pcap_geterr(kind);
            close_files();
            throw Error("cannot write a capture: " + why);
        }
        pcap_dump_flush(file);
        descriptor.assign(socket.get());
    }
    ~State() { close_files(); }
    State(const State&) = delete;
    State& operator=(const State&) = delete;

    void close_files() {
        if (file != nullptr) {
            pcap_dump_close(file);
        }
        if (kind != nullptr) {
            pcap_close(kind);
        }
        file = nullptr;
        kind = nullptr;
    }

    void await() {
        descriptor.async_wait(asio::posix::descriptor_base::wait_read,
                              [self = shared_from_this()](const auto& error) {
                                  if (!error && self->open) {
                                      self->read();
                                      self->await();
                                  }
                              });
    }

    void read() {
        for (std::size_t taken = 0; taken < most_a_turn; ++taken) {
            const auto frame = receive_one(socket.get(), buffer);
            if (!frame) {
                break;
            }
            pcap_pkthdr header{};
            header.caplen = header.len = static_cast<bpf_u_int32>(frame->size());
            if (header.len != 0) {
                pcap_dump(reinterpret_cast<u_char*>(file), &header,
                          reinterpret_cast<const u_char*>(frame->data()));
            }
        }
        pcap_dump_flush(file);
    }

    IoLoop& loop;
    UniqueFd socket;
    asio::posix::stream_descriptor descriptor;
    pcap_t* kind = nullptr;
    pcap_dumper_t* file = nullptr;
    bool open = true;  ///< the loop's
    std::vector<char> buffer = std::vector<char>(65536);
};

EthernetPort::EthernetPort(IoLoop& loop, const NetworkNamespace& network, const std::string& interface,
                           const std::filesystem::path& capture) {
    UniqueFd made;
    network.run_there([&] {
        made.reset(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        sockaddr_ll address{};
        address.sll_family = AF_PACKET;
        address.sll_protocol = htons(ETH_P_ALL);
        address.sll_ifindex = static_cast<int>(::if_nametoindex(interface.c_str()));
        ::setsockopt(made.get(), SOL_SOCKET, SO_RCVBUFFORCE, &receive_buffer, sizeof receive_buffer);
        constexpr int yes = 1;
        ::setsockopt(made.get(), SOL_PACKET, PACKET_AUXDATA, &yes, sizeof yes);
        if (!made || address.sll_ifindex == 0 ||
            ::bind(made.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
            throw SystemError("open a packet socket on " + interface, errno);
        }
    });
    state_ = std::make_shared<State>(loop, std::move(made), capture);
    loop.run_there([this] { state_->await(); });
}

EthernetPort::~EthernetPort() {
    state_->loop.run_there([this] {
        state_->open = false;
        state_->descriptor.release();  // the socket is ours to close
    });
}

void EthernetPort::send(const std::vector<Frame>& frames, const Deadline& deadline) {
    const int socket = state_->socket.get();
    for (const auto& frame : frames) {
        while (::send(socket, frame.data(), frame.size(), MSG_NOSIGNAL) < 0) {
            if (errno == EAGAIN || errno == ENOBUFS) {
                if (!wait_ready(socket, POLLOUT, deadline)) {
                    throw TimeoutError(
                        fmt::format("frames could not be sent within {:g} s", deadline.total().count()));
                }
            } else if (errno != EINTR) {
                throw SystemError(fmt::format("send a frame of {} bytes", frame.size()), errno);
            }
        }
    }
}

std::uint64_t EthernetPort::lost() const {
    tpacket_stats statistics{};
    socklen_t size = sizeof statistics;
    if (::getsockopt(state_->socket.get(), SOL_PACKET, PACKET_STATISTICS, &statistics, &size) != 0) {
        return 0;
    }
    return statistics.tp_drops;
}

}  // namespace vt::packet

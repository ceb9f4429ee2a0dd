// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/net/tap.hpp"

#include "runner/support/error.hpp"

#include <array>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <fmt/core.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

namespace vt {

namespace {

void require_name(const std::string& name) {
    if (name.empty() || name.size() >= IFNAMSIZ || name.find('/') != std::string::npos) {
        throw Error(fmt::format("\"{}\" is no name of a network interface", name));
    }
}

/// A request to the kernel's rtnetlink(7), attributes after the fixed part.
class LinkRequest {
  public:
    LinkRequest(int type, int flags) {
        header()->nlmsg_type = static_cast<__u16>(type);
        header()->nlmsg_flags = static_cast<__u16>(NLM_F_REQUEST | NLM_F_ACK | flags);
        header()->nlmsg_len = NLMSG_LENGTH(sizeof(ifinfomsg));
    }
    ifinfomsg* info() { return static_cast<ifinfomsg*>(NLMSG_DATA(header())); }
    void add(int type, const void* data, std::size_t size) {
        auto* attribute = reinterpret_cast<rtattr*>(buffer_.data() + NLMSG_ALIGN(header()->nlmsg_len));
        attribute->rta_type = static_cast<unsigned short>(type);
        attribute->rta_len = static_cast<unsigned short>(RTA_LENGTH(size));
        if (size != 0) {
            std::memcpy(RTA_DATA(attribute), data, size);
        }
        header()->nlmsg_len = NLMSG_ALIGN(header()->nlmsg_len) + RTA_ALIGN(attribute->rta_len);
    }
    std::size_t open(int type) {
        const auto at = NLMSG_ALIGN(header()->nlmsg_len);
        add(type, nullptr, 0);
        return at;
    }
    void close(std::size_t at) {
        reinterpret_cast<rtattr*>(buffer_.data() + at)->rta_len =
            static_cast<unsigned short>(header()->nlmsg_len - at);
    }
    /// The kernel's answer: 0, or an error number.
    int send() {
        const UniqueFd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
        if (!socket || ::send(socket.get(), buffer_.data(), header()->nlmsg_len, 0) < 0) {
            return errno;
        }
        std::array<char, 4096> answer{};
        const auto size = ::recv(socket.get(), answer.data(), answer.size(), 0);
        const auto* reply = reinterpret_cast<const nlmsghdr*>(answer.data());
        if (size < static_cast<ssize_t>(NLMSG_LENGTH(sizeof(nlmsgerr))) || reply->nlmsg_type != NLMSG_ERROR) {
            return EPROTO;
        }
        return -static_cast<const nlmsgerr*>(NLMSG_DATA(reply))->error;
    }

  private:
    nlmsghdr* header() { return reinterpret_cast<nlmsghdr*>(buffer_.data()); }
    alignas(nlmsghdr) std::array<char, 1024> buffer_{};
};

/// The character device of a macvtap, in this network namespace; /dev may show another's.
UniqueFd open_macvtap(unsigned index, const std::string& name) {
    const auto node = fmt::format("/dev/tap{}", index);
    UniqueFd fd(::open(node.c_str(), O_RDWR | O_CLOEXEC | O_NONBLOCK));
    if (fd || errno != ENOENT) {
        return fd;
    }
    // Without udev nobody made it: its number stands beside the interface.
    const auto file = fmt::format("/sys/class/net/{}/tap{}/dev", name, index);
    const UniqueFd numbers(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
    std::array<char, 32> text{};
    unsigned major = 0, minor = 0;
    if (!numbers || ::read(numbers.get(), text.data(), text.size() - 1) <= 0 ||
        std::sscanf(text.data(), "%u:%u", &major, &minor) != 2) {
        errno = ENOENT;
        return {};
    }
    const auto own = fmt::format("/tmp/avocado-vt-tap{}-{}", index, ::getpid());
    if (::mknod(own.c_str(), S_IFCHR | 0600, makedev(major, minor)) == 0) {
        fd.reset(::open(own.c_str(), O_RDWR | O_CLOEXEC | O_NONBLOCK));
        ::unlink(own.c_str());
    }
    return fd;
}

}  // namespace

Tap make_tap(const std::string& name, int queues) {
    require_name(name);
    Tap tap;
    tap.name = name;
    for (int i = 0; i < queues; ++i) {
        UniqueFd fd(::open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK));
        ifreq request{};
        name.copy(request.ifr_name, IFNAMSIZ - 1);
        request.ifr_flags =
            static_cast<short>(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | (queues > 1 ? IFF_MULTI_QUEUE : 0));
        if (!fd || ::ioctl(fd.get(), TUNSETIFF, &request) != 0) {
            throw SystemError(fmt::format("make the tap {} with {} queue(s)", name, queues), errno);
        }
        tap.queues.push_back(std::move(fd));
    }
    return tap;
}

std::optional<std::string> macvtap_obstacle(const std::string& parent) {
    if (parent.empty() || ::if_nametoindex(parent.c_str()) == 0) {
        return fmt::format("there is no interface {}", parent);
    }
    if (::geteuid() != 0) {
        return "only root may make macvtaps";
    }
    return std::nullopt;
}

Tap make_macvtap(const std::string& name, const std::string& parent, const MacAddress& mac, int queues,
                 const std::filesystem::path& journals, const ProcessId& holder) {
    require_name(name);
    const unsigned below = ::if_nametoindex(parent.c_str());
    Tap tap;
    tap.name = name;
    tap.entry = Journal::open(journals)->add({Resource::Kind::tap, name, {}, false, holder});
    LinkRequest request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
    request.info()->ifi_flags = IFF_UP;
    request.info()->ifi_change = IFF_UP;
    request.add(IFLA_IFNAME, name.c_str(), name.size() + 1);
    request.add(IFLA_LINK, &below, sizeof below);
    std::array<unsigned char, 6> bytes{};
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        bytes.at(i) = static_cast<unsigned char>(std::stoul(mac.text.substr(3 * i, 2), nullptr, 16));
    }
    request.add(IFLA_ADDRESS, bytes.data(), bytes.size());
    const auto info = request.open(IFLA_LINKINFO);
    request.add(IFLA_INFO_KIND, "macvtap", 7);
    const auto data = request.open(IFLA_INFO_DATA);
    const std::uint32_t mode = MACVLAN_MODE_BRIDGE;
    request.add(IFLA_MACVLAN_MODE, &mode, sizeof mode);
    request.close(data);
    request.close(info);
    if (const int error = request.send(); error != 0) {
        throw SystemError(fmt::format("make the macvtap {} on {}", name, parent), error);
    }
    try {
        for (int i = 0; i < queues; ++i) {
            auto fd = open_macvtap(::if_nametoindex(name.c_str()), name);
            ifreq flags{};
            flags.ifr_flags =
                static_cast<short>(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | (queues > 1 ? IFF_MULTI_QUEUE : 0));
            if (!fd || ::ioctl(fd.get(), TUNSETIFF, &flags) != 0) {
                throw SystemError("open the macvtap " + name, errno);
            }
            tap.queues.push_back(std::move(fd));
        }
    } catch (...) {
        remove_interface(name);
        throw;
    }
    return tap;
}

bool remove_interface(const std::string& name) {
    const unsigned index = ::if_nametoindex(name.c_str());
    if (index == 0) {
        return false;
    }
    LinkRequest request(RTM_DELLINK, 0);
    request.info()->ifi_index = static_cast<int>(index);
    return request.send() == 0;
}

}  // namespace vt

// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/net/address_watch.hpp"

#include "runner/io/io_loop.hpp"
#include "runner/net/bridge.hpp"
#include "runner/net/network_namespace.hpp"
#include "runner/net/tap.hpp"
#include "runner/support/error.hpp"

#include <cerrno>
#include <optional>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <net/if.h>
#include <poll.h>
#include <unistd.h>

namespace vt {

namespace {

using Bytes = std::vector<std::uint8_t>;

const MacAddress guest{"9a:01:02:03:04:05"};

Bytes guest_bytes() {
    return {0x9a, 1, 2, 3, 4, 5};
}

void append(Bytes& to, const Bytes& more) {
    to.insert(to.end(), more.begin(), more.end());
}

Bytes arp_reply(const Bytes& sender, const Bytes& address) {
    Bytes frame(12, 0xff);
    append(frame, {8, 6, 0, 1, 8, 0, 6, 4, 0, 2});
    append(frame, sender);
    append(frame, address);
    append(frame, Bytes(10, 0));
    return frame;
}

/// A DHCP message of \p kind from a server to \p client.
Bytes dhcp(const Bytes& client, const Bytes& address, std::uint8_t kind) {
    Bytes frame(12, 0xff);
    append(frame, {8, 0, 0x45, 0, 0, 0, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 255, 255, 255, 255});
    append(frame, {0, 67, 0, 68, 0, 0, 0, 0});
    Bytes message(236, 0);
    message[0] = 2;
    std::copy(address.begin(), address.end(), message.begin() + 16);
    std::copy(client.begin(), client.end(), message.begin() + 28);
    append(message, {99, 130, 83, 99, 0, 54, 4, 10, 0, 0, 1, 53, 1, kind, 255});
    append(frame, message);
    return frame;
}

std::optional<std::string> address(const Bytes& frame) {
    return address_in_frame(frame.data(), frame.size(), guest);
}

}  // namespace

TEST_CASE("addresses in frames: ARP and acknowledged leases of this guest") {
    CHECK(address(arp_reply(guest_bytes(), {10, 0, 0, 7})) == "10.0.0.7");
    CHECK(!address(arp_reply(guest_bytes(), {0, 0, 0, 0})));  // a probe: it has none yet
    CHECK(!address(arp_reply(guest_bytes(), {169, 254, 1, 1})));
    CHECK(!address(arp_reply({1, 2, 3, 4, 5, 6}, {10, 0, 0, 7})));
    CHECK(address(dhcp(guest_bytes(), {192, 168, 1, 9}, 5)) == "192.168.1.9");
    CHECK(!address(dhcp(guest_bytes(), {192, 168, 1, 9}, 2)));  // only offered
    CHECK(!address(dhcp({1, 2, 3, 4, 5, 6}, {192, 168, 1, 9}, 5)));
}

TEST_CASE("frames that are cut anywhere tell nothing and harm nobody") {
    for (const auto& whole :
         {arp_reply(guest_bytes(), {10, 0, 0, 7}), dhcp(guest_bytes(), {10, 0, 0, 7}, 5)}) {
        for (std::size_t size = 0; size < whole.size(); ++size) {
            const Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
            const auto found = address(cut);
            CHECK((!found || *found == "10.0.0.7"));
        }
    }
}

TEST_CASE("a tap with two queues is there while it is open, and what passes it is seen") {
    if (const auto obstacle = NetworkNamespace::obstacle()) {
        MESSAGE(*obstacle << "; what needs a tap is skipped");
        return;
    }
    std::optional<std::string> seen;
    unsigned left = 1;
    NetworkNamespace().run_there([&] {
        auto tap = make_tap("vt-test", 2);
        bring_up("vt-test");
        IoLoop loop;
        const AddressWatch watch(loop, "vt-test", guest);
        Bytes frame(10, 0);  // the header that virtio puts before each
        append(frame, arp_reply(guest_bytes(), {10, 0, 0, 7}));
        if (::write(tap.queues.at(1).get(), frame.data(), frame.size()) < 0) {
            throw SystemError("write to the tap", errno);
        }
        for (int i = 0; i < 3000 && !watch.address(); ++i) {
            ::poll(nullptr, 0, 20);
        }
        seen = watch.address();
        tap.queues.clear();
        left = ::if_nametoindex("vt-test");
    });
    CHECK(seen == "10.0.0.7");
    CHECK(left == 0);
}

}  // namespace vt

// SPDX-License-Identifier: GPL-2.0-or-later
// The machine's side of the network: taps, forwarded ports, addresses.
#include "runner/net/address_watch.hpp"
#include "runner/net/bridge.hpp"
#include "runner/net/tap.hpp"
#include "runner/process/guardian.hpp"
#include "runner/support/log.hpp"
#include "runner/vm/qemu/qemu_vm_impl.hpp"

#include <algorithm>

#include <fmt/core.h>

namespace vt::qemu {

namespace {

constexpr std::uint16_t first_port = 5000, last_port = 5899;  ///< of redirections, as Avocado-VT chooses them
constexpr int first_tap_fd = 20;                              ///< in QEMU

}  // namespace

/// Makes the tap of \p nic where the host lets us; false: it gets user networking.
bool QemuVm::place_tap(Running& run, const Nic& nic) const {
    const bool macvtap = nic.backend == Nic::Backend::macvtap;
    const auto netdst = nic.network ? bridge_of_network(nic.netdst) : nic.netdst;
    if (const auto obstacle = macvtap ? macvtap_obstacle(netdst) : bridge_obstacle(netdst)) {
        log::warning("NIC {} of {}: nettype {} is not possible here ({}), using user networking instead",
                     nic.name, name_, macvtap ? "macvtap" : "bridge", *obstacle);
        return false;
    }
    const auto name = fmt::format("vt{}-{}", instance_, run.placement.taps.size());
    const int queues = static_cast<int>(std::clamp<std::int64_t>(nic.queues.value_or(1), 1, 256));
    if (macvtap) {
        const auto guest = MacAddress::parse(!nic.mac.empty() ? nic.mac : macs_.at(nic.name));
        run.taps.push_back(make_macvtap(name, netdst, guest, queues, context_.dirs.journal(),
                                        process::Guardian::running(context_.job_dir).value_or(ProcessId{})));
    } else {
        run.taps.push_back(make_tap(name, queues));
        join_bridge(netdst, name);
    }
    run.placement.taps[nic.name] = name;
    auto& fds = run.placement.tap_fds[nic.name];
    int next = first_tap_fd;
    for (const auto& [other, numbers] : run.placement.tap_fds) {
        next += static_cast<int>(numbers.size());
    }
    for (int i = 0; i < queues; ++i) {
        fds.push_back(next + i);
    }
    return true;
}

void QemuVm::place_network(Running& run) const {
    for (const auto& nic : run.machine.nics) {
        if (const auto mac = macs_.find(nic.name); mac != macs_.end()) {
            run.placement.macs[nic.name] = mac->second;
        }
        const bool tap = nic.backend == Nic::Backend::bridge || nic.backend == Nic::Backend::macvtap;
        if ((tap && place_tap(run, nic)) || nic.backend == Nic::Backend::vhost_user) {
            continue;
        }
        for (const auto& [redir, port] : nic.redirs) {
            run.leases.push_back(PortLease::take(first_port, last_port));
            run.placement.forwarded[nic.name][redir] = run.leases.back().port();
        }
    }
}

void QemuVm::watch_addresses(Running& run) {
    for (const auto& nic : run.machine.nics) {
        const auto tap = run.placement.taps.find(nic.name);
        if (tap == run.placement.taps.end() || !nic.watched) {
            continue;
        }
        try {
            const auto mac = MacAddress::parse(!nic.mac.empty() ? nic.mac : macs_.at(nic.name));
            run.addresses[nic.name] = std::make_unique<AddressWatch>(*context_.loop, tap->second, mac);
        } catch (const Error& error) {
            log::warning("The address of NIC {} of {} is not learnt from its traffic: {}", nic.name, name_,
                         error.what());
        }
    }
}

/// What outlasts the descriptors of a tap.
void QemuVm::leave_networks(Running& run) const {
    run.addresses.clear();
    for (const auto& nic : run.machine.nics) {
        const auto tap = run.placement.taps.find(nic.name);
        if (tap == run.placement.taps.end()) {
            continue;
        }
        if (nic.backend == Nic::Backend::macvtap) {
            remove_interface(tap->second);
        } else {
            leave_bridge(nic.network ? bridge_of_network(nic.netdst) : nic.netdst, tap->second);
        }
    }
    run.taps.clear();
}

std::string QemuVm::get_address(std::size_t nic) {
    nic_params(nic);
    const auto& card = running().machine.nics[nic];
    if (!running().placement.taps.contains(card.name)) {
        return "127.0.0.1";
    }
    const auto mac = MacAddress::parse(get_mac_address(nic));
    if (const auto watch = running().addresses.find(card.name); watch != running().addresses.end()) {
        if (auto seen = watch->second->address()) {
            return *seen;
        }
    }
    return learnt_address(mac, card.netdst).value_or(link_local_address(mac));
}

}  // namespace vt::qemu

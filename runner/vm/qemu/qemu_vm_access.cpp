// SPDX-License-Identifier: GPL-2.0-or-later
// What a person needs to know to get into a machine while its test is paused.
#include "runner/guest/guest_access.hpp"
#include "runner/net/bridge.hpp"
#include "runner/vm/qemu/qemu_vm_impl.hpp"

#include <charconv>

#include <fmt/core.h>

namespace vt::qemu {

namespace {

/// The command that logs in; the password is the guest's secret and not told.
std::string login_command(const std::string& client, const std::string& user, const std::string& host,
                          std::uint16_t port) {
    if (client == "telnet" || client == "nc") {
        return fmt::format("network:         {} {} {}", client, host, port);
    }
    return fmt::format(
        "network:         ssh -p {} -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null {}@{}", port,
        user, host);
}

}  // namespace

/// The way in over the first network card; an address on a bridge is learnt late, so it is looked up when
/// asked.
std::function<std::string()> QemuVm::shell_way(const Running& run) const {
    if (run.machine.nics.empty()) {
        return {};
    }
    const auto& nic = run.machine.nics.front();
    const Params view = params_.object_params(name_).object_params(nic.name);
    const auto client = view.get("shell_client", "ssh");
    const auto user = view.get("username", "root");
    std::uint16_t port = 22;
    const auto port_text = view.get("shell_port", "22");
    std::from_chars(port_text.data(), port_text.data() + port_text.size(), port);
    if (run.placement.taps.contains(nic.name)) {
        const auto mac = nic.mac.empty() ? macs_.at(nic.name) : nic.mac;
        return [=, bridge = nic.netdst] {
            const auto address = learnt_address(MacAddress::parse(mac), bridge);
            return address ? login_command(client, user, *address, port)
                           : fmt::format("network:         {} on {}, whose address is not known yet", mac,
                                         bridge);
        };
    }
    const auto forwarded = run.placement.forwarded.find(nic.name);
    if (forwarded != run.placement.forwarded.end()) {
        for (const auto& [redir, guest_port] : nic.redirs) {
            if (guest_port == port && forwarded->second.contains(redir)) {
                return [=, host_port = forwarded->second.at(redir)] {
                    return login_command(client, user, "127.0.0.1", host_port);
                };
            }
        }
    }
    return {};
}

void QemuVm::tell_ways_in(const Running& run) {
    if (!context_.access) {
        return;
    }
    WaysIn ways;
    ways.name = fmt::format("VM {} (pid {})", name_, run.process->pid());
    ways.shell = shell_way(run);
    for (const auto& monitor : run.machine.monitors) {
        const auto socket = monitor_socket(run.placement.instance_dir, monitor.name);
        const auto qmp = run.qmp.find(monitor.name);
        const auto human = run.human.find(monitor.name);
        const bool used =
            (qmp != run.qmp.end() && qmp->second) || (human != run.human.end() && human->second);
        ways.sockets.push_back(
            used ? fmt::format("monitor {}:  {} is used by the test", monitor.name, socket.native())
                 : fmt::format("monitor {} ({}):  socat READLINE UNIX-CONNECT:{}", monitor.name,
                               monitor.qmp ? "QMP" : "human", socket.native()));
    }
    for (const auto& [name, console] : run.consoles) {
        ways.consoles.push_back(console);
    }
    context_.access->add(this, std::move(ways));
}

void QemuVm::forget_ways_in() {
    if (context_.access) {
        context_.access->remove(this);
    }
}

}  // namespace vt::qemu

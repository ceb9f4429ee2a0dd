// SPDX-License-Identifier: GPL-2.0-or-later
// `netdst = private`: a bridge of the test's own, with addresses handed out on it.
#include "runner/env/setup/host_changes.hpp"
#include "runner/env/setup/setup_params.hpp"
#include "runner/net/bridge.hpp"
#include "runner/support/log.hpp"
#include "runner/support/strings.hpp"

#include <bitset>
#include <charconv>
#include <optional>

#include <net/if.h>

namespace vt {

namespace fs = std::filesystem;

namespace {

constexpr Seconds patience{30};
constexpr Seconds dhcp_grace{5};

class BridgeSetup : public Setup {
  public:
    explicit BridgeSetup(const SetupScope& scope)
        : scope_(scope), changes_(scope.test.vm.dirs.journal(), scope.test.host_root) {}

    std::string_view name() const override { return "private bridge"; }

    void set_up() override {
        Params& params = scope_.test.params;
        std::optional<Params> nic_view;
        for (const auto& nic : params.objects("nics")) {
            const Params view = params.object_params(nic);
            if (view.get("netdst") == "private") {
                params.set("netdst_" + nic, view.get("priv_brname", "atbr0"));
                nic_view = view;
            }
        }
        if (nic_view) {
            honour("netdst = private", [&] { make(*nic_view); });
        }
    }

    void clean_up() override {
        if (dhcp_) {
            dhcp_->terminate(dhcp_grace);
            dhcp_.reset();
        }
        changes_.undo();
    }

  private:
    static void run(const std::vector<std::string>& argv) {
        process::check({argv, {}, {}, {}, true}, Deadline::after(patience));
    }

    void make(const Params& params_) {
        const auto bridge = params_.get("priv_brname", "atbr0");
        const bool there = ::if_nametoindex(bridge.c_str()) != 0;
        const bool ovs = params_.get("priv_br_type") == "openvswitch";
        if (there && !yes(params_, "bridge_force_create")) {
            log::info("The private bridge {} is there already and is used as it is", bridge);
            return;
        }
        if (!process::find_program("dnsmasq")) {
            throw Error("the program dnsmasq, which gives guests their addresses, is not installed");
        }
        if (there) {
            run(ovs ? std::vector<std::string>{"ovs-vsctl", "del-br", bridge}
                    : std::vector<std::string>{"ip", "link", "delete", bridge});
        }
        if (ovs) {
            changes_.undo_by({"ovs-vsctl", "--if-exists", "del-br", bridge});
            run({"ovs-vsctl", "add-br", bridge});
        } else {
            changes_.makes(Resource::Kind::bridge, bridge);
            run({"ip", "link", "add", bridge, "type", "bridge", "stp_state", "1", "forward_delay", "400"});
        }
        if (const auto port = params_.get("physical_nic"); !port.empty()) {
            add_port(bridge, port, ovs);
        }
        const auto subnet = params_.get("priv_subnet", "192.168.58");
        run({"ip", "address", "add",
             fmt::format("{}.1/{}", subnet, prefix(params_.get("priv_netmask", "255.255.255.0"))), "dev",
             bridge});
        run({"ip", "link", "set", bridge, "up"});
        const fs::path forwarding =
            fmt::format("/proc/sys/net/{}/ip_forward", params_.get("bridge_ip_version", "ipv4"));
        if (fs::exists(changes_.at(forwarding))) {
            changes_.set(forwarding, "1");
        }
        allow(bridge, subnet, params_);
        serve_addresses(bridge, subnet);
        log::info("The private bridge {} is there, with addresses {}.2 to {}.254", bridge, subnet, subnet);
    }

    void add_port(const std::string& bridge, const std::string& port, bool ovs) {
        if (::if_nametoindex(port.c_str()) == 0) {
            throw Error(fmt::format("it has no network interface {} (physical_nic)", port));
        }
        if (ovs) {
            run({"ovs-vsctl", "add-port", bridge, port});
            return;
        }
        changes_.undo_by({"ip", "link", "set", port, "nomaster"});
        run({"ip", "link", "set", port, "master", bridge});
        run({"ip", "link", "set", port, "up"});
    }

    /// 24 of "255.255.255.0"; "24" is taken as it is.
    static int prefix(const std::string& mask) {
        int bits = 0;
        for (const auto& part : split(mask, '.')) {
            unsigned number = 0;
            std::from_chars(part.data(), part.data() + part.size(), number);
            if (mask.find('.') == std::string::npos) {
                return static_cast<int>(number);
            }
            bits += static_cast<int>(std::bitset<8>(number).count());
        }
        return bits;
    }

    /// Lets the guests' packets through a firewall; a host without iptables has none of that kind.
    void allow(const std::string& bridge, const std::string& subnet, const Params& params_) {
        if (!process::find_program("iptables")) {
            log::info("iptables is not installed: no rules are made for the private bridge");
            return;
        }
        auto ports = split_words(params_.get("priv_bridge_ports", "53 67"));
        ports.push_back(params_.get("guest_port_remote_shell", "10022"));
        ports.push_back(params_.get("guest_port_file_transfer", "10023"));
        ports.push_back(params_.get("guest_port_unattended_install", "13323"));
        std::vector<std::string> rules;
        for (const auto& port : ports) {
            for (const char* protocol : {"tcp", "udp"}) {
                rules.push_back(
                    fmt::format("INPUT -i {} -p {} --dport {} -j ACCEPT", bridge, protocol, port));
            }
        }
        rules.push_back(fmt::format("FORWARD -d {}.0/24 -o {} -m state --state RELATED,ESTABLISHED -j ACCEPT",
                                    subnet, bridge));
        rules.push_back(fmt::format("FORWARD -s {}.0/24 -i {} -j ACCEPT", subnet, bridge));
        rules.push_back(fmt::format("FORWARD -i {0} -o {0} -j ACCEPT", bridge));
        for (const auto& rule : rules) {
            std::vector<std::string> add{"iptables", "-I"};
            std::vector<std::string> remove{"iptables", "-D"};
            for (const auto& word : split_words(rule)) {
                add.push_back(word);
                remove.push_back(word);
            }
            changes_.undo_by(remove);
            run(add);
        }
    }

    void serve_addresses(const std::string& bridge, const std::string& subnet) {
        dhcp_.emplace(
            process::Command{{"dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--strict-order",
                              "--bind-interfaces", "--interface=" + bridge, "--except-interface=lo",
                              fmt::format("--listen-address={}.1", subnet),
                              fmt::format("--dhcp-range={0}.2,{0}.254", subnet), "--dhcp-lease-max=253",
                              "--dhcp-no-override", "--log-facility=-", "--pid-file=",
                              "--dhcp-leasefile=" + (scope_.test.vm.job_dir / "dnsmasq.leases").native()},
                             {},
                             {},
                             {},
                             true},
            [](std::string_view line) { log::debug("dnsmasq: {}", line); });
        if (!dhcp_->running()) {
            throw Error("dnsmasq ended at once");
        }
    }

    SetupScope scope_;
    HostChanges changes_;
    std::optional<process::Child> dhcp_;
};

}  // namespace

std::unique_ptr<Setup> make_bridge_setup(const SetupScope& scope) {
    return std::make_unique<BridgeSetup>(scope);
}

}  // namespace vt

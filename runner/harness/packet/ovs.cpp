// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/harness/packet/ovs.hpp"

#include "runner/harness/packet/ethernet_port.hpp"
#include "runner/harness/packet/frame_walk.hpp"
#include "runner/harness/packet/ovs_bridge.hpp"
#include "runner/harness/packet/ovsdb.hpp"
#include "runner/io/io_loop.hpp"
#include "runner/io/json_rpc.hpp"
#include "runner/io/socket.hpp"
#include "runner/io/socket_reader.hpp"
#include "runner/support/log.hpp"
#include "runner/support/strings.hpp"

#include <cerrno>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace vt::packet {
namespace fs = std::filesystem;
using Json = nlohmann::json;
namespace {

constexpr Seconds patience{30};
/// How many bytes go into a socket with one call.
constexpr std::size_t most_at_once = std::size_t{64} << 10;
constexpr std::size_t ethernet_header = 14;
constexpr std::size_t vlan_tag = 4;

fs::path schema() {
    for (const char* place : {"/usr/share/openvswitch", "/usr/local/share/openvswitch"}) {
        const auto file = fs::path(place) / "vswitch.ovsschema";
        if (fs::exists(file)) {
            return file;
        }
    }
    throw Error(
        "vswitch.ovsschema is not in /usr/share/openvswitch; install Open vSwitch (package "
        "openvswitch-switch)");
}

/// One interface of the test's.
struct Port {
    PortFacts facts;
    std::string row;  ///< its name in the database
    fs::path capture;
    std::unique_ptr<SocketReader> socket;    ///< a dummy's; what it sends us is in its capture, too
    std::unique_ptr<EthernetPort> ethernet;  ///< a veth's, a tap's
};

}  // namespace

PortKind port_kind_of(const std::string& word) {
    static const std::map<std::string, PortKind> kinds{
        {"dummy", PortKind::dummy}, {"veth", PortKind::veth}, {"tap", PortKind::tap}};
    const auto found = kinds.find(word);
    if (found == kinds.end()) {
        throw Error(fmt::format("interfaces should be dummy, veth or tap, but \"{}\" was asked for", word));
    }
    return found->second;
}

struct OvsSwitch::Impl {
    Impl(IoLoop& its_loop, OvsOptions its_options) : loop(its_loop), options(std::move(its_options)) {}

    Deadline soon() const { return Deadline::after(patience); }
    fs::path run(const std::string& name) const { return options.run_directory / name; }

    /// Nothing of a switch is looked for where the host's own is.
    std::map<std::string, std::string> environment() const {
        std::map<std::string, std::string> words;
        for (const char* name : {"OVS_RUNDIR", "OVS_LOGDIR", "OVS_DBDIR", "OVS_SYSCONFDIR"}) {
            words[name] = options.run_directory.string();
        }
        return words;
    }

    DaemonOptions common(const std::string& name, std::vector<std::string> argv) const {
        DaemonOptions it;
        it.name = name;
        it.argv = std::move(argv);
        it.environment = environment();
        it.directory = options.directory;
        it.network = network;
        it.start_timeout = options.start_timeout;
        return it;
    }

    void start_database() {
        process::Command tool;
        tool.argv = {"ovsdb-tool", "create", run("conf.db").string(), schema().string()};
        tool.environment = environment();
        process::check(tool, soon());
        auto it =
            common("ovsdb-server",
                   {"ovsdb-server", run("conf.db").string(), "--remote=punix:" + run("db.sock").string(),
                    "--unixctl=" + run("db.ctl").string(), "--no-chdir", "-vconsole:warn"});
        it.ready = process::ReadySocket{run("db.sock"), {}, 0};
        database_server = std::make_unique<Daemon>(loop, std::move(it));
        database_server->wait_ready();
    }

    void start_switch() {
        std::vector<std::string> argv{
            options.program,
            "unix:" + run("db.sock").string(),
            options.ports == PortKind::dummy ? "--enable-dummy=override" : "--enable-dummy",
            "--disable-system",
            "--no-chdir",
            "--unixctl=" + run("sw.ctl").string(),
            "-vconsole:warn",
            "--log-file=" + (options.directory / "ovs-vswitchd.log").string()};
        auto it = common("ovs-vswitchd", std::move(argv));
        it.ready = process::ReadySocket{run("sw.ctl"), {}, 0};
        it.debug = options.settings.debug;
        it.core_size = options.settings.core_size;
        it.keep_alive = options.keep_alive;
        if (options.stop) {
            it.stop = *options.stop;
        }
        daemon = std::make_unique<Daemon>(loop, std::move(it));
    }

    /// A new configuration, by which the switch has no bridge but ours.
    void first_configuration() {
        database = std::make_unique<Ovsdb>(loop, run("db.sock"), soon(), daemon ? daemon->death() : nullptr);
        database->transact(
            initial_operations(options.bridge, options.ports == PortKind::dummy ? "dummy" : "netdev"),
            soon());
    }

    JsonRpc& control() {
        if (!rpc) {
            rpc = std::make_unique<JsonRpc>(loop, connect_unix(run("sw.ctl"), soon(), daemon->death().get()),
                                            "ovs-vswitchd");
        }
        return *rpc;
    }

    /// \p call's result; where it fails as the switch has died, the error says how.
    template <typename Call>
    auto alive(const Call& call) {
        if (!daemon) {
            throw Error("the switch has not been started");
        }
        daemon->check();
        try {
            return call();
        } catch (const JsonRpcError&) {
            throw;
        } catch (const Error&) {
            if (daemon->death()->reason()) {
                daemon->wait(soon());
                daemon->check();
            }
            throw;
        }
    }

    Port& port(unsigned pg_index) {
        const auto found = ports.find(pg_index);
        if (found == ports.end()) {
            throw Error(fmt::format("there is no interface pg{}", pg_index));
        }
        return found->second;
    }

    void connect(Port& port) {
        const auto& name = port.facts.name;
        if (options.ports == PortKind::dummy) {
            port.socket = std::make_unique<SocketReader>(
                loop, connect_unix(run(name + ".sock"), soon(), daemon->death().get()),
                SocketReader::Handlers{[](std::string_view) {}, [](const std::string&) {}});
            return;
        }
        if (options.ports == PortKind::tap) {
            bring_up(*network, name, options.mtu);
        }
        port.ethernet = std::make_unique<EthernetPort>(loop, *network, name, port.capture);
    }

    /// Its row in the database, and what is behind it.
    InterfaceRow row_of(const Port& port) const {
        InterfaceRow row;
        row.name = port.facts.name;
        row.ofport = port.facts.sw_if_index;
        row.mtu = options.mtu;
        if (options.ports == PortKind::dummy) {
            row.type = "dummy";
            row.options = {{"pstream", "punix:" + run(row.name + ".sock").string()},
                           {"tx_pcap", port.capture.string()}};
        } else if (options.ports == PortKind::tap) {
            row.type = "tap";
        } else {
            row.name = port.facts.name + "-sw";
            make_veth(*network, port.facts.name, row.name, options.mtu);
        }
        return row;
    }

    void send(Port& port, const std::vector<Frame>& frames, const Deadline& deadline) const {
        if (port.ethernet) {
            port.ethernet->send(frames, deadline);
            return;
        }
        std::string chunk;
        for (const auto& frame : frames) {
            Frame length(2, '\0');
            put16(length, 0, static_cast<std::uint16_t>(frame.size()));
            chunk += length;
            chunk += frame;
            if (chunk.size() >= most_at_once) {
                port.socket->write(chunk, deadline);
                chunk.clear();
            }
        }
        port.socket->write(chunk, deadline);
    }

    void warn_of_long_frames(const Port& port, const std::vector<Frame>& frames) const {
        for (std::size_t i = 0; i < frames.size(); ++i) {
            if (frames[i].size() > longest_frame) {
                throw Error(fmt::format("frame {} for {} has {} bytes; {} are the most", i, port.facts.name,
                                        frames[i].size(), longest_frame));
            }
            if (frames[i].size() > options.mtu + ethernet_header + vlan_tag) {
                log::warning("frame {} for {} has {} bytes, more than its MTU of {} lets through", i,
                             port.facts.name, frames[i].size(), options.mtu);
                return;
            }
        }
    }

    IoLoop& loop;
    const OvsOptions options;
    std::shared_ptr<const NetworkNamespace> network = std::make_shared<NetworkNamespace>();
    std::unique_ptr<Daemon> database_server;
    std::unique_ptr<Daemon> daemon;
    std::unique_ptr<Ovsdb> database;
    std::unique_ptr<JsonRpc> rpc;
    std::map<unsigned, Port> ports;
    int next_ofport = 1;
};

OvsSwitch::OvsSwitch(IoLoop& loop, OvsOptions options)
    : impl_(std::make_unique<Impl>(loop, std::move(options))) {}

OvsSwitch::~OvsSwitch() = default;

std::optional<std::string> OvsSwitch::obstacle() {
    return NetworkNamespace::obstacle();
}

void OvsSwitch::start() {
    impl_->start_database();
    impl_->first_configuration();
    impl_->start_switch();
    if (impl_->options.launched) {
        impl_->options.launched(*impl_->daemon);
    }
    impl_->daemon->wait_ready();
    // Its death ends waits from now on.
    impl_->database =
        std::make_unique<Ovsdb>(impl_->loop, impl_->run("db.sock"), impl_->soon(), impl_->daemon->death());
    configure(Json::array());
}

Daemon* OvsSwitch::daemon() {
    return impl_->daemon.get();
}

void OvsSwitch::stop() {
    impl_->rpc.reset();
    impl_->database.reset();
    for (const auto& daemon : {impl_->daemon.get(), impl_->database_server.get()}) {
        if (daemon != nullptr) {
            daemon->stop();
        }
    }
    impl_->ports.clear();
}

std::string OvsSwitch::cli(const std::string& command, const Deadline& deadline) {
    auto words = command_words(command);
    if (words.empty()) {
        throw Error("an empty command was to be executed");
    }
    const auto method = words.front();
    words.erase(words.begin());
    return impl_->alive([&] {
        const auto answer =
            impl_->control().call(method, Json(words), deadline, impl_->daemon->death().get());
        return answer.is_string() ? answer.get<std::string>() : answer.dump();
    });
}

PortFacts OvsSwitch::create_pg_interface(unsigned pg_index) {
    if (impl_->ports.count(pg_index) != 0) {
        throw Error(fmt::format("there is an interface pg{} already", pg_index));
    }
    Port port;
    port.facts.pg_index = pg_index;
    port.facts.name = fmt::format("pg{}", pg_index);
    port.facts.sw_if_index = impl_->next_ofport++;
    port.facts.mtu = impl_->options.mtu;
    port.capture = impl_->options.directory / (port.facts.name + "_tx.pcap");
    const auto row = impl_->row_of(port);
    port.row = row.name;
    configure(add_port_operations(impl_->options.bridge, row));
    port.facts = impl_->alive([&] {
        auto facts = facts_of(*impl_->database, row.name, impl_->soon());
        facts.pg_index = pg_index;
        facts.name = port.facts.name;
        facts.mtu = port.facts.mtu;
        return facts;
    });
    impl_->connect(port);
    return impl_->ports.emplace(pg_index, std::move(port)).first->second.facts;
}

PortFacts OvsSwitch::create_loopback(const std::string& name) {
    InterfaceRow row;
    row.name = name;
    row.type = impl_->options.ports == PortKind::dummy ? "dummy" : "internal";
    row.ofport = impl_->next_ofport++;
    row.mtu = impl_->options.mtu;
    configure(add_port_operations(impl_->options.bridge, row));
    return impl_->alive([&] { return facts_of(*impl_->database, name, impl_->soon()); });
}

void OvsSwitch::delete_port(const std::string& name) {
    impl_->alive([&] {
        const auto found = impl_->database->transact(Json::array({{{"op", "select"},
                                                                   {"table", "Port"},
                                                                   {"where", ovsdb_named(name)},
                                                                   {"columns", {"_uuid"}}}}),
                                                     impl_->soon());
        if (found[0]["rows"].empty()) {
            throw Error(fmt::format("the switch has no port {}", name));
        }
        return impl_->database->configure(
            Json::array({{{"op", "mutate"},
                          {"table", "Bridge"},
                          {"where", ovsdb_named(impl_->options.bridge)},
                          {"mutations",
                           Json::array({Json::array({"ports", "delete", found[0]["rows"][0]["_uuid"]})})}}}),
            impl_->soon());
    });
}

std::unique_ptr<GrowingPcap> OvsSwitch::begin_capture(unsigned pg_index, const fs::path& /*file*/) {
    auto capture = std::make_unique<GrowingPcap>(impl_->port(pg_index).capture);
    capture->skip_to_end();
    return capture;
}

void OvsSwitch::generate(const std::vector<Stream>& streams, const Deadline& deadline) {
    for (const auto& stream : streams) {
        auto& port = impl_->port(stream.pg_index);
        impl_->warn_of_long_frames(port, stream.frames);
        impl_->alive([&] {
            impl_->send(port, stream.frames, deadline);
            return 0;
        });
    }
}

std::optional<std::uint64_t> OvsSwitch::counter(const std::string& name) {
    if (name.rfind("/if/", 0) == 0) {
        return interface_counter(cli("dpctl/show -s", impl_->soon()), name.substr(4));
    }
    try {
        return std::stoull(cli("coverage/read-counter " + name, impl_->soon()));
    } catch (const JsonRpcError&) {
        return std::nullopt;  // it is not among the counters
    }
}

std::string OvsSwitch::trace(unsigned pg_index, const Frame& frame) {
    std::string hex;
    for (const char c : frame) {
        hex += fmt::format("{:02x}", static_cast<unsigned>(static_cast<unsigned char>(c)));
    }
    return cli(fmt::format("ofproto/trace {} in_port={} {}", impl_->options.bridge,
                           impl_->port(pg_index).facts.sw_if_index, hex),
               impl_->soon());
}

void OvsSwitch::set_access_vlan(unsigned pg_index, unsigned tag) {
    configure(Json::array({update_port_operation(
        impl_->port(pg_index).row, Json{{"tag", tag}, {"vlan_mode", "access"}, {"trunks", ovsdb_set({})}})}));
    settle();
}

void OvsSwitch::set_trunk_vlans(unsigned pg_index, const std::vector<unsigned>& vlans) {
    configure(Json::array({update_port_operation(
        impl_->port(pg_index).row, Json{{"tag", ovsdb_set({})},
                                        {"vlan_mode", "trunk"},
                                        {"trunks", ovsdb_set({vlans.begin(), vlans.end()})}})}));
    settle();
}

void OvsSwitch::set_flows(const std::string& flows, bool replace) {
    impl_->alive([&] {
        process::Command tool;
        const auto bridge = "unix:" + impl_->run(impl_->options.bridge + ".mgmt").string();
        tool.argv = {"ovs-ofctl", replace ? "replace-flows" : "add-flows", bridge, "-"};
        tool.environment = impl_->environment();
        tool.input = flows + "\n";
        process::check(tool, impl_->soon());
        return 0;
    });
    settle();
}

void OvsSwitch::settle() {
    // Flows of the datapath that were made by older rules go on until the switch looks at them again; now it
    // has to.
    cli("revalidator/purge", impl_->soon());
}

Json OvsSwitch::configure(const Json& operations) {
    return impl_->alive([&] { return impl_->database->configure(operations, impl_->soon()); });
}

std::vector<PortFacts> OvsSwitch::interfaces() {
    return impl_->alive([&] { return all_facts(*impl_->database, impl_->soon()); });
}

const std::shared_ptr<const NetworkNamespace>& OvsSwitch::network() const {
    return impl_->network;
}

fs::path OvsSwitch::control_socket() const {
    return impl_->run("sw.ctl");
}

}  // namespace vt::packet

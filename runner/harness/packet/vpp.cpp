// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/harness/packet/vpp.hpp"

#include "runner/io/io_loop.hpp"
#include "runner/io/socket.hpp"
#include "runner/process/process.hpp"
#include "runner/support/error.hpp"
#include "runner/support/strings.hpp"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

namespace vt::packet {
namespace fs = std::filesystem;
namespace {

using Keys = std::vector<std::string>;

/// VPP's stanzas and their keys, in the order in which VPP's framework writes them.
const std::vector<std::pair<std::string, Keys>>& stanzas() {
    static const std::vector<std::pair<std::string, Keys>> all{
        {"unix",
         {"interactive", "nodaemon", "log", "full-coredump", "coredump-size", "cli-listen", "runtime-dir",
          "gid"}},
        {"api-trace", {"on", "enable", "nitems", "save-api-table"}},
        {"api-segment", {"prefix", "gid"}},
        {"socksvr", {"default", "socket-name"}},
        {"cpu",
         {"main-core", "corelist-workers", "skip-cores", "workers", "scheduler-policy",
          "scheduler-priority"}},
        {"statseg", {"socket-name"}},
        {"dpdk",
         {"dev", "vdev", "name", "hqos", "rss", "no-multi-seg", "num-mbufs", "num-rx-queues", "num-tx-queues",
          "num-rx-desc", "num-tx-desc", "socket-mem", "no-tx-checksum-offload", "uio-driver",
          "vlan-strip-offload", "workers"}},
        {"plugins", {"path", "plugin"}},
        {"tuntap",
         {"name", "mtu", "enable", "disable", "ether", "ethernet", "have-normal", "have-normal-interface"}},
        {"punt", {"socket"}},
    };
    return all;
}

const Keys& keys_of(const std::string& stanza) {
    std::vector<std::string> names;
    for (const auto& one : stanzas()) {
        if (one.first == stanza) {
            return one.second;
        }
        names.push_back(one.first);
    }
    throw Error(fmt::format("stanza '{}' must be in {}", stanza, join(names, ", ")));
}

constexpr Seconds patience{20};

}  // namespace

void VppConfig::add(const std::string& stanza, const std::string& key,
                    const std::optional<std::string>& value) {
    const auto& keys = keys_of(stanza);
    if (std::find(keys.begin(), keys.end(), key) == keys.end()) {
        throw Error(fmt::format("key '{}' must be in {}", key, join(keys, ", ")));
    }
    values_[stanza][key] = value;
}

void VppConfig::add_plugin(const std::string& name, const std::optional<std::string>& state) {
    const auto known = std::find_if(plugins_.begin(), plugins_.end(),
                                    [&](const auto& plugin) { return plugin.first == name; });
    if (known != plugins_.end()) {
        known->second = state;
    } else {
        plugins_.emplace_back(name, state);
    }
}

std::string VppConfig::text() const {
    std::string text;
    for (const auto& stanza : stanzas()) {
        const auto values = values_.find(stanza.first);
        const bool plugins = stanza.first == "plugins" && !plugins_.empty();
        if (!plugins && (values == values_.end() || values->second.empty())) {
            continue;
        }
        text += fmt::format("\n{} {{", stanza.first);
        for (const auto& key : stanza.second) {
            if (values == values_.end() || values->second.count(key) == 0) {
                continue;
            }
            const auto& value = values->second.at(key);
            text += fmt::format("\n    {}{}", key, value ? " " + *value : "");
        }
        if (plugins) {
            for (const auto& plugin : plugins_) {
                text += fmt::format("\n    plugin {} {{ {} }}", plugin.first, plugin.second.value_or(""));
            }
        }
        text += "\n}\n";
    }
    return text;
}

namespace vpp_command {

std::string create_interface(unsigned pg_index) {
    return fmt::format("create packet-generator interface pg{}", pg_index);
}
std::string capture(unsigned pg_index, const fs::path& file) {
    return fmt::format("packet-generator capture pg{} pcap {}", pg_index, file.string());
}
std::string new_stream(unsigned pg_index, const fs::path& file, const std::string& name) {
    return fmt::format("packet-generator new pcap {} source pg{} name {}", file.string(), pg_index, name);
}
std::string delete_stream(const std::string& name) {
    return fmt::format("packet-generator delete {}", name);
}
std::string trace() {
    return "trace add pg-input 50";
}
std::string enable() {
    return "packet-generator enable";
}

}  // namespace vpp_command

PortFacts vpp_facts(const std::string& interfaces, const std::string& hardware, const std::string& name) {
    PortFacts facts;
    facts.name = name;
    // "pg0    1     down    9000/0/0/0 …": name, number, state.
    for (const auto& line : split(interfaces, '\n')) {
        const auto words = split_words(line);
        if (words.size() > 2 && words[0] == name && line.front() != ' ') {
            std::from_chars(words[1].data(), words[1].data() + words[1].size(), facts.sw_if_index);
        }
    }
    if (facts.sw_if_index < 0) {
        throw Error(fmt::format("VPP has no interface {}", name));
    }
    // "pg0   1  down  pg0", then indented lines, of which one is "Ethernet address 02:fe:…".
    bool there = false;
    for (const auto& line : split(hardware, '\n')) {
        const auto words = split_words(line);
        if (!line.empty() && line.front() != ' ') {
            there = !words.empty() && words[0] == name;
        } else if (there && words.size() > 2 && words[0] == "Ethernet" && words[1] == "address") {
            facts.mac = words[2];
        }
    }
    return facts;
}

std::optional<std::uint64_t> vpp_error_counter(const std::string& errors, const std::string& name) {
    // A table of count, node and reason, under a line of headings.
    for (const auto& line : split(errors, '\n')) {
        const auto words = split_words(line);
        std::uint64_t count = 0;
        if (words.size() > 1 && words[1] == name &&
            std::from_chars(words[0].data(), words[0].data() + words[0].size(), count).ec == std::errc{}) {
            return count;
        }
    }
    return std::nullopt;
}

VppDaemon::VppDaemon(IoLoop& loop, std::vector<std::string> command_line, fs::path directory,
                     fs::path stats_socket, std::function<void(Daemon&)> launched)
    : loop_(loop), stats_socket_(std::move(stats_socket)), launched_(std::move(launched)) {
    const auto settings = Settings::read();
    socket_ = directory / "cli.sock";
    options_.name = "vpp";
    options_.argv = std::move(command_line);
    const auto listens = std::find(options_.argv.begin(), options_.argv.end(), "cli-listen");
    if (listens == options_.argv.end()) {
        options_.argv.insert(options_.argv.end(), {"unix", "{", "cli-listen", socket_.string(), "}"});
        options_.ready = process::ReadySocket{socket_, {}, 0};
    }
    options_.directory = std::move(directory);
    options_.core_size = settings.core_size;
    options_.debug = settings.debug;
}

VppDaemon::~VppDaemon() = default;

void VppDaemon::start() {
    daemon_ = std::make_unique<Daemon>(loop_, options_);
    if (launched_) {
        launched_(*daemon_);
    }
    daemon_->wait_ready();
}

void VppDaemon::stop() {
    if (daemon_) {
        daemon_->stop();
    }
}

std::string VppDaemon::cli(const std::string& command, const Deadline& deadline) {
    if (!daemon_) {
        throw Error("VPP has not been started");
    }
    daemon_->check();
    process::Command tool;
    tool.argv = {"vppctl", "-s", socket_.string(), command};
    return process::check(tool, deadline).out;
}

PortFacts VppDaemon::facts_of(const std::string& name) {
    const auto soon = Deadline::after(patience);
    return vpp_facts(cli("show interface", soon), cli("show hardware-interfaces", soon), name);
}

PortFacts VppDaemon::create_pg_interface(unsigned pg_index) {
    cli(vpp_command::create_interface(pg_index), Deadline::after(patience));
    auto facts = facts_of(fmt::format("pg{}", pg_index));
    facts.pg_index = pg_index;
    return facts;
}

std::unique_ptr<GrowingPcap> VppDaemon::begin_capture(unsigned pg_index, const fs::path& file) {
    auto capture = std::make_unique<GrowingPcap>(file);
    cli(vpp_command::capture(pg_index, file), Deadline::after(patience));
    return capture;
}

void VppDaemon::generate(const std::vector<Stream>& streams, const Deadline& deadline) {
    for (const auto& stream : streams) {
        cli(vpp_command::new_stream(stream.pg_index, stream.file, stream.name), deadline);
    }
    cli(vpp_command::trace(), deadline);
    cli(vpp_command::enable(), deadline);
}

std::optional<std::uint64_t> VppDaemon::counter(const std::string& name) {
    return vpp_error_counter(cli("show errors", Deadline::after(patience)), name);
}

std::string VppDaemon::trace(unsigned /*pg_index*/, const Frame& /*frame*/) {
    return cli("show trace", Deadline::after(patience));
}

void VppDaemon::forget_streams(const std::vector<std::string>& names) {
    for (const auto& name : names) {
        cli(vpp_command::delete_stream(name), Deadline::after(patience));
    }
}

bool VppDaemon::wait_for_stats(const Deadline& deadline) {
    try {
        connect_unix(stats_socket_, deadline, daemon_ ? daemon_->death().get() : nullptr);
        return true;
    } catch (const Error&) {
        return false;
    }
}

}  // namespace vt::packet

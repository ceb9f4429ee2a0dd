// SPDX-License-Identifier: GPL-2.0-or-later
// The questions themselves.
#include "runner/caps/capabilities.hpp"
#include "runner/caps/capabilities_format.hpp"
#include "runner/io/io_loop.hpp"
#include "runner/monitor/monitor_error.hpp"
#include "runner/monitor/qmp.hpp"
#include "runner/process/process.hpp"
#include "runner/support/log.hpp"
#include "runner/support/strings.hpp"

#include <map>
#include <set>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

namespace vt {

namespace fs = std::filesystem;

namespace {

using nlohmann::json;

constexpr Seconds one_answer{20};
constexpr int most_deaths = 16;  ///< of a binary that is asked for properties

/// One process without a machine, and its monitor. The loop outlives the monitor.
class Bare {
  public:
    Bare(const fs::path& qemu, const fs::path& scratch, int number, const Deadline& deadline)
        : qemu_(qemu), deadline_(deadline) {
        const fs::path socket = scratch / fmt::format("qmp-{}", number);
        process::Command command;
        command.argv = {qemu.native(),
                        "-machine",
                        "none,accel=tcg",
                        "-nodefaults",
                        "-no-user-config",
                        "-display",
                        "none",
                        "-S",
                        "-qmp",
                        fmt::format("unix:{},server=on,wait=off", replace_all(socket.native(), ",", ",,"))};
        command.environment["LC_ALL"] = "C";
        child_.emplace(command, [this](std::string_view line) { words_ = line; });
        monitor_ = connect(socket);
    }
    ~Bare() {
        monitor_.reset();
        child_->signal(9);
    }
    Bare(const Bare&) = delete;
    Bare& operator=(const Bare&) = delete;

    /// Throws CapabilitiesError with \p what was asked, Died if the process ended.
    struct Died {};
    json ask(const std::string& command, const json& arguments = json::object()) {
        try {
            return monitor_->command(command, arguments, deadline_.sooner(Deadline::after(one_answer)));
        } catch (const MonitorSocketError&) {
            throw Died();
        } catch (const QMPCmdError& refused) {
            if (refused.error_class() == "CommandNotFound") {
                return json::array();  // not every architecture has every list
            }
            throw CapabilitiesError(
                fmt::format("{} was asked \"{}\": {}", qemu_.native(), command, refused.what()));
        } catch (const MonitorError& error) {
            throw CapabilitiesError(
                fmt::format("{} was asked \"{}\": {}", qemu_.native(), command, error.what()));
        }
    }

    /// How it ended, for a message.
    std::string end() {
        try {
            const auto status = child_->wait(Deadline::after(Seconds{2})).text();
            return words_.empty() ? status : status + ": " + words_;
        } catch (const TimeoutError&) {
            return "it closed its monitor";
        }
    }

  private:
    /// Many short attempts, so that a binary that ends at once is seen to.
    std::unique_ptr<QmpMonitor> connect(const fs::path& socket) {
        for (Seconds patience{0.2};; patience *= 2) {
            try {
                return QmpMonitor::connect(loop_, {"caps", qemu_.filename().native(), socket, {}, {}},
                                           deadline_.sooner(Deadline::after(patience)));
            } catch (const MonitorError& error) {
                if (!child_->running()) {
                    throw CapabilitiesError(
                        fmt::format("{} ended before it could be asked what it can do ({}); check that it is "
                                    "a QEMU system "
                                    "emulator that starts, or name another one by --vt-qemu-bin",
                                    qemu_.native(), end()));
                }
                if (deadline_.expired()) {
                    throw CapabilitiesError(
                        fmt::format("{} did not answer within {:.3g} s when asked what it can do ({}); check "
                                    "that it is a QEMU "
                                    "system emulator, or name another one by --vt-qemu-bin",
                                    qemu_.native(), deadline_.total().count(), error.what()));
                }
            }
        }
    }

    fs::path qemu_;
    Deadline deadline_;
    std::string words_;
    IoLoop loop_;
    std::optional<process::Child> child_;
    std::unique_ptr<QmpMonitor> monitor_;
};

/// Names come from the binary, and tabs and line ends are ours.
std::string clean(std::string text) {
    for (char& c : text) {
        if (c == '\t' || c == '\n' || c == '\r') {
            c = '?';
        }
    }
    return text;
}

std::string word(const json& value) {
    return replace_all(clean(value.get<std::string>()), " ", "?");
}

/// The schema by the names of its types.
class Schema {
  public:
    explicit Schema(const json& entries) {
        for (const auto& entry : entries) {
            types_[entry.at("name").get<std::string>()] = &entry;
        }
    }

    const json& type(const std::string& name) const { return *types_.at(name); }

    /// "string", "int", "boolean", "enum", "[int]", "object".
    std::string kind(const std::string& name) const {
        const auto found = types_.find(name);
        if (found == types_.end()) {
            return name;
        }
        const auto meta = found->second->at("meta-type").get<std::string>();
        if (meta == "builtin") {
            return found->second->at("json-type").get<std::string>();
        }
        return meta == "array" ? "[" + kind(found->second->at("element-type").get<std::string>()) + "]"
                               : meta;
    }

    std::string members(const json& type) const {
        std::string list;
        for (const auto& member : type.value("members", json::array())) {
            list += (list.empty() ? "" : " ") + word(member.at("name")) + ":" + kind(member.at("type"));
        }
        return list;
    }

    /// A line for each variant of the argument of \p command.
    std::string variants(const std::string& command, const std::string& sort) const {
        const auto found = types_.find(command);
        if (found == types_.end()) {
            return {};
        }
        const json& base = type(found->second->at("arg-type"));
        const std::string common = members(base);
        std::string lines;
        for (const auto& variant : base.value("variants", json::array())) {
            const auto own = members(type(variant.at("type")));
            lines += fmt::format("{}\t{}\t{}{}{}\n", sort, word(variant.at("case")), common,
                                 own.empty() ? "" : " ", own);
        }
        return lines;
    }

    /// Commands with arguments and features, and events.
    std::string commands() const {
        std::string lines;
        for (const auto& [name, entry] : types_) {
            const auto meta = entry->at("meta-type").get<std::string>();
            if (meta == "event") {
                lines += fmt::format("event\t{}\n", clean(name));
            } else if (meta == "command") {
                std::string arguments, features;
                for (const auto& member : type(entry->at("arg-type")).value("members", json::array())) {
                    arguments += (arguments.empty() ? "" : " ") + word(member.at("name"));
                }
                for (const auto& feature : entry->value("features", json::array())) {
                    features += (features.empty() ? "" : " ") + word(feature);
                }
                lines += fmt::format("command\t{}\t{}\t{}\n", clean(name), arguments, features);
            }
        }
        return lines;
    }

  private:
    std::map<std::string, const json*> types_;
};

std::string small_things(Bare& qemu) {
    std::string text;
    const auto version = qemu.ask("query-version");
    const auto& number = version.at("qemu");
    text +=
        fmt::format("version\t{}.{}.{} {}\n", number.at("major").get<int>(), number.at("minor").get<int>(),
                    number.at("micro").get<int>(), clean(version.value("package", "")));
    for (const auto& machine : qemu.ask("query-machines")) {
        text += fmt::format("machine\t{}\t{}\t{}\t{}\t{}\t{}\n", word(machine.at("name")),
                            clean(machine.value("alias", "")), machine.value("cpu-max", 0),
                            machine.value("hotpluggable-cpus", false) ? "yes" : "no",
                            clean(machine.value("default-cpu-type", "")),
                            machine.value("is-default", false) ? "default" : "");
    }
    for (const auto& cpu : qemu.ask("query-cpu-definitions")) {
        text += fmt::format("cpu\t{}\n", word(cpu.at("name")));
    }
    for (const auto& backend : qemu.ask("query-chardev-backends")) {
        text += fmt::format("chardev\t{}\n", word(backend.at("name")));
    }
    for (const auto& option : qemu.ask("query-command-line-options")) {
        std::string parameters;
        for (const auto& parameter : option.at("parameters")) {
            parameters += (parameters.empty() ? "" : " ") + word(parameter.at("name"));
        }
        if (!option.at("option").get<std::string>().empty()) {
            text += fmt::format("option\t{}\t{}\n", word(option.at("option")), parameters);
        }
    }
    return text;
}

/// Devices that a user may add, with their buses, from "info qdm", which alone tells of both.
std::map<std::string, std::string> user_devices(const std::string& listing) {
    std::map<std::string, std::string> devices;
    const auto quoted = [](std::string_view line, std::string_view before, char end) -> std::string {
        const auto at = line.find(before);
        if (at == std::string_view::npos) {
            return {};
        }
        const auto rest = line.substr(at + before.size());
        return std::string(rest.substr(0, rest.find(end)));
    };
    for (const auto& line : split(listing, '\n')) {
        const auto name = quoted(line, "name \"", '"');
        if (name.empty() || line.find(", no-user") != std::string::npos) {
            continue;
        }
        devices[clean(name)] = std::string(trim(quoted(line + ",", ", bus ", ',')));
    }
    return devices;
}

std::string property_list(const json& properties) {
    std::string list;
    for (const auto& property : properties) {
        const auto type = property.at("type").get<std::string>();
        if (!type.starts_with("child<")) {
            list += (list.empty() ? "" : " ") + word(property.at("name")) + ":" +
                    replace_all(clean(type), " ", "?");
        }
    }
    return list;
}

std::set<std::string> implementers(Bare& qemu, const char* interface) {
    std::set<std::string> names;
    for (const auto& type : qemu.ask("qom-list-types", {{"implements", interface}, {"abstract", false}})) {
        names.insert(type.at("name").get<std::string>());
    }
    return names;
}

/// Their types are named "tcg-accel"; the parent of all is listed among them.
std::string accelerators(Bare& qemu) {
    constexpr std::string_view ending = "-accel";
    std::string text;
    for (const auto& type : implementers(qemu, "accel")) {
        if (type.ends_with(ending)) {
            text += fmt::format("accelerator\t{}\n", word(type.substr(0, type.size() - ending.size())));
        }
    }
    return text;
}

}  // namespace

std::string Capabilities::ask(const fs::path& qemu, const fs::path& scratch, const Deadline& deadline) {
    int started = 0;
    std::optional<Bare> bare;
    bare.emplace(qemu, scratch, started++, deadline);
    try {
        std::string text = fmt::format("{}\n", caps_format::first_line);
        text += small_things(*bare);
        text += accelerators(*bare);
        const auto schema_json = bare->ask("query-qmp-schema");
        const Schema schema(schema_json);
        text += schema.commands();
        text += schema.variants("blockdev-add", "block");
        text += schema.variants("netdev_add", "netdev");
        // The schema has objects that this build cannot make.
        const auto objects = implementers(*bare, "user-creatable");
        for (const auto& line : split(schema.variants("object-add", "object"), '\n')) {
            const auto parts = split(line, '\t');
            if (parts.size() > 1 && objects.contains(parts[1])) {
                text += line + "\n";
            }
        }
        const auto pcie = implementers(*bare, "pci-express-device");
        const auto listing = bare->ask("human-monitor-command", {{"command-line", "info qdm"}});
        for (const auto& [name, bus] : user_devices(listing.get<std::string>())) {
            try {
                const auto properties = bare->ask("device-list-properties", {{"typename", name}});
                text += fmt::format("device\t{}\t{}\t{}\t{}\n", name, bus, pcie.contains(name) ? "pcie" : "",
                                    property_list(properties));
            } catch (const Bare::Died&) {
                log::debug(
                    "{} ends when it is asked for the properties of {} ({}); the device counts as not there",
                    qemu.native(), name, bare->end());
                if (started > most_deaths) {
                    throw;
                }
                bare.emplace(qemu, scratch, started++, deadline);
            }
        }
        return text + std::string(caps_format::last_line);
    } catch (const Bare::Died&) {
        throw CapabilitiesError(fmt::format(
            "{} ended while it was asked what it can do ({}); check that this QEMU is whole, or name "
            "another one by --vt-qemu-bin",
            qemu.native(), bare->end()));
    } catch (const json::exception& error) {
        throw CapabilitiesError(fmt::format(
            "{} gave an answer about itself that makes no sense ({}); check that it is a QEMU system "
            "emulator, or name another one by --vt-qemu-bin",
            qemu.native(), error.what()));
    }
}

}  // namespace vt

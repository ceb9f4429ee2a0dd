// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/vm/qemu/wire/wire.hpp"

#include "runner/caps/capabilities.hpp"
#include "runner/support/error.hpp"
#include "runner/support/strings.hpp"

#include <algorithm>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

namespace vt::qemu {

namespace {

/// Since this feature all three JSON forms are there and devices made by one can be unplugged.
bool takes_json(const Capabilities& caps) {
    return caps.command_feature("device_add", "json-cli-hotplug");
}

std::optional<std::string> property_type(const Node& node, std::string_view name, const Capabilities& caps) {
    switch (node.form) {
        case Form::device:
            return caps.device_property(node.driver, name);
        case Form::object:
            return caps.object_property(node.driver, name);
        case Form::blockdev:
            return caps.block_property(node.driver, name);
        case Form::netdev:
            return caps.netdev_property(node.driver, name);
        default:
            return std::nullopt;
    }
}

/// "cache.direct" of block nodes goes into an object of its own.
void put(Value::Dict& dict, std::string_view name, Value value) {
    const auto dot = name.find('.');
    if (dot == std::string_view::npos) {
        for (auto& [own, old] : dict) {
            if (own == name) {
                old = std::move(value);
                return;
            }
        }
        dict.emplace_back(std::string(name), std::move(value));
        return;
    }
    const auto head = name.substr(0, dot);
    for (auto& [own, old] : dict) {
        if (own == head && old.dict() != nullptr) {
            auto inner = *old.dict();
            put(inner, name.substr(dot + 1), std::move(value));
            old = Value(std::move(inner));
            return;
        }
    }
    Value::Dict inner;
    put(inner, name.substr(dot + 1), std::move(value));
    dict.emplace_back(std::string(head), Value(std::move(inner)));
}

/// What a text without a known type is most likely meant as. For members of members only, whose types the
/// schema hides deeper than we look.
Value guessed(const Value& value) {
    if (value.string() != nullptr) {
        if (auto flag = typed(value, "bool")) {
            return *flag;
        }
        if (auto number = typed(value, "int64")) {
            return *number;
        }
    }
    return value;
}

/// \p value as \p node's property \p name in JSON; nothing if it cannot be told.
std::optional<Value> json_value(const Node& node, const std::string& name, const Value& value,
                                const Capabilities& caps) {
    if (value.dict() != nullptr ||
        (value.list() != nullptr && !value.list()->empty() && value.list()->front().dict() != nullptr)) {
        return value;  // its maker knew the type of what is in it
    }
    if (const auto type = property_type(node, name, caps)) {
        return typed(value, *type);
    }
    if (value.string() == nullptr) {
        return value;  // its maker knew the type
    }
    const bool nested = node.form == Form::blockdev && name.find('.') != std::string::npos;
    return nested ? std::optional(guessed(value)) : std::nullopt;
}

/// Everything of \p node but its id and driver, typed. Nothing if a property's type is unknown, unless \p
/// insist.
std::optional<Value::Dict> json_members(const Machine& machine, const Node& node, const Capabilities& caps,
                                        bool insist) {
    Value::Dict members;
    const auto add = [&](const std::string& name, const Value& value) {
        auto known = json_value(node, name, value, caps);
        if (!known && !insist) {
            return false;
        }
        put(members, name, known ? std::move(*known) : guessed(value));
        return true;
    };
    for (const auto& [name, value] : node.props) {
        if (node.form == Form::netdev && value.list() != nullptr) {
            Value::List wrapped;  // "hostfwd" and its like are lists of {"str": …}
            for (const auto& member : *value.list()) {
                wrapped.emplace_back(Value::Dict{{"str", member}});
            }
            members.emplace_back(name, std::move(wrapped));
        } else if (!add(name, value)) {
            return std::nullopt;
        }
    }
    for (const auto& [name, value] : address_props(machine, node)) {
        members.emplace_back(name, value);
    }
    for (const auto& [name, value] : parse_option_text(node.extra)) {
        if (!add(name, value)) {
            return std::nullopt;
        }
    }
    return members;
}

const char* type_key(Form form) {
    return form == Form::object ? "qom-type" : form == Form::netdev ? "type" : "driver";
}

Value::Dict with_head(const Node& node, Value::Dict members) {
    Value::Dict all{{type_key(node.form), node.driver},
                    {node.form == Form::blockdev ? "node-name" : "id", node.qid}};
    for (auto& member : members) {
        all.push_back(std::move(member));
    }
    return all;
}

void append(std::string& text, const std::string& name, const Value& value) {
    if (const auto* list = value.list()) {
        int index = 0;
        for (const auto& member : *list) {
            // A list of objects is told by numbers, one of values by saying the option again.
            append(text, member.dict() != nullptr ? fmt::format("{}.{}", name, index++) : name, member);
        }
        return;
    }
    if (const auto* dict = value.dict()) {
        for (const auto& [member, inner] : *dict) {
            append(text, fmt::format("{}.{}", name, member), inner);
        }
        return;
    }
    text += (text.empty() ? "" : ",") + (name.empty() ? "" : option_value(name) + "=") +
            option_value(value.text());
}

/// Properties as QEMU's option parser reads them.
std::string option_text(const Machine& machine, const Node& node, std::string text) {
    for (const auto& [name, value] : node.props) {
        append(text, name, value);
    }
    for (const auto& [name, value] : address_props(machine, node)) {
        append(text, name, value);
    }
    if (!node.extra.empty()) {
        text += (text.empty() ? "" : ",") + node.extra;
    }
    return text;
}

std::string head_text(const Node& node) {
    switch (node.form) {
        case Form::machine:
        case Form::cpu:
            return option_value(node.driver);
        case Form::blockdev:
            return fmt::format("driver={},node-name={}", option_value(node.driver), option_value(node.qid));
        case Form::drive:
            return "id=" + option_value(node.qid);
        case Form::object:
        case Form::chardev:
        case Form::netdev:
        case Form::device:
            return fmt::format("{},id={}", option_value(node.driver), option_value(node.qid));
        default:
            return {};
    }
}

/// JSON's own writer cannot carry a file name that is no UTF-8; the text form can.
std::optional<std::string> json_text(const Value::Dict& members) {
    try {
        return Value(members).json().dump();
    } catch (const nlohmann::json::exception&) {
        return std::nullopt;
    }
}

Value::Dict chardev_backend(const Node& node) {
    Value::Dict data;
    for (const auto& [name, value] : node.props) {
        if (name == "path" && node.driver == "socket") {
            data.emplace_back("addr", Value::Dict{{"type", "unix"}, {"data", Value::Dict{{"path", value}}}});
        } else if (name == "path") {
            data.emplace_back(node.driver == "file" ? "out" : "device", value);
        } else {
            data.emplace_back(name, value);
        }
    }
    return {{"type", node.driver}, {"data", std::move(data)}};
}

}  // namespace

nlohmann::json QmpCommand::json() const {
    return Value(arguments).json();
}

std::string option_value(std::string_view value) {
    if (value.find('\0') != std::string_view::npos) {
        throw Error(fmt::format("\"{}\" holds a NUL character, which no command line can carry",
                                replace_all(std::string(value), std::string_view("\0", 1), "\\0")));
    }
    return replace_all(std::string(value), ",", ",,");
}

Props address_props(const Machine& machine, const Node& node) {
    const Address& address = node.address;
    const Bus* bus = address.at.empty() ? nullptr : machine.bus(address.bus);
    Props props;
    if (node.form != Form::device || bus == nullptr || address.kind == BusKind::none) {
        return props;
    }
    const auto number = [&](std::size_t index) { return std::int64_t{address.at.at(index)}; };
    switch (bus->kind()) {
        case BusKind::pci:
        case BusKind::pcie: {
            const auto slot = fmt::format("0x{:x}", address.at.at(0));
            props.set("bus", bus->id());
            props.set("addr",
                      address.at.at(1) == 0 ? slot : fmt::format("{}.0x{:x}", slot, address.at.at(1)));
            break;
        }
        case BusKind::scsi:
            props.set("bus", bus->id());
            if (address.at.at(0) != 0) {
                props.set("channel", number(0));
            }
            props.set("scsi-id", number(1)).set("lun", number(2));
            break;
        case BusKind::ide:
            props.set("bus", bus->id()).set("unit", number(0));
            break;
        case BusKind::usb:
            props.set("bus", bus->qemu_name()).set("port", bus->prefix() + std::to_string(number(0)));
            break;
        case BusKind::virtio_serial:
            props.set("bus", bus->id()).set("nr", number(0));
            break;
        case BusKind::hda:
            props.set("bus", bus->id()).set("cad", number(0));
            break;
        case BusKind::sd:
            props.set("bus", bus->id());
            break;
        case BusKind::floppy:
            props.set("unit", number(0));
            break;
        case BusKind::ccw:
            props.set("devno", fmt::format("fe.0.{:04x}", address.at.at(0)));
            break;
        case BusKind::i2c:
            props.set("bus", bus->id()).set("address", number(0));
            break;
        case BusKind::nvme:
            props.set("bus", bus->id()).set("nsid", number(0));
            break;
        case BusKind::virtio_mmio:
        case BusKind::none:
            break;
    }
    return props;
}

namespace {

/// One node's words: option and value, or the option alone.
std::vector<std::string> words_of(const Machine& machine, const Node& node, const Capabilities& caps,
                                  bool json_devices) {
    if (node.form == Form::plain) {
        const auto* value = node.props.find("");
        return value == nullptr ? std::vector<std::string>{"-" + node.driver}
                                : std::vector<std::string>{"-" + node.driver, value->text()};
    }
    const bool json_form = node.form == Form::device ? json_devices
                                                     : takes_json(caps) && (node.form == Form::object ||
                                                                            node.form == Form::blockdev);
    const std::string option =
        "-" + (node.form == Form::option ? node.driver : std::string(name_of(node.form)));
    if (json_form) {
        if (auto members = json_members(machine, node, caps, false)) {
            if (auto text = json_text(with_head(node, std::move(*members)))) {
                return {option, std::move(*text)};
            }
        }
    }
    return {option, option_text(machine, node, head_text(node))};
}

}  // namespace

std::vector<std::string> argv(const Machine& machine, const Capabilities& caps,
                              const std::vector<std::string>& others) {
    const auto nodes = machine.order();
    const bool json_devices =
        takes_json(caps) && std::find(others.begin(), others.end(), "-device") == others.end() &&
        std::all_of(nodes.begin(), nodes.end(), [&](const NodePtr& node) {
            return node->form != Form::device || words_of(machine, *node, caps, true).at(1).starts_with('{');
        });
    std::vector<std::string> words;
    for (const auto& node : nodes) {
        for (auto& word : words_of(machine, *node, caps, json_devices)) {
            if (word.find('\0') != std::string::npos) {
                throw Error("a parameter of the VM holds a NUL character, which no command line can carry");
            }
            words.push_back(std::move(word));
        }
    }
    return words;
}

QmpCommand qmp_add(const Machine& machine, const Node& node, const Capabilities& caps) {
    switch (node.form) {
        case Form::device:
            return {"device_add", with_head(node, *json_members(machine, node, caps, true))};
        case Form::object:
            return {"object-add", with_head(node, *json_members(machine, node, caps, true))};
        case Form::netdev:
            return {"netdev_add", with_head(node, *json_members(machine, node, caps, true))};
        case Form::blockdev:
            return {"blockdev-add", with_head(node, *json_members(machine, node, caps, true))};
        case Form::chardev:
            return {"chardev-add", {{"id", node.qid}, {"backend", chardev_backend(node)}}};
        default:
            throw ModelError(
                fmt::format("{} {} can only be there from the start", name_of(node.form), node.qid));
    }
}

QmpCommand qmp_del(const Node& node) {
    switch (node.form) {
        case Form::device:
            return {"device_del", {{"id", node.qid}}};
        case Form::object:
            return {"object-del", {{"id", node.qid}}};
        case Form::netdev:
            return {"netdev_del", {{"id", node.qid}}};
        case Form::blockdev:
            return {"blockdev-del", {{"node-name", node.qid}}};
        case Form::chardev:
            return {"chardev-remove", {{"id", node.qid}}};
        default:
            throw ModelError(
                fmt::format("{} {} stays as long as the machine runs", name_of(node.form), node.qid));
    }
}

}  // namespace vt::qemu

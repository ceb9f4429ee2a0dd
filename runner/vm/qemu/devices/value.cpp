// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/vm/qemu/devices/value.hpp"

#include "runner/support/error.hpp"
#include "runner/support/strings.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <limits>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

namespace vt::qemu {

namespace {

std::optional<Value> parse_bool(std::string_view text) {
    if (text == "on" || text == "yes" || text == "true" || text == "y") {
        return Value(true);
    }
    if (text == "off" || text == "no" || text == "false" || text == "n") {
        return Value(false);
    }
    return std::nullopt;
}

/// Decimal, 0x…, and for sizes a suffix from K to E.
std::optional<Value> parse_number(std::string_view text, bool size) {
    const bool minus = text.starts_with('-');
    if (minus) {
        text.remove_prefix(1);
    }
    int base = 10;
    if (text.starts_with("0x") || text.starts_with("0X")) {
        base = 16;
        text.remove_prefix(2);
    }
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
    if (error != std::errc() || text.empty()) {
        return std::nullopt;
    }
    auto rest = text.substr(static_cast<std::size_t>(end - text.data()));
    if (size && !rest.empty()) {
        const auto power = std::string_view("BKMGTPE").find(static_cast<char>(std::toupper(rest.front())));
        if (rest.size() != 1 || power == std::string_view::npos ||
            number > (std::numeric_limits<std::uint64_t>::max() >> (10 * power))) {
            return std::nullopt;
        }
        number <<= 10 * power;
        rest = {};
    }
    constexpr auto most = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    if (!rest.empty() || (minus && number > most)) {
        return std::nullopt;
    }
    if (minus) {
        return Value(-static_cast<std::int64_t>(number));
    }
    return number > most ? Value(number) : Value(static_cast<std::int64_t>(number));
}

bool is_number_type(std::string_view type) {
    return type.starts_with("uint") || type.starts_with("int") || type == "size" || type == "number";
}

}  // namespace

std::optional<std::int64_t> Value::number() const {
    const auto* number = std::get_if<std::int64_t>(&data_);
    return number == nullptr ? std::nullopt : std::optional(*number);
}

std::string Value::text() const {
    if (const auto* flag = boolean()) {
        return *flag ? "on" : "off";
    }
    if (const auto* number = std::get_if<std::int64_t>(&data_)) {
        return std::to_string(*number);
    }
    if (const auto* number = std::get_if<std::uint64_t>(&data_)) {
        return std::to_string(*number);
    }
    if (const auto* text = string()) {
        return *text;
    }
    std::string joined;
    if (const auto* members = list()) {
        for (const auto& member : *members) {
            joined += (joined.empty() ? "" : ",") + member.text();
        }
    } else {
        for (const auto& [name, member] : *dict()) {
            joined += (joined.empty() ? "" : ",") + name + "=" + member.text();
        }
    }
    return joined;
}

nlohmann::json Value::json() const {
    if (const auto* members = list()) {
        auto array = nlohmann::json::array();
        for (const auto& member : *members) {
            array.push_back(member.json());
        }
        return array;
    }
    if (const auto* members = dict()) {
        auto object = nlohmann::json::object();
        for (const auto& [name, member] : *members) {
            object[name] = member.json();
        }
        return object;
    }
    if (const auto* flag = boolean()) {
        return *flag;
    }
    if (const auto* text = string()) {
        return *text;
    }
    if (const auto* number = std::get_if<std::int64_t>(&data_)) {
        return *number;
    }
    return std::get<std::uint64_t>(data_);
}

Value Value::from_json(const nlohmann::json& json) {
    switch (json.type()) {
        case nlohmann::json::value_t::boolean:
            return json.get<bool>();
        case nlohmann::json::value_t::number_integer:
            return json.get<std::int64_t>();
        case nlohmann::json::value_t::number_unsigned: {
            const auto number = json.get<std::uint64_t>();
            return number > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())
                       ? Value(number)
                       : Value(static_cast<std::int64_t>(number));
        }
        case nlohmann::json::value_t::string:
            return json.get<std::string>();
        case nlohmann::json::value_t::array: {
            List list;
            for (const auto& member : json) {
                list.push_back(from_json(member));
            }
            return list;
        }
        case nlohmann::json::value_t::object: {
            Dict dict;
            for (const auto& [name, member] : json.items()) {
                dict.emplace_back(name, from_json(member));
            }
            return dict;
        }
        default:
            throw Error(fmt::format("{} is no value of a device's property", json.dump()));
    }
}

Props::Props(std::initializer_list<std::pair<std::string, Value>> all) {
    for (const auto& [name, value] : all) {
        set(name, value);
    }
}

Props& Props::set(std::string_view name, Value value) {
    const auto found =
        std::find_if(all_.begin(), all_.end(), [&](const auto& one) { return one.first == name; });
    if (found != all_.end()) {
        found->second = std::move(value);
    } else {
        all_.emplace_back(std::string(name), std::move(value));
    }
    return *this;
}

Props& Props::set_text(std::string_view name, const std::string& value) {
    return value.empty() ? *this : set(name, value);
}

void Props::erase(std::string_view name) {
    std::erase_if(all_, [&](const auto& one) { return one.first == name; });
}

const Value* Props::find(std::string_view name) const {
    for (const auto& [own, value] : all_) {
        if (own == name) {
            return &value;
        }
    }
    return nullptr;
}

std::string Props::text(std::string_view name) const {
    const auto* value = find(name);
    return value == nullptr ? std::string() : value->text();
}

Value::Dict parse_option_text(std::string_view text) {
    Value::Dict pairs;
    std::string word;
    const auto finish = [&] {
        const auto equals = word.find('=');
        if (equals != std::string::npos) {
            pairs.emplace_back(word.substr(0, equals), word.substr(equals + 1));
        } else if (!word.empty()) {
            pairs.emplace_back(word, "on");
        }
        word.clear();
    };
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != ',') {
            word += text[i];
        } else if (i + 1 < text.size() && text[i + 1] == ',' && !word.empty()) {
            word += ',';
            ++i;
        } else {
            finish();
        }
    }
    finish();
    return pairs;
}

std::optional<Value> typed(const Value& value, std::string_view type) {
    const auto* text = value.string();
    if (text == nullptr) {
        // A number where QEMU wants text, as a serial number that looks like one.
        if (type == "str" || type == "string") {
            return Value(value.text());
        }
        return value;
    }
    if (type == "bool" || type == "boolean") {
        return parse_bool(*text);
    }
    if (is_number_type(type)) {
        return parse_number(*text, type == "size" || type == "int");
    }
    if (type.starts_with('[')) {
        Value::List list;
        const auto inner = type.substr(1, type.size() - 2);
        for (const auto& word : split(*text, ',')) {
            if (auto member = typed(Value(word), inner)) {
                list.push_back(std::move(*member));
            } else {
                return std::nullopt;
            }
        }
        return Value(std::move(list));
    }
    return value;
}

}  // namespace vt::qemu

// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// A property's value with its type, and properties in the order in which they were set.
///
/// QEMU's command line takes text, its JSON forms want 8 and true, not "8" and "on". So a value keeps the
/// type that its maker knew; text that users wrote stays text until a writer learns the type from the binary.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace vt::qemu {

/// One value. Copies are deep.
class Value {
  public:
    using List = std::vector<Value>;
    using Dict = std::vector<std::pair<std::string, Value>>;

    Value() : data_(std::string()) {}
    Value(bool value) : data_(value) {}
    Value(int value) : data_(std::int64_t{value}) {}
    Value(std::int64_t value) : data_(value) {}
    Value(std::uint64_t value) : data_(value) {}
    Value(std::string value) : data_(std::move(value)) {}
    Value(std::string_view value) : data_(std::string(value)) {}
    Value(const char* value) : data_(std::string(value)) {}
    Value(List value) : data_(std::move(value)) {}
    Value(Dict value) : data_(std::move(value)) {}

    const std::string* string() const { return std::get_if<std::string>(&data_); }
    const List* list() const { return std::get_if<List>(&data_); }
    const Dict* dict() const { return std::get_if<Dict>(&data_); }
    const bool* boolean() const { return std::get_if<bool>(&data_); }
    std::optional<std::int64_t> number() const;
    /// As the command line has it: on and off, decimal numbers; a list's members with commas.
    std::string text() const;
    nlohmann::json json() const;
    /// The opposite of json(). Throws Error for null and for numbers with a fraction.
    static Value from_json(const nlohmann::json& json);

    bool operator==(const Value&) const = default;

  private:
    std::variant<bool, std::int64_t, std::uint64_t, std::string, List, Dict> data_;
};

/// Properties, each once, in order.
class Props {
  public:
    Props() = default;
    Props(std::initializer_list<std::pair<std::string, Value>> all);

    /// Replaces the value where it stands, or appends.
    Props& set(std::string_view name, Value value);
    /// The same unless \p value is empty: an absent parameter leaves QEMU its default.
    Props& set_text(std::string_view name, const std::string& value);
    void erase(std::string_view name);
    const Value* find(std::string_view name) const;
    /// Its text, or nothing at all.
    std::string text(std::string_view name) const;
    bool empty() const { return all_.empty(); }
    auto begin() const { return all_.begin(); }
    auto end() const { return all_.end(); }

    bool operator==(const Props&) const = default;

  private:
    Value::Dict all_;
};

/// What a user wrote for QEMU's option parser, "a=b,c=d,,e": pairs, a word alone being NAME=on as QEMU reads
/// it.
Value::Dict parse_option_text(std::string_view text);

/// \p value as a value of QEMU's property type \p type ("bool", "uint32", "size", "int", "boolean", "[int]",
/// …). Nothing if it cannot be read as one: then QEMU's own parser has to say why.
std::optional<Value> typed(const Value& value, std::string_view type);

}  // namespace vt::qemu

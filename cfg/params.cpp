// SPDX-License-Identifier: GPL-2.0-or-later
#include "cfg/params.hpp"

#include "cfg/size_value.hpp"
#include "cfg/unicode.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

#include <fmt/core.h>

namespace vt {
namespace {

namespace unicode = cfg::unicode;

constexpr std::uint32_t no_entry = UINT32_MAX;

/// More differences than this from a table are worth a table of their own.
constexpr std::size_t most_changes = 48;

std::vector<std::string> split_at_space(std::string_view text) {
    std::vector<std::string> result;
    while (!(text = unicode::strip_left(text)).empty()) {
        std::size_t end = 0;
        while (end < text.size()) {
            const auto c = unicode::decode(text, end);
            if (unicode::is_space(c.code)) {
                break;
            }
            end += c.length;
        }
        result.emplace_back(text.substr(0, std::min(end, text.size())));
        text.remove_prefix(std::min(end, text.size()));
    }
    return result;
}

std::vector<std::string> split_at(std::string_view text, std::string_view delimiter) {
    std::vector<std::string> result;
    while (true) {
        const std::size_t end = text.find(delimiter);
        result.emplace_back(text.substr(0, end));
        if (end == std::string_view::npos) {
            return result;
        }
        text.remove_prefix(end + delimiter.size());
    }
}

bool ends_with(std::string_view text, std::string_view end) {
    return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

}  // namespace

MissingParam::MissingParam(const std::string& key)
    : Error(fmt::format(
          "the parameter '{}' is missing; the test cannot run without it (look for typing errors in the "
          "configuration files)",
          key)),
      key_(key) {}

BadParam::BadParam(const std::string& key, const std::string& value, const std::string& wanted)
    : Error(fmt::format("the parameter '{} = {}' is not {}", key, value, wanted)) {}

/// An immutable dictionary that owns its texts.
struct Params::Table {
    std::string text;
    std::vector<Pair> entries;
    std::vector<std::uint32_t> index;  ///< open addressing, a power of two
    ParamsExtras extras;

    explicit Table(const std::vector<Pair>& pairs, ParamsExtras given) : extras(std::move(given)) {
        std::size_t size = 0;
        for (const auto& [key, value] : pairs) {
            size += key.size() + value.size();
        }
        text.reserve(size);
        std::size_t slots = 16;
        while (slots < pairs.size() * 2) {
            slots *= 2;
        }
        index.assign(slots, no_entry);
        entries.reserve(pairs.size());
        for (const auto& [key, value] : pairs) {
            const std::size_t slot = slot_of(key);
            if (index[slot] != no_entry) {
                entries[index[slot]].second = keep(value);
                continue;
            }
            index[slot] = static_cast<std::uint32_t>(entries.size());
            const std::string_view kept = keep(key);
            entries.emplace_back(kept, keep(value));
        }
    }
    Table(const Table&) = delete;
    Table& operator=(const Table&) = delete;

    std::string_view keep(std::string_view part) {
        const std::size_t offset = text.size();
        text.append(part);
        return std::string_view(text).substr(offset);
    }

    std::size_t slot_of(std::string_view key) const {
        const std::size_t mask = index.size() - 1;
        std::size_t slot = std::hash<std::string_view>()(key) & mask;
        while (index[slot] != no_entry && entries[index[slot]].first != key) {
            slot = (slot + 1) & mask;
        }
        return slot;
    }

    const Pair* find(std::string_view key) const {
        const std::uint32_t entry = index[slot_of(key)];
        return entry == no_entry ? nullptr : &entries[entry];
    }
};

/// A key whose value differs from the table's.
struct Params::Change {
    enum class Kind { replaced, removed, appended };

    Kind kind = Kind::replaced;
    std::string_view key;
    std::string_view value;
    std::shared_ptr<const void> owner;  ///< of both texts, unless the table is
};

Params::Params() : Params(std::vector<std::pair<std::string, std::string>>()) {}

Params::Params(const std::vector<std::pair<std::string, std::string>>& pairs, ParamsExtras extras)
    : Params(
          std::make_shared<const Table>(std::vector<Pair>(pairs.begin(), pairs.end()), std::move(extras))) {}

Params::Params(std::initializer_list<Pair> pairs) : Params(from_views(std::vector<Pair>(pairs))) {}

Params::Params(std::shared_ptr<const Table> table)
    : table_(std::move(table)), size_(table_->entries.size()) {}

Params::Params(const Params&) = default;
Params::Params(Params&&) noexcept = default;
Params& Params::operator=(const Params&) = default;
Params& Params::operator=(Params&&) noexcept = default;
Params::~Params() = default;

Params Params::from_views(const std::vector<Pair>& pairs, ParamsExtras extras) {
    return Params(std::make_shared<const Table>(pairs, std::move(extras)));
}

const Params::Change* Params::find_change(std::string_view key) const {
    const auto found = std::find_if(changes_.rbegin(), changes_.rend(),
                                    [&](const Change& change) { return change.key == key; });
    return found == changes_.rend() ? nullptr : &*found;
}

std::optional<std::string_view> Params::find(std::string_view key) const {
    if (const Change* change = find_change(key)) {
        return change->kind == Change::Kind::removed ? std::nullopt : std::optional(change->value);
    }
    const Pair* entry = table_->find(key);
    return entry == nullptr ? std::nullopt : std::optional(entry->second);
}

std::string Params::get(std::string_view key, std::string_view fallback) const {
    return std::string(find(key).value_or(fallback));
}

std::string Params::at(std::string_view key) const {
    const auto value = find(key);
    if (!value) {
        throw MissingParam(std::string(key));
    }
    return std::string(*value);
}

bool Params::get_boolean(std::string_view key, bool fallback) const {
    const std::string value = get(key, fallback ? "yes" : "no");
    if (value == "yes" || value == "on" || value == "true") {
        return true;
    }
    if (value == "no" || value == "off" || value == "false") {
        return false;
    }
    throw BadParam(std::string(key), value, "one of yes, on, true, no, off, false");
}

std::int64_t Params::get_numeric(std::string_view key, std::int64_t fallback) const {
    const auto value = find(key);
    if (!value) {
        return fallback;
    }
    std::int64_t result = 0;
    const auto digits = cfg::parse_python_int(*value);
    if (!digits ||
        std::from_chars(digits->data(), digits->data() + digits->size(), result).ec != std::errc()) {
        throw BadParam(std::string(key), std::string(*value), "a whole number of at most 64 bits");
    }
    return result;
}

double Params::get_double(std::string_view key, double fallback) const {
    const auto value = find(key);
    if (!value) {
        return fallback;
    }
    const auto result = cfg::parse_python_float(*value);
    if (!result) {
        throw BadParam(std::string(key), std::string(*value), "a number");
    }
    return *result;
}

std::vector<std::string> Params::get_list(std::string_view key, std::string_view fallback,
                                          std::optional<std::string_view> delimiter) const {
    const std::string value = get(key, fallback);
    if (value.empty()) {
        return {};
    }
    if (!delimiter) {
        return split_at_space(value);
    }
    if (delimiter->empty()) {
        throw BadParam(std::string(key), value, "splittable at an empty delimiter");
    }
    return split_at(value, *delimiter);
}

std::vector<std::pair<std::string, std::string>> Params::get_dict(
    std::string_view key, std::string_view fallback, std::optional<std::string_view> delimiter) const {
    std::vector<std::pair<std::string, std::string>> result;
    for (const std::string& item : get_list(key, fallback, delimiter)) {
        const std::size_t equals = item.find('=');
        if (equals == std::string::npos) {
            throw BadParam(std::string(key), get(key, fallback),
                           fmt::format("made of NAME=VALUE: '{}'", item));
        }
        const std::string_view view = item;
        const std::string name(unicode::strip(view.substr(0, equals)));
        const std::string value(unicode::strip(view.substr(equals + 1)));
        const auto same = std::find_if(result.begin(), result.end(),
                                       [&](const auto& known) { return known.first == name; });
        if (same != result.end()) {
            same->second = value;
        } else {
            result.emplace_back(name, value);
        }
    }
    return result;
}

std::vector<std::string> Params::objects(std::string_view key) const {
    std::vector<std::string> result;
    for (std::string& word : split_at_space(find(key).value_or(std::string_view()))) {
        if (std::find(result.begin(), result.end(), word) == result.end()) {
            result.push_back(std::move(word));
        }
    }
    return result;
}

template <typename Visit>
void Params::visit(Visit visit_entry) const {
    static const std::shared_ptr<const void> by_table;
    for (const Pair& entry : table_->entries) {
        const auto change = std::find_if(changes_.begin(), changes_.end(), [&](const Change& candidate) {
            return candidate.kind != Change::Kind::appended && candidate.key == entry.first;
        });
        if (change == changes_.end()) {
            visit_entry(entry.first, entry.second, by_table);
        } else if (change->kind == Change::Kind::replaced) {
            visit_entry(entry.first, change->value, change->owner);
        }
    }
    for (const Change& change : changes_) {
        if (change.kind == Change::Kind::appended) {
            visit_entry(change.key, change.value, change.owner);
        }
    }
}

Params Params::object_params(std::string_view name) const {
    const std::string suffix = "_" + std::string(name);
    Params result = *this;
    visit([&](std::string_view key, std::string_view value, const std::shared_ptr<const void>& owner) {
        if (ends_with(key, suffix)) {
            result.put(key.substr(0, key.find(suffix)), value, owner);
        }
    });
    return result;
}

std::vector<std::pair<std::string, std::optional<std::string>>> Params::object_counts(
    std::string_view count_key, std::string_view base_name) const {
    std::vector<std::pair<std::string, std::optional<std::string>>> result;
    const std::int64_t count = get_numeric(count_key, 1);
    for (std::int64_t i = 1; i <= count; ++i) {
        const std::string key = fmt::format("{}{}", base_name, i);
        const auto value = find(key);
        result.emplace_back(key, value ? std::optional<std::string>(*value) : std::nullopt);
    }
    return result;
}

Params Params::copy_from_keys(const std::vector<std::string>& keys) const {
    std::vector<Pair> pairs;
    for (const std::string& key : keys) {
        const auto value = find(key);
        if (value && !value->empty()) {
            pairs.emplace_back(key, *value);
        }
    }
    return from_views(pairs);
}

Params Params::drop_dict_internals() const {
    std::vector<Pair> pairs;
    for (const Pair& pair : items()) {
        if (pair.first.empty() || pair.first.front() != '_') {
            pairs.push_back(pair);
        }
    }
    return from_views(pairs, {extras().dep, {}, {}});
}

void Params::put(std::string_view key, std::string_view value, std::shared_ptr<const void> owner) {
    auto* change = const_cast<Change*>(find_change(key));
    if (change != nullptr && change->kind != Change::Kind::removed) {
        // The key's text stays; it lives in the table, or with the owner that goes away now.
        if (change->kind == Change::Kind::replaced) {
            change->value = value;
            change->owner = std::move(owner);
            return;
        }
        const auto kept = std::make_shared<const std::pair<std::string, std::string>>(change->key, value);
        change->key = kept->first;
        change->value = kept->second;
        change->owner = kept;
        return;
    }
    const Pair* entry = change == nullptr ? table_->find(key) : nullptr;
    if (entry != nullptr) {
        changes_.push_back({Change::Kind::replaced, entry->first, value, std::move(owner)});
    } else {
        changes_.push_back({Change::Kind::appended, key, value, std::move(owner)});
        ++size_;
    }
}

void Params::rebase() {
    *this = Params(std::make_shared<const Table>(items(), table_->extras));
}

void Params::set(std::string_view key, std::string_view value) {
    const auto owner = std::make_shared<const std::pair<std::string, std::string>>(key, value);
    put(owner->first, owner->second, owner);
    if (changes_.size() > most_changes) {
        rebase();
    }
}

bool Params::erase(std::string_view key) {
    auto* change = const_cast<Change*>(find_change(key));
    if (change == nullptr) {
        const Pair* entry = table_->find(key);
        if (entry == nullptr) {
            return false;
        }
        changes_.push_back({Change::Kind::removed, entry->first, {}, nullptr});
    } else if (change->kind == Change::Kind::removed) {
        return false;
    } else if (change->kind == Change::Kind::replaced) {
        change->kind = Change::Kind::removed;
    } else {
        changes_.erase(changes_.begin() + (change - changes_.data()));
    }
    --size_;
    return true;
}

std::size_t Params::size() const noexcept {
    return size_;
}

std::vector<Params::Pair> Params::items() const {
    std::vector<Pair> result;
    result.reserve(size_);
    visit(
        [&](std::string_view key, std::string_view value, const auto&) { result.emplace_back(key, value); });
    return result;
}

void Params::for_each(const std::function<void(std::string_view, std::string_view)>& visitor) const {
    visit([&](std::string_view key, std::string_view value, const auto&) { visitor(key, value); });
}

const ParamsExtras& Params::extras() const noexcept {
    return table_->extras;
}

bool Params::operator==(const Params& other) const {
    if (size_ != other.size_ || !(extras() == other.extras())) {
        return false;
    }
    const std::vector<Pair> pairs = items();
    return std::all_of(pairs.begin(), pairs.end(),
                       [&](const Pair& pair) { return other.find(pair.first) == pair.second; });
}

}  // namespace vt

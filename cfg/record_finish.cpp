// SPDX-License-Identifier: GPL-2.0-or-later
/// \file record_finish.cpp
/// What happens to a Record besides running statements: substitution, suffixes that are dropped, joins, the
/// result.
#include "cfg/errors.hpp"
#include "cfg/expander.hpp"
#include "cfg/record.hpp"
#include "cfg/regex.hpp"
#include "cfg/size_value.hpp"

#include <algorithm>
#include <unordered_map>

#include <fmt/core.h>

namespace vt::cfg {

/// A dictionary without stored keys, in insertion order.
struct Record::Flat {
    std::vector<FlatKey> keys;
    std::unordered_map<std::string_view, std::size_t> index;

    void put(std::string_view text, std::uint32_t key, const Value& value, std::size_t slot) {
        const auto [place, fresh] = index.try_emplace(text, keys.size());
        if (fresh) {
            keys.push_back({text, key, value, slot});
        } else {
            keys[place->second].value = value;
            keys[place->second].slot = slot;
        }
    }

    const Value* find(std::string_view text) const {
        const auto found = index.find(text);
        return found == index.end() ? nullptr : &keys[found->second].value;
    }
};

/// By slot: whether all values of its key, stored or not, are the same.
std::vector<std::uint8_t> Record::agreeing_keys() {
    std::unordered_map<std::uint32_t, std::pair<std::string_view, bool>> groups;
    for (const Slot& slot : slots_) {
        if (slot.alive) {
            const auto [place, fresh] = groups.try_emplace(slot.key, slot.value.text, true);
            place->second.second = place->second.second && place->second.first == slot.value.text;
        }
    }
    std::vector<std::uint8_t> result;
    for (const Slot& slot : slots_) {
        result.push_back(slot.alive && groups[slot.key].second ? 1 : 0);
    }
    return result;
}

/// Names the stored keys: one whose bare key has the same value goes, one whose values all agree becomes the
/// bare key, the rest become the key with its suffixes, the latest first. Each moves to the end.
void Record::flatten(Flat& flat) {
    for (std::size_t i = 0; i < slots_.size(); ++i) {
        const Slot& slot = slots_[i];
        if (slot.alive && slot.suffixes == none) {
            flat.put(image_->text(image_->keys[slot.key].text), slot.key, slot.value, i);
        }
    }
    const bool keep = image_->options[0].keep_suffixes != 0;
    const std::vector<std::uint8_t> agreeing = agreeing_keys();
    for (std::size_t i = 0; i < slots_.size(); ++i) {
        const Slot slot = slots_[i];
        if (!slot.alive || slot.suffixes == none) {
            continue;
        }
        const Slot* bare = find(slot.key);
        if (!keep && bare != nullptr && bare->value.text == slot.value.text) {
            continue;
        }
        if (!keep && agreeing[i] != 0) {
            flat.put(image_->text(image_->keys[slot.key].text), slot.key, slot.value, i);
        } else {
            flat.put(spelled(slot), none, slot.value, i);
        }
    }
}

std::optional<std::string_view> Record::lookup(std::uint32_t key, std::optional<Flat>& flat) {
    switch (key) {
        case reserved::name:
            return name_;
        case reserved::shortname:
            return shortname_;
        case reserved::dep: {
            std::string text = "[";
            for (const std::string& entry : dep_) {
                text += (text.size() > 1 ? ", '" : "'") + entry + "'";
            }
            return store(text + "]");
        }
        case reserved::name_map:
        case reserved::short_name_map:
            if (maps_.empty()) {
                return std::nullopt;
            }
            return store(map_text(key == reserved::short_name_map));
        default:
            break;
    }
    if (stored_ == 0) {
        const Slot* slot = find(key);
        return slot != nullptr ? std::optional(slot->value.text) : std::nullopt;
    }
    if (!flat) {
        flat.emplace();
        flatten(*flat);
    }
    const Value* value = flat->find(image_->text(image_->keys[key].text));
    return value != nullptr ? std::optional(value->text) : std::nullopt;
}

std::optional<std::string_view> Record::reference(std::uint32_t key) {
    std::optional<Flat> flat;
    return lookup(key, flat);
}

std::string Record::chain_of(const Slot& slot) const {
    std::string chain;
    for (std::uint32_t i = slot.suffixes; i != none; i = suffixes_[i].before) {
        chain.append(suffixes_[i].text).append("\n");
    }
    return chain;
}

std::vector<Record::State> Record::states() const {
    std::vector<State> result;
    result.reserve(slots_.size());
    for (const Slot& slot : slots_) {
        if (slot.alive && slot.key >= reserved::count) {
            result.push_back({slot.key, chain_of(slot), slot.value.text});
        }
    }
    return result;
}

std::vector<Record::Origin> Record::origins() {
    Flat flat;
    flatten(flat);
    std::vector<Origin> result;
    result.reserve(flat.keys.size());
    for (const FlatKey& key : flat.keys) {
        const Slot& slot = slots_[key.slot];
        result.push_back({key.text, slot.key, chain_of(slot)});
    }
    return result;
}

Value Record::substitute(Range pieces, const Stmt& statement) {
    // An undefined key stops it: that reference and all later ones stay as they are written.
    std::optional<Flat> flat;
    std::vector<std::string_view> parts;
    std::size_t size = 0;
    const auto add = [&](std::string_view part) {
        parts.push_back(part);
        size += part.size();
    };
    bool stopped = false;
    for (std::uint32_t i = pieces.begin; i < pieces.end; ++i) {
        const Piece& piece = image_->pieces[i];
        add(image_->text(piece.before));
        if (piece.key == none) {
            continue;
        }
        const auto value = stopped ? std::nullopt : lookup(piece.key, flat);
        if (value) {
            add(*value);
        } else {
            stopped = true;
            add("${");
            add(image_->text(image_->keys[piece.key].text));
            add("}");
        }
    }
    char* place = reserve(size);
    std::size_t filled = 0;
    bool odd = false;
    for (const std::string_view part : parts) {
        part.copy(place + filled, part.size());
        filled += part.size();
    }
    for (std::size_t i = 0; i < size; ++i) {
        odd |= static_cast<unsigned char>(place[i]) < 0x20 || place[i] == '"' || place[i] == '\\';
    }
    static_cast<void>(statement);
    return {{place, size}, !odd};
}

void Record::refuse_limit(std::uint32_t key, const std::string& message) const {
    ErrorReport report;
    report.message = fmt::format("in '{}': {}", name_, message);
    report.expected = "whole numbers, or sizes such as 512M";
    for (const Stmt& statement : image_->statements) {
        if ((statement.op == Op::set || statement.op == Op::append) && statement.a == key) {
            report.where = {std::string(image_->text(image_->files[statement.file].path)), statement.line, 1};
        }
    }
    throw ExpansionError(report);
}

void Record::apply_limits() {
    if (limits_.empty()) {
        return;
    }
    std::vector<std::pair<std::uint32_t, Value>> changes;
    const auto remember = [&](std::uint32_t key, const Value& value) {
        const auto found = std::find_if(changes.begin(), changes.end(),
                                        [&](const auto& change) { return change.first == key; });
        if (found == changes.end()) {
            changes.emplace_back(key, value);
        } else {
            found->second = value;
        }
    };
    for (const Slot& slot : slots_) {
        const Key& key = image_->keys[slot.key];
        if (!slot.alive || slot.suffixes != none || key.limit == Key::no_limit) {
            continue;
        }
        if (key.target < reserved::count && key.target > reserved::shortname) {
            refuse_limit(slot.key,
                         fmt::format("{} cannot be limited", image_->text(image_->keys[key.target].text)));
        }
        const Slot* target = key.target < reserved::count ? nullptr : find(key.target);
        std::optional<std::string_view> now;
        if (key.target == reserved::name || key.target == reserved::shortname) {
            now = key.target == reserved::name ? name_ : shortname_;
        } else if (target != nullptr) {
            now = target->value.text;
        }
        if (key.limit == Key::fixed || !now) {
            remember(key.target, slot.value);
            continue;
        }
        const auto order = compare_sizes(*now, slot.value.text);
        if (!order) {
            refuse_limit(slot.key, fmt::format("'{}' and '{} = {}' cannot be compared", *now,
                                               image_->text(key.text), slot.value.text));
        }
        if (key.limit == Key::max ? *order > 0 : *order < 0) {
            remember(key.target, slot.value);
        }
    }
    for (const auto& [key, value] : changes) {
        if (key == reserved::name) {
            name_ = value.text;
        } else if (key == reserved::shortname) {
            shortname_ = value.text;
        } else {
            put(key, value);
        }
    }
}

void Record::merge(const Record& other) {
    for (const Slot& slot : other.slots_) {
        if (!slot.alive) {
            continue;
        }
        const Value value{store(slot.value.text), slot.value.plain};
        if (slot.suffixes == none) {
            put(slot.key, value);
            continue;
        }
        std::vector<std::string_view> chain;
        for (std::uint32_t i = slot.suffixes; i != none; i = other.suffixes_[i].before) {
            chain.push_back(other.suffixes_[i].text);
        }
        const auto same = std::find_if(slots_.begin(), slots_.end(), [&](const Slot& mine) {
            std::uint32_t i = mine.suffixes;
            std::size_t length = 0;
            for (; i != none && length < chain.size() && suffixes_[i].text == chain[length];
                 i = suffixes_[i].before) {
                ++length;
            }
            return mine.alive && mine.key == slot.key && i == none && length == chain.size();
        });
        if (same != slots_.end()) {
            same->value = value;
            continue;
        }
        std::uint32_t before = none;
        for (std::size_t i = chain.size(); i-- > 0;) {
            suffixes_.push_back({chain[i], before});
            before = static_cast<std::uint32_t>(suffixes_.size() - 1);
        }
        slots_.push_back({value, slot.key, before, true});
        ++stored_;
    }
    dep_ = other.dep_;
    if (!other.maps_.empty()) {
        maps_ = other.maps_;
    }
}

void Record::rename(std::string_view name, std::string_view shortname) {
    name_ = name;
    shortname_ = shortname;
}

/// A file's labels, an outer variant's before those of its body.
std::vector<std::pair<std::string_view, std::string_view>> Record::file_map(bool bare) {
    std::vector<std::pair<std::string_view, std::string_view>> result;
    std::vector<std::uint32_t> files;
    for (const MapEntry& entry : maps_) {
        if (std::find(files.begin(), files.end(), entry.file) == files.end()) {
            files.push_back(entry.file);
        }
    }
    for (const std::uint32_t file : files) {
        std::size_t size = 0;
        for (const MapEntry& entry : maps_) {
            size += entry.file == file ? (bare ? entry.shortname : entry.name).size() + 1 : 0;
        }
        char* place = reserve(size);
        std::size_t filled = 0;
        for (std::size_t i = maps_.size(); i-- > 0;) {
            if (maps_[i].file == file) {
                const std::string_view text = bare ? maps_[i].shortname : maps_[i].name;
                text.copy(place + filled, text.size());
                filled += text.size();
                place[filled++] = '.';
            }
        }
        result.emplace_back(image_->text(image_->map_files[file]), std::string_view(place, size - 1));
    }
    return result;
}

void Record::finish(Dictionary& result) {
    result.name = name_;
    result.shortname = shortname_;
    result.dep.assign(dep_.begin(), dep_.end());
    result.entries.clear();
    result.maps_position = 0;
    const auto add = [&](std::string_view text, std::uint32_t key, const Value& value) {
        if (key == reserved::name_map) {
            result.maps_position = result.entries.size();
        } else if (key != reserved::short_name_map) {
            result.entries.push_back(
                {text, value.text, key == none ? Entry::no_rank : image_->keys[key].rank, value.plain});
        }
    };
    if (stored_ == 0) {
        for (const Slot& slot : slots_) {
            if (slot.alive) {
                const Key& key = image_->keys[slot.key];
                add(image_->text(key.text), slot.key, slot.value);
            }
        }
    } else {
        Flat flat;
        flatten(flat);
        for (const FlatKey& key : flat.keys) {
            add(key.text, key.key, key.value);
        }
    }
    result.name_map = file_map(false);
    result.short_name_map = file_map(true);
}

}  // namespace vt::cfg

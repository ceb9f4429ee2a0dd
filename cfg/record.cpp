// SPDX-License-Identifier: GPL-2.0-or-later
#include "cfg/record.hpp"

#include "cfg/errors.hpp"
#include "cfg/regex.hpp"

#include <algorithm>

#include <fmt/core.h>

namespace vt::cfg {
namespace {

/// A text as Python's repr() shows it; names hold neither quotes nor control characters.
std::string quoted(std::string_view text) {
    return "'" + std::string(text) + "'";
}

}  // namespace

char* Arena::allocate(std::size_t size) {
    used_ += size;
    if (size > chunk_size / 4) {
        large_.push_back(std::make_unique<char[]>(size));
        return large_.back().get();
    }
    if (chunks_.empty() || filled_ + size > chunk_size) {
        chunk_ = chunks_.empty() ? 0 : chunk_ + 1;
        if (chunk_ == chunks_.size()) {
            chunks_.push_back(std::make_unique<char[]>(chunk_size));
        }
        filled_ = 0;
    }
    char* result = chunks_[chunk_].get() + filled_;
    filled_ += size;
    return result;
}

void Arena::clear() {
    large_.clear();
    chunk_ = 0;
    filled_ = 0;
    used_ = 0;
}

Record::Record(const Image& image)
    : image_(&image), index_(image.keys.size()), regexes_(std::make_unique<RegexCache>(image)) {
    is_limit_.reserve(image.keys.size());
    for (const Key& key : image.keys) {
        is_limit_.push_back(key.limit == Key::no_limit ? 0 : 1);
    }
}
Record::~Record() = default;
Record::Record(Record&&) noexcept = default;
Record& Record::operator=(Record&&) noexcept = default;

void Record::begin(std::string_view name, std::string_view shortname, std::vector<std::string> dep) {
    if (++epoch_ == 0) {
        std::fill(index_.begin(), index_.end(), 0);
        epoch_ = 1;
    }
    name_ = name;
    shortname_ = shortname;
    dep_ = std::move(dep);
    slots_.clear();
    suffixes_.clear();
    maps_.clear();
    limits_.clear();
    stored_ = 0;
    arena_.clear();
}

Record::Slot* Record::find(std::uint32_t key) {
    const std::uint64_t entry = index_[key];
    return entry >> 32 == epoch_ ? &slots_[entry & UINT32_MAX] : nullptr;
}

// The fields are written where they belong, one by one: a slot built on the stack and copied costs the
// processor a failed store forwarding, and this is where it spends its time.
inline void Record::put(std::uint32_t key, std::string_view text, bool plain) {
    const std::uint64_t entry = index_[key];
    if (entry >> 32 == epoch_) {
        Value& value = slots_[entry & UINT32_MAX].value;
        value.text = text;
        value.plain = plain;
        return;
    }
    index_[key] = std::uint64_t{epoch_} << 32 | slots_.size();
    Slot& slot = slots_.emplace_back();
    slot.value.text = text;
    slot.value.plain = plain;
    slot.key = key;
    if (is_limit_[key] != 0) {
        limits_.push_back(key);
    }
}

void Record::put(std::uint32_t key, const Value& value) {
    put(key, value.text, value.plain);
}

void Record::remove(Slot& slot) {
    slot.alive = false;
    if (slot.suffixes == none) {
        index_[slot.key] = 0;
    } else {
        --stored_;
    }
}

void Record::run(Range statements, const std::vector<std::uint8_t>& holds) {
    const Stmt* all = image_->statements.data();
    for (std::uint32_t i = statements.begin; i < statements.end; ++i) {
        const Stmt& statement = all[i];
        switch (statement.op) {
            case Op::set:
                if ((statement.flags & Stmt::substitutes) == 0) {
                    put(statement.a, image_->text(statement.value), (statement.flags & Stmt::plain) != 0);
                } else {
                    put(statement.a, value_of(statement));
                }
                break;
            case Op::condition:
                if (holds[statement.a] == 0) {
                    i = image_->conditions[statement.a].end - 1;
                }
                break;
            case Op::map:
                add_map(statement, all[i + 1]);
                ++i;
                break;
            case Op::only:
            case Op::no:
            case Op::join:
                break;
            default:
                run_one(statement);
                break;
        }
    }
}

void Record::run_one(const Stmt& statement) {
    switch (statement.op) {
        case Op::append:
        case Op::prepend: {
            const Value value = value_of(statement);
            if (Slot* slot = find(statement.a)) {
                change(*slot, statement.op == Op::append ? Op::regex_append : Op::regex_prepend, value);
            } else {
                put(statement.a, value);
            }
            break;
        }
        case Op::lazy_set:
            if (find(statement.a) == nullptr) {
                put(statement.a, value_of(statement));
            }
            break;
        case Op::del:
            if (Slot* slot = find(statement.a)) {
                remove(*slot);
            }
            if (stored_ > 0) {
                const std::string_view wanted = image_->text(image_->keys[statement.a].text);
                for (Slot& slot : slots_) {
                    if (slot.alive && slot.suffixes != none && spelled(slot) == wanted) {
                        remove(slot);
                    }
                }
            }
            break;
        case Op::suffix:
            run_suffix(image_->text(statement.value));
            break;
        default:
            run_regex(statement);
            break;
    }
}

void Record::change(Slot& slot, Op op, const Value& value) {
    switch (op) {
        case Op::regex_append:
            slot.value = concatenate(slot.value, value);
            break;
        case Op::regex_prepend:
            slot.value = concatenate(value, slot.value);
            break;
        default:
            slot.value = value;
            break;
    }
}

void Record::run_regex(const Stmt& statement) {
    const Value value = value_of(statement);
    const Pattern& pattern = image_->patterns[statement.a];
    if (pattern.literal_key != none) {
        Slot* slot = pattern.literal_key < reserved::count ? nullptr : find(pattern.literal_key);
        if (slot != nullptr) {
            change(*slot, statement.op, value);
        }
        if (stored_ == 0) {
            return;
        }
    }
    try {
        if (pattern.literal_key == none) {
            regexes_->prepare(statement.a);
        }
        for (Slot& slot : slots_) {
            if (!slot.alive || slot.key < reserved::count) {
                continue;
            }
            const bool literal = pattern.literal_key != none;
            if (literal ? slot.suffixes != none && spelled(slot) == image_->text(pattern.text)
                        : regexes_->matches(statement.a, spelled(slot))) {
                change(slot, statement.op, value);
            }
        }
    } catch (const BadRegex& bad) {
        ErrorReport report;
        report.message = bad.message;
        report.expected = "a regular expression of Python's re";
        report.where = {std::string(image_->text(image_->files[statement.file].path)), statement.line, 1};
        throw ExpansionError(report);
    }
}

void Record::run_suffix(std::string_view suffix) {
    // All keys move behind those that come later, in their order.
    std::vector<std::pair<std::uint32_t, std::uint32_t>> chains;
    const std::size_t count = slots_.size();
    for (std::size_t i = 0; i < count; ++i) {
        Slot slot = slots_[i];
        if (!slot.alive || slot.key < reserved::count) {
            continue;
        }
        const auto known = std::find_if(chains.begin(), chains.end(),
                                        [&](const auto& chain) { return chain.first == slot.suffixes; });
        std::uint32_t chain = static_cast<std::uint32_t>(suffixes_.size());
        if (known != chains.end()) {
            chain = known->second;
        } else {
            chains.emplace_back(slot.suffixes, chain);
            suffixes_.push_back({suffix, slot.suffixes});
        }
        remove(slots_[i]);
        slot.suffixes = chain;
        slots_.push_back(slot);
        ++stored_;
    }
    limits_.clear();
    std::size_t kept = 0;
    for (std::size_t i = 0; i < slots_.size(); ++i) {
        if (slots_[i].alive) {
            slots_[kept] = slots_[i];
            if (slots_[kept].suffixes == none) {
                index_[slots_[kept].key] = std::uint64_t{epoch_} << 32 | kept;
            }
            ++kept;
        }
    }
    slots_.resize(kept);
}

void Record::add_map(const Stmt& exact, const Stmt& bare) {
    if (maps_.empty()) {
        put(reserved::name_map, {});
        put(reserved::short_name_map, {});
    }
    maps_.push_back({exact.a, image_->text(exact.value), image_->text(bare.value)});
}

Value Record::value_of(const Stmt& statement) {
    if ((statement.flags & Stmt::substitutes) != 0) {
        return substitute(image_->templates[statement.value.offset], statement);
    }
    return {image_->text(statement.value), (statement.flags & Stmt::plain) != 0};
}

char* Record::reserve(std::size_t size) {
    const ImageOptions& options = image_->options[0];
    if (size > options.value_length || arena_.used() + size > options.dictionary_bytes) {
        ErrorReport report;
        report.message =
            size > options.value_length
                ? fmt::format("a value grows beyond {} bytes (limit value_length)", options.value_length)
                : fmt::format("the values of '{}' grow beyond {} bytes (limit dictionary_bytes)", name_,
                              options.dictionary_bytes);
        report.where.file = std::string(image_->text(image_->files[0].path));
        throw LimitError(report);
    }
    return arena_.allocate(size);
}

std::string_view Record::store(std::string_view text) {
    char* place = reserve(text.size());
    text.copy(place, text.size());
    return {place, text.size()};
}

Value Record::concatenate(const Value& first, const Value& second) {
    if (first.text.empty() || second.text.empty()) {
        return first.text.empty() ? second : first;
    }
    char* place = reserve(first.text.size() + second.text.size());
    first.text.copy(place, first.text.size());
    second.text.copy(place + first.text.size(), second.text.size());
    return {{place, first.text.size() + second.text.size()}, first.plain && second.plain};
}

std::string_view Record::spelled(const Slot& slot) {
    const std::string_view key = image_->text(image_->keys[slot.key].text);
    if (slot.suffixes == none) {
        return key;
    }
    std::string text(key);
    for (std::uint32_t chain = slot.suffixes; chain != none; chain = suffixes_[chain].before) {
        text += suffixes_[chain].text;
    }
    return store(text);
}

std::string Record::map_text(bool bare) const {
    std::string text = "{";
    for (const auto& [file, name] : const_cast<Record*>(this)->file_map(bare)) {
        text += (text.size() > 1 ? ", " : "") + quoted(file) + ": " + quoted(name);
    }
    return text + "}";
}

}  // namespace vt::cfg

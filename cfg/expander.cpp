// SPDX-License-Identifier: GPL-2.0-or-later
#include "cfg/expander.hpp"

#include "cfg/image.hpp"
#include "cfg/record.hpp"
#include "cfg/walker.hpp"

namespace vt::cfg {

std::optional<std::string_view> Dictionary::find(std::string_view key) const {
    if (key == "name") {
        return name;
    }
    if (key == "shortname") {
        return shortname;
    }
    for (const Entry& entry : entries) {
        if (entry.key == key) {
            return entry.value;
        }
    }
    return std::nullopt;
}

Params Dictionary::to_params() const {
    std::vector<Params::Pair> pairs;
    pairs.reserve(entries.size() + 2);
    pairs.emplace_back("name", name);
    pairs.emplace_back("shortname", shortname);
    for (const Entry& entry : entries) {
        pairs.emplace_back(entry.key, entry.value);
    }
    ParamsExtras extras;
    extras.dep.assign(dep.begin(), dep.end());
    for (const auto& [file, labels] : name_map) {
        extras.name_map.emplace_back(file, labels);
    }
    for (const auto& [file, labels] : short_name_map) {
        extras.short_name_map.emplace_back(file, labels);
    }
    return Params::from_views(pairs, std::move(extras));
}

struct Expander::State {
    explicit State(Program given)
        : program(std::move(given)), walker(program.image()), record(program.image()) {}

    Program program;
    Walker walker;
    Record record;
    Dictionary dictionary;
    bool done = false;

    bool advance() {
        done = done || !walker.advance();
        return !done;
    }
};

Expander::Expander(Program program) : state_(std::make_unique<State>(std::move(program))) {}
Expander::~Expander() = default;
Expander::Expander(Expander&&) noexcept = default;
Expander& Expander::operator=(Expander&&) noexcept = default;

const Dictionary* Expander::next() {
    return state_->advance() ? complete() : nullptr;
}

const Dictionary* Expander::complete() {
    state_->walker.make(state_->record);
    state_->record.finish(state_->dictionary);
    return &state_->dictionary;
}

const Dictionary* Expander::next_name() {
    if (!state_->advance()) {
        return nullptr;
    }
    Dictionary& dictionary = state_->dictionary;
    if (!dictionary.entries.empty()) {
        dictionary = {};
    }
    dictionary.name = state_->walker.name();
    dictionary.shortname = state_->walker.shortname();
    return &dictionary;
}

std::optional<Params> find_dictionary(const Program& program, std::string_view full_name) {
    const Image& image = program.image();
    Walker walker(image);
    if (image.joins.empty()) {
        walker.search(full_name);
    }
    Record record(image);
    Dictionary dictionary;
    while (walker.advance()) {
        if (walker.name() == full_name) {
            walker.make(record);
            record.finish(dictionary);
            return dictionary.to_params();
        }
    }
    return std::nullopt;
}

std::size_t count_dictionaries(const Program& program) {
    Walker walker(program.image());
    std::size_t count = 0;
    while (walker.advance()) {
        ++count;
    }
    return count;
}

}  // namespace vt::cfg

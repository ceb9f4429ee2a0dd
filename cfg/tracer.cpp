// SPDX-License-Identifier: GPL-2.0-or-later
#include "cfg/tracer.hpp"

#include "cfg/expander.hpp"
#include "cfg/record.hpp"
#include "cfg/source_map.hpp"
#include "cfg/walker.hpp"
#include "runner/support/strings.hpp"

#include <algorithm>
#include <iterator>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

#include <fmt/core.h>

namespace vt::cfg {
namespace {

using Fate = ExplainStep::Fate;

/// A slot of a Record: the number of its key, and the suffixes it is stored away under.
using SlotName = std::pair<std::uint32_t, std::string>;

/// A step, and when it was taken: histories are put together from several.
struct DatedStep {
    std::size_t date = 0;
    bool renames = false;  ///< a `suffix`: the value stays
    ExplainStep step;
};

/// What happened to one slot.
struct History {
    std::vector<DatedStep> steps;
    Location changed_at;  ///< by the last statement that did something
};

using Histories = std::map<SlotName, History>;

/// Whether a statement replaces whatever the key had.
bool replaces(Op op) {
    return op == Op::set || op == Op::regex_set || op == Op::del;
}

bool is_regex(Op op) {
    return op == Op::regex_set || op == Op::regex_append || op == Op::regex_prepend;
}

/// \param renames whether what gave the slot its name goes, too
void overwrite(History& history, bool renames = false) {
    for (DatedStep& old : history.steps) {
        if (old.step.fate == Fate::in_force && (renames || !old.renames)) {
            old.step.fate = Fate::overwritten;
        }
    }
}

/// Runs the statements of one dictionary, or of one part of a join.
class Tracer {
  public:
    /// \param wanted by key number: whether somebody asks for it, alone or with suffixes
    Tracer(const Image& image, const Walker& walker, const std::vector<bool>& wanted, std::size_t date)
        : image_(image),
          decisions_(walker.decisions()),
          wanted_(wanted),
          sources_(image),
          record_(image),
          date_(date) {
        record_.begin(walker.name(), walker.shortname(), walker.dep());
        for (const Range range : walker.trail()) {
            run(range, true);
        }
        apply_limits();
    }

    Record& record() { return record_; }
    Histories& histories() { return histories_; }
    std::size_t date() const { return date_; }

  private:
    void run(Range range, bool active) {
        for (std::uint32_t i = range.begin; i < range.end; ++i) {
            const Stmt& statement = image_.statements[i];
            if (statement.op == Op::condition) {
                const bool holds = active && decisions_[statement.a] != 0;
                conditions_.push_back({&statement, holds});
                const std::uint32_t end = image_.conditions[statement.a].end;
                run({i + 1, end}, holds);
                conditions_.pop_back();
                i = end - 1;
            } else if (statement.op == Op::map) {
                if (active) {
                    record_.run({i, i + 2}, decisions_);
                }
                ++i;
            } else if (statement.op <= Op::suffix) {
                ++date_;
                active ? act(i) : skip(statement);
            }
        }
    }

    /// The key that a statement is about; none for a pattern that is no plain key, and for `suffix`.
    std::uint32_t aim(const Stmt& statement) const {
        if (is_regex(statement.op)) {
            return image_.patterns[statement.a].literal_key;
        }
        return statement.op == Op::suffix ? none : statement.a;
    }

    void skip(const Stmt& statement) {
        const std::uint32_t key = aim(statement);
        if (key != none && wanted_[key]) {
            add({key, {}}, make_step(statement, Fate::skipped));
        }
    }

    void act(std::uint32_t index) {
        const Stmt& statement = image_.statements[index];
        if (statement.op == Op::suffix) {
            store_away(index);
        } else if (is_regex(statement.op) || (statement.op == Op::del && record_.has_stored())) {
            change_many(index);
        } else {
            change_one(index);
        }
    }

    void change_one(std::uint32_t index) {
        const Stmt& statement = image_.statements[index];
        const std::uint32_t key = statement.a;
        if (!wanted_[key]) {
            record_.run({index, index + 1}, decisions_);
            unasked_[key] = &statement;
            return;
        }
        const auto before = copy(record_.value(key));
        ExplainStep step = make_step(statement, Fate::in_force);
        note_references(step, statement);
        record_.run({index, index + 1}, decisions_);
        note_change({key, {}}, statement, before, copy(record_.value(key)), std::move(step));
    }

    /// A pattern, or a `del` that may be meant for a key with its suffixes: looks at all slots.
    void change_many(std::uint32_t index) {
        const Stmt& statement = image_.statements[index];
        std::map<SlotName, std::string> before;
        for (const Record::State& state : record_.states()) {
            before.emplace(SlotName{state.key, state.suffixes}, state.value);
        }
        ExplainStep step = make_step(statement, Fate::in_force);
        note_references(step, statement);
        record_.run({index, index + 1}, decisions_);
        std::map<SlotName, std::string> after;
        for (const Record::State& state : record_.states()) {
            after.emplace(SlotName{state.key, state.suffixes}, state.value);
        }
        const std::uint32_t key = aim(statement);
        for (const auto& [name, old] : before) {
            const auto now = after.find(name);
            const auto value = now == after.end() ? std::nullopt : std::optional(now->second);
            if (wanted_[name.first] && (value != old || (name.first == key && name.second.empty()))) {
                note_change(name, statement, old, value, step);
            }
        }
        if (key != none && wanted_[key] && before.count({key, {}}) == 0) {
            note_change({key, {}}, statement, std::nullopt, std::nullopt, step);
        }
    }

    void note_change(const SlotName& name, const Stmt& statement, const std::optional<std::string>& before,
                     const std::optional<std::string>& after, ExplainStep step) {
        step.value = after.value_or("");
        if (before == after && (!replaces(statement.op) || !before)) {
            step.fate = Fate::no_effect;
        } else if (replaces(statement.op) && !(before && refers_to(statement, name.first))) {
            overwrite(histories_[name]);
        }
        if (step.fate == Fate::in_force) {
            histories_[name].changed_at = step.where;
        }
        add(name, std::move(step));
    }

    /// All that is there moves away.
    void store_away(std::uint32_t index) {
        const Stmt& statement = image_.statements[index];
        const std::string suffix = std::string(image_.text(statement.value)) + "\n";
        const auto states = record_.states();
        record_.run({index, index + 1}, decisions_);
        Histories moved;
        for (const Record::State& state : states) {
            const auto old = histories_.find({state.key, state.suffixes});
            if (old == histories_.end()) {
                continue;
            }
            ExplainStep step = make_step(statement, Fate::in_force);
            step.value = state.value;
            old->second.steps.push_back({date_, true, std::move(step)});
            moved[{state.key, suffix + state.suffixes}] = std::move(old->second);
            histories_.erase(old);
        }
        histories_.merge(moved);
        unasked_.clear();
    }

    void add(const SlotName& name, ExplainStep step) {
        histories_[name].steps.push_back({date_, false, std::move(step)});
    }

    static std::optional<std::string> copy(std::optional<std::string_view> value) {
        return value ? std::optional<std::string>(*value) : std::nullopt;
    }

    ExplainStep make_step(const Stmt& statement, Fate fate) {
        ExplainStep step;
        step.fate = fate;
        step.where = sources_.where(statement);
        step.text = sources_.line(statement);
        for (const auto& [condition, holds] : conditions_) {
            step.notes.push_back(fmt::format("condition {} at {} {}", sources_.line(*condition),
                                             sources_.where(*condition).to_string(),
                                             holds ? "holds" : "does not hold"));
        }
        if ((statement.flags & Stmt::implied) != 0) {
            step.notes.emplace_back("set by the variant of the named block");
        }
        return step;
    }

    Range pieces_of(const Stmt& statement) const {
        const bool refers = (statement.flags & Stmt::substitutes) != 0 && statement.op <= Op::regex_prepend;
        return refers ? image_.templates[statement.value.offset] : Range{};
    }

    bool refers_to(const Stmt& statement, std::uint32_t key) const {
        const Range pieces = pieces_of(statement);
        return std::any_of(image_.pieces.begin() + pieces.begin, image_.pieces.begin() + pieces.end,
                           [key](const Piece& piece) { return piece.key == key; });
    }

    /// What the references of a statement that is about to run mean, in their order.
    void note_references(ExplainStep& step, const Stmt& statement) {
        const Range pieces = pieces_of(statement);
        for (std::uint32_t i = pieces.begin; i < pieces.end; ++i) {
            const std::uint32_t key = image_.pieces[i].key;
            if (key == none) {
                continue;
            }
            const std::string_view text = image_.text(image_.keys[key].text);
            const auto value = record_.reference(key);
            if (!value) {
                step.notes.push_back(fmt::format(
                    "${{{}}} is not set here and stays as it is written, as do all references after it",
                    text));
                return;
            }
            if (key < reserved::count) {
                step.notes.push_back(fmt::format("${{{}}} is '{}', the test's own", text, *value));
            } else if (const auto place = place_of(key)) {
                step.notes.push_back(
                    fmt::format("${{{}}} is '{}' from {}", text, *value, place->to_string()));
            } else {
                step.notes.push_back(fmt::format("${{{}}} is '{}'", text, *value));
            }
        }
    }

    /// Where the value that a reference has now was made last.
    std::optional<Location> place_of(std::uint32_t key) {
        const auto unseen = unasked_.find(key);
        if (unseen != unasked_.end()) {
            return sources_.where(*unseen->second);
        }
        auto found = histories_.find({key, {}});
        if (found == histories_.end() || found->second.changed_at.line == 0) {
            const std::string_view text = image_.text(image_.keys[key].text);
            for (const Record::Origin& origin : record_.origins()) {
                if (origin.text == text) {
                    found = histories_.find({origin.key, origin.suffixes});
                }
            }
        }
        return found == histories_.end() || found->second.changed_at.line == 0
                   ? std::nullopt
                   : std::optional(found->second.changed_at);
    }

    void apply_limits() {
        std::map<std::uint32_t, std::string> before;
        for (const Record::State& state : record_.states()) {
            if (state.suffixes.empty()) {
                before.emplace(state.key, state.value);
            }
        }
        record_.apply_limits();
        ++date_;
        for (const Record::State& state : record_.states()) {
            const auto old = before.find(state.key);
            const bool changed = old == before.end() || old->second != state.value;
            if (state.suffixes.empty() && changed && wanted_[state.key]) {
                note_limit(state);
            }
        }
    }

    void note_limit(const Record::State& limited) {
        ExplainStep step;
        step.text = "a limit";
        step.value = limited.value;
        for (const Record::State& state : record_.states()) {
            const Key& key = image_.keys[state.key];
            if (state.suffixes.empty() && key.target == limited.key && state.value == limited.value) {
                step.text = fmt::format("limit {} = {}", image_.text(key.text), state.value);
                step.where = place_of(state.key).value_or(Location{});
            }
        }
        const SlotName name{limited.key, {}};
        overwrite(histories_[name]);
        add(name, std::move(step));
    }

    const Image& image_;
    const std::vector<std::uint8_t>& decisions_;
    const std::vector<bool>& wanted_;
    SourceMap sources_;
    Record record_;
    std::size_t date_;
    Histories histories_;
    std::map<std::uint32_t, const Stmt*> unasked_;  ///< last statements on keys that nobody asked for
    std::vector<std::pair<const Stmt*, bool>> conditions_;
};

/// The names that histories have in the end.
class Teller {
  public:
    Teller(const Image& image, Record& record, Histories histories)
        : image_(image), histories_(std::move(histories)) {
        for (Record::Origin& origin : record.origins()) {
            const std::string text(origin.text);
            origins_.insert_or_assign(text, SlotName{origin.key, std::move(origin.suffixes)});
        }
        for (const auto& [name, history] : histories_) {
            spelled_.emplace(spelled(name), name);
        }
    }

    KeyExplanation tell(const std::string& key, const Dictionary& dictionary) const {
        KeyExplanation result{key, std::nullopt, {}, {}};
        std::vector<DatedStep> steps;
        const auto origin = origins_.find(key);
        if (origin != origins_.end()) {
            take(origin->second, key, steps);
            take_skipped({origin->second.first, {}}, origin->second, key, steps);
        } else if (const auto gone = spelled_.find(key); gone != spelled_.end()) {
            take(gone->second, key, steps);
        }
        std::stable_sort(steps.begin(), steps.end(), [](const DatedStep& left, const DatedStep& right) {
            return left.date < right.date;
        });
        for (DatedStep& step : steps) {
            result.steps.push_back(std::move(step.step));
        }
        if (const auto value = dictionary.find(key)) {
            result.value = std::string(*value);
            return result;
        }
        std::vector<std::string> candidates;
        for (const Entry& entry : dictionary.entries) {
            candidates.emplace_back(entry.key);
        }
        result.nearest = nearest(key, candidates);
        return result;
    }

  private:
    std::string spelled(const SlotName& name) const {
        return std::string(image_.text(image_.keys[name.first].text)) + replace_all(name.second, "\n", "");
    }

    /// The steps of a slot; those that renamed it say how it is called in the end.
    void take(const SlotName& name, const std::string& key, std::vector<DatedStep>& steps) const {
        const auto found = histories_.find(name);
        if (found == histories_.end()) {
            return;
        }
        const std::string own = spelled(name);
        const std::string_view bare = image_.text(image_.keys[name.first].text);
        bool last = true;
        std::vector<DatedStep> taken = found->second.steps;
        for (std::size_t i = taken.size(); i-- > 0;) {
            if (taken[i].renames && std::exchange(last, false)) {
                taken[i].step.notes.push_back(
                    origins_.count(own) != 0 || own == bare
                        ? fmt::format("stored away: from here on it is {}", own)
                    : own == key ? fmt::format("stored away as {}, which has the value of {} and is left out",
                                               own, bare)
                                 : fmt::format("stored away as {}; as all values of {} agree it is {} again",
                                               own, bare, bare));
            }
        }
        steps.insert(steps.end(), taken.begin(), taken.end());
    }

    /// What did not run after the value had got another name, if in the end that is its name again.
    void take_skipped(const SlotName& bare, const SlotName& origin, const std::string& key,
                      std::vector<DatedStep>& steps) const {
        const auto found = histories_.find(bare);
        if (bare == origin || found == histories_.end() || spelled(bare) != key) {
            return;
        }
        const auto& all = found->second.steps;
        std::copy_if(all.begin(), all.end(), std::back_inserter(steps),
                     [](const DatedStep& step) { return step.step.fate == Fate::skipped; });
    }

    const Image& image_;
    Histories histories_;
    std::map<std::string, SlotName, std::less<>> origins_;
    std::map<std::string, SlotName, std::less<>> spelled_;
};

/// Later parts of a join win.
void take_over(Histories& all, Histories& part, Record& record) {
    std::vector<SlotName> alive;
    for (const Record::State& state : record.states()) {
        alive.emplace_back(state.key, state.suffixes);
    }
    std::sort(alive.begin(), alive.end());
    for (auto& [name, history] : part) {
        History& old = all[name];
        if (std::binary_search(alive.begin(), alive.end(), name)) {
            overwrite(old, true);
            old.changed_at = history.changed_at;
        }
        std::move(history.steps.begin(), history.steps.end(), std::back_inserter(old.steps));
    }
}

/// By number: the keys that the wanted ones begin with; all if none is wanted by name.
std::vector<bool> wanted_numbers(const Image& image, const std::vector<std::string>& keys) {
    std::vector<bool> wanted;
    wanted.reserve(image.keys.size());
    for (const Key& key : image.keys) {
        const std::string_view text = image.text(key.text);
        wanted.push_back(std::any_of(keys.begin(), keys.end(), [text](const std::string& asked) {
            return std::string_view(asked).substr(0, text.size()) == text;
        }));
    }
    return wanted;
}

}  // namespace

std::vector<KeyExplanation> trace_keys(const Image& image, const Walker& walker, const Dictionary& dictionary,
                                       const std::vector<std::string>& keys) {
    const std::vector<bool> wanted = wanted_numbers(image, keys);
    Histories histories;
    std::optional<Record> record;
    std::size_t date = 0;
    for (const Walker* part : walker.parts()) {
        Tracer tracer(image, *part, wanted, date);
        date = tracer.date();
        take_over(histories, tracer.histories(), tracer.record());
        if (record) {
            record->merge(tracer.record());
        } else {
            record.emplace(std::move(tracer.record()));
        }
    }
    const Teller teller(image, *record, std::move(histories));
    std::vector<KeyExplanation> result;
    result.reserve(keys.size());
    for (const std::string& key : keys) {
        result.push_back(teller.tell(key, dictionary));
    }
    return result;
}

}  // namespace vt::cfg

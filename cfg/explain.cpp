// SPDX-License-Identifier: GPL-2.0-or-later
#include "cfg/explain.hpp"

#include "cfg/expander.hpp"
#include "cfg/image.hpp"
#include "cfg/record.hpp"
#include "cfg/source_map.hpp"
#include "cfg/walker.hpp"
#include "runner/support/strings.hpp"

#include <algorithm>
#include <map>
#include <set>

#include <fmt/core.h>

namespace vt::cfg {
namespace {

constexpr std::size_t shown_nearest = 5;
constexpr std::size_t compared_names = 40;  ///< by edit distance, after a cheaper choice
constexpr std::size_t names_looked_at = 200'000;

/// Whether a statement replaces whatever the key had.
bool replaces(Op op) {
    return op == Op::set || op == Op::regex_set || op == Op::del || op == Op::suffix;
}

/// Follows some keys through the statements of one dictionary.
class Tracer {
  public:
    Tracer(const Image& image, const std::vector<std::uint8_t>& decisions)
        : image_(image), decisions_(decisions), sources_(image), record_(image) {}

    std::vector<KeyExplanation> trace(const Walker& walker, const Dictionary& dictionary,
                                      const std::vector<std::string>& keys) {
        for (const std::string& key : keys) {
            explanations_.push_back({key, std::nullopt, {}, {}});
            numbers_.push_back(number_of(key));
        }
        record_.begin(walker.name(), walker.shortname(), walker.dep());
        for (const Range range : walker.trail()) {
            run(range, true);
        }
        const auto before = values();
        record_.apply_limits();
        note_limits(before);
        for (KeyExplanation& explanation : explanations_) {
            finish(explanation, dictionary);
        }
        return std::move(explanations_);
    }

  private:
    std::uint32_t number_of(std::string_view key) const {
        for (std::uint32_t i = 0; i < image_.keys.size(); ++i) {
            if (image_.text(image_.keys[i].text) == key) {
                return i;
            }
        }
        return none;
    }

    std::vector<std::optional<std::string>> values() {
        std::vector<std::optional<std::string>> result;
        for (const std::uint32_t number : numbers_) {
            const auto value = number == none ? std::nullopt : record_.value(number);
            result.push_back(value ? std::optional<std::string>(*value) : std::nullopt);
        }
        return result;
    }

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
            } else {
                step(i, active);
            }
        }
    }

    void step(std::uint32_t index, bool active) {
        const Stmt& statement = image_.statements[index];
        const auto before = values();
        if (active) {
            record_.run({index, index + 1}, decisions_);
            if (statement.op <= Op::lazy_set) {
                set_at_[statement.a] = sources_.where(statement);
            }
        }
        const auto after = values();
        for (std::size_t i = 0; i < numbers_.size(); ++i) {
            if (numbers_[i] == none || (!aims_at(statement, numbers_[i]) && before[i] == after[i])) {
                continue;
            }
            ExplainStep entry;
            entry.where = sources_.where(statement);
            entry.text = sources_.line(statement);
            if (!active) {
                entry.fate = ExplainStep::Fate::skipped;
            } else {
                entry.value = after[i].value_or("");
                if (before[i] == after[i] && !replaces(statement.op)) {
                    entry.fate = ExplainStep::Fate::no_effect;
                }
            }
            add_notes(entry, statement, active);
            if (active && (replaces(statement.op) && !refers_to(statement, numbers_[i]))) {
                overwrite(explanations_[i]);
            }
            explanations_[i].steps.push_back(std::move(entry));
        }
    }

    static void overwrite(KeyExplanation& explanation) {
        for (ExplainStep& old : explanation.steps) {
            if (old.fate == ExplainStep::Fate::in_force) {
                old.fate = ExplainStep::Fate::overwritten;
            }
        }
    }

    bool aims_at(const Stmt& statement, std::uint32_t key) const {
        switch (statement.op) {
            case Op::set:
            case Op::append:
            case Op::prepend:
            case Op::lazy_set:
            case Op::del:
                return statement.a == key;
            case Op::regex_set:
            case Op::regex_append:
            case Op::regex_prepend:
                return image_.patterns[statement.a].literal_key == key;
            default:
                return false;
        }
    }

    Range pieces_of(const Stmt& statement) const {
        return (statement.flags & Stmt::substitutes) != 0 ? image_.templates[statement.value.offset]
                                                          : Range{};
    }

    bool refers_to(const Stmt& statement, std::uint32_t key) const {
        const Range pieces = pieces_of(statement);
        return std::any_of(image_.pieces.begin() + pieces.begin, image_.pieces.begin() + pieces.end,
                           [key](const Piece& piece) { return piece.key == key; });
    }

    void add_notes(ExplainStep& entry, const Stmt& statement, bool active) {
        for (const auto& [condition, holds] : conditions_) {
            entry.notes.push_back(fmt::format("condition {} at {} {}", sources_.line(*condition),
                                              sources_.where(*condition).to_string(),
                                              holds ? "holds" : "does not hold"));
        }
        if ((statement.flags & Stmt::implied) != 0) {
            entry.notes.emplace_back("set by the variant of the named block");
        }
        const Range pieces = pieces_of(statement);
        for (std::uint32_t i = pieces.begin; active && i < pieces.end; ++i) {
            const std::uint32_t key = image_.pieces[i].key;
            if (key == none) {
                continue;
            }
            const std::string_view text = image_.text(image_.keys[key].text);
            const auto place = set_at_.find(key);
            const auto value = record_.value(key);
            if (key < reserved::count) {
                entry.notes.push_back(fmt::format("${{{}}} is the test's own", text));
            } else if (!value) {
                entry.notes.push_back(
                    fmt::format("${{{}}} is not set here and stays as it is written", text));
            } else if (place != set_at_.end() && !aims_at(statement, key)) {
                entry.notes.push_back(
                    fmt::format("${{{}}} is '{}' from {}", text, *value, place->second.to_string()));
            }
        }
    }

    void note_limits(const std::vector<std::optional<std::string>>& before) {
        const auto after = values();
        for (std::size_t i = 0; i < numbers_.size(); ++i) {
            if (before[i] == after[i]) {
                continue;
            }
            overwrite(explanations_[i]);
            ExplainStep entry;
            entry.text = "a limit";
            entry.value = after[i].value_or("");
            for (std::uint32_t key = 0; key < image_.keys.size(); ++key) {
                const auto value = record_.value(key);
                if (image_.keys[key].target == numbers_[i] && value && value == after[i]) {
                    entry.text = fmt::format("limit {} = {}", image_.text(image_.keys[key].text), *value);
                    entry.where = set_at_.count(key) != 0 ? set_at_[key] : Location{};
                }
            }
            explanations_[i].steps.push_back(std::move(entry));
        }
    }

    static void finish(KeyExplanation& explanation, const Dictionary& dictionary) {
        const auto value = dictionary.find(explanation.key);
        if (value) {
            explanation.value = std::string(*value);
            return;
        }
        std::vector<std::string> candidates;
        for (const Entry& entry : dictionary.entries) {
            candidates.emplace_back(entry.key);
        }
        explanation.nearest = nearest(explanation.key, candidates);
    }

    const Image& image_;
    const std::vector<std::uint8_t>& decisions_;
    SourceMap sources_;
    Record record_;
    std::vector<KeyExplanation> explanations_;
    std::vector<std::uint32_t> numbers_;
    std::vector<std::pair<const Stmt*, bool>> conditions_;
    std::map<std::uint32_t, Location> set_at_;
};

/// Goes to the test of that name; false if it does not come out.
bool find_test(Walker& walker, const Image& image, std::string_view name, Walker::Search by) {
    if (image.joins.empty()) {
        walker.search(name, by);
    }
    while (walker.advance()) {
        if ((by == Walker::Search::full_name ? walker.name() : walker.shortname()) == name) {
            return true;
        }
    }
    return false;
}

/// Names that share most labels with the wanted one, the nearest first.
std::vector<std::string> nearest_names(const Program& program, std::string_view wanted, bool full) {
    const std::vector<std::string> words = split(std::string(wanted), '.');
    const std::set<std::string> labels(words.begin(), words.end());
    std::vector<std::pair<std::size_t, std::string>> scored;
    Walker walker(program.image());
    for (std::size_t i = 0; i < names_looked_at && walker.advance(); ++i) {
        const std::string_view name = full ? walker.name() : walker.shortname();
        std::size_t shared = 0;
        for (const std::string& label : split(name, '.')) {
            shared += labels.count(label);
        }
        scored.emplace_back(labels.size() - std::min(shared, labels.size()), name);
    }
    const std::size_t kept = std::min(compared_names, scored.size());
    std::partial_sort(scored.begin(), scored.begin() + static_cast<std::ptrdiff_t>(kept), scored.end());
    std::vector<std::string> candidates;
    for (std::size_t i = 0; i < kept; ++i) {
        candidates.push_back(scored[i].second);
    }
    std::vector<std::string> result = nearest(wanted, candidates, shown_nearest);
    for (const std::string& candidate : candidates) {
        if (result.size() < shown_nearest &&
            std::find(result.begin(), result.end(), candidate) == result.end()) {
            result.push_back(candidate);
        }
    }
    return result;
}

/// The condition that a statement stands in, if any.
std::string enclosing_condition(const Image& image, SourceMap& sources, std::uint32_t statement) {
    for (std::uint32_t i = statement; i-- > 0;) {
        const Stmt& outer = image.statements[i];
        if (outer.op == Op::condition && image.conditions[outer.a].end > statement) {
            return fmt::format("in the condition {} at {}", sources.line(outer),
                               sources.where(outer).to_string());
        }
        if (outer.op == Op::map) {
            break;
        }
    }
    return {};
}

std::size_t label_count(std::string_view name) {
    return static_cast<std::size_t>(std::count(name.begin(), name.end(), '.')) + 1;
}

/// The first labels of a name.
std::string first_labels(std::string_view name, std::size_t count) {
    std::size_t end = 0;
    for (; count > 0 && end != std::string_view::npos; --count) {
        end = name.find('.', end == 0 ? 0 : end + 1);
    }
    return std::string(name.substr(0, end));
}

void explain_absence(const Program& program, std::string_view name, Explanation& result) {
    const Image& image = program.image();
    SourceMap sources(image);
    std::size_t best = 0;
    std::vector<std::string> alternatives;
    bool full = true;
    for (const auto by : {Walker::Search::full_name, Walker::Search::short_name}) {
        Walker walker(image);
        walker.search(name, by, true);
        if (image.joins.empty() && walker.advance()) {
            result.name = walker.name();
            for (const Guard& guard : walker.failed()) {
                const Stmt& statement = image.statements[guard.statement];
                result.removals.push_back({sources.where(statement), std::string(sources.line(statement)),
                                           enclosing_condition(image, sources, guard.statement)});
            }
            full = by == Walker::Search::full_name;
            break;
        }
        if (walker.best_match() > best || by == Walker::Search::full_name) {
            best = walker.best_match();
            alternatives = walker.alternatives();
            full = by == Walker::Search::full_name;
        }
    }
    if (result.removals.empty()) {
        const std::string_view rest = name.substr(std::min(name.size(), best == 0 ? 0 : best + 1));
        std::sort(alternatives.begin(), alternatives.end());
        alternatives.erase(std::unique(alternatives.begin(), alternatives.end()), alternatives.end());
        const std::size_t labels = alternatives.empty() ? 1 : label_count(alternatives.front());
        const std::string label = first_labels(rest, labels);
        const std::vector<std::string> alike = nearest(label, alternatives);
        const std::string place =
            best == 0 ? "at its beginning" : fmt::format("after '{}'", name.substr(0, best));
        result.missing = label.empty()
                             ? fmt::format("the name is not complete: more variants follow {}", place)
                             : fmt::format("there is no variant '{}' {}", label, place);
        if (!alike.empty()) {
            result.missing += fmt::format("; near are {}", join(alike, ", "));
        }
    }
    result.nearest = nearest_names(program, name, full);
}

std::string_view mark_of(ExplainStep::Fate fate) {
    switch (fate) {
        case ExplainStep::Fate::in_force:
            return "  ";
        case ExplainStep::Fate::overwritten:
            return "x ";
        case ExplainStep::Fate::no_effect:
            return "= ";
        case ExplainStep::Fate::skipped:
            return "- ";
    }
    return "  ";
}

std::string_view word_of(ExplainStep::Fate fate) {
    switch (fate) {
        case ExplainStep::Fate::in_force:
            return "";
        case ExplainStep::Fate::overwritten:
            return "  (overwritten)";
        case ExplainStep::Fate::no_effect:
            return "  (no effect)";
        case ExplainStep::Fate::skipped:
            return "  (skipped)";
    }
    return "";
}

}  // namespace

Explanation explain(const Program& program, std::string_view name, const std::vector<std::string>& keys) {
    const Image& image = program.image();
    Explanation result;
    for (const auto by : {Walker::Search::full_name, Walker::Search::short_name}) {
        Walker walker(image);
        if (!find_test(walker, image, name, by)) {
            continue;
        }
        Record record(image);
        Dictionary dictionary;
        walker.make(record);
        record.finish(dictionary);
        std::vector<std::string> wanted = keys;
        for (std::size_t i = 0; keys.empty() && i < dictionary.entries.size(); ++i) {
            wanted.emplace_back(dictionary.entries[i].key);
        }
        result.exists = true;
        result.name = walker.name();
        result.keys = Tracer(image, walker.decisions()).trace(walker, dictionary, wanted);
        return result;
    }
    result.name = name;
    explain_absence(program, name, result);
    return result;
}

std::string to_text(const Explanation& explanation) {
    std::string out;
    if (!explanation.exists) {
        out += fmt::format("no test '{}' comes out\n", explanation.name);
        for (const Removal& removal : explanation.removals) {
            out += fmt::format("  removed by {}: {}{}\n", removal.where.to_string(), removal.text,
                               removal.note.empty() ? "" : ", " + removal.note);
        }
        if (!explanation.missing.empty()) {
            out += "  " + explanation.missing + "\n";
        }
        for (const std::string& name : explanation.nearest) {
            out += "  near: " + name + "\n";
        }
        return out;
    }
    out += explanation.name + "\n";
    for (const KeyExplanation& key : explanation.keys) {
        out += key.value ? fmt::format("{} = {}\n", key.key, *key.value)
                         : fmt::format("{} is not set\n", key.key);
        for (const ExplainStep& step : key.steps) {
            out += fmt::format("  {}{}: {}{}\n", mark_of(step.fate), step.where.to_string(), step.text,
                               word_of(step.fate));
            for (const std::string& note : step.notes) {
                out += "        " + note + "\n";
            }
            if (step.fate != ExplainStep::Fate::skipped) {
                out += "        -> " + step.value + "\n";
            }
        }
        if (!key.nearest.empty()) {
            out += "  near: " + join(key.nearest, ", ") + "\n";
        }
    }
    return out;
}

}  // namespace vt::cfg

// SPDX-License-Identifier: GPL-2.0-or-later
#include "cfg/explain.hpp"

#include "cfg/expander.hpp"
#include "cfg/image.hpp"
#include "cfg/record.hpp"
#include "cfg/source_map.hpp"
#include "cfg/tracer.hpp"
#include "cfg/walker.hpp"
#include "runner/support/strings.hpp"

#include <algorithm>
#include <set>

#include <fmt/core.h>

namespace vt::cfg {
namespace {

constexpr std::size_t shown_nearest = 5;
constexpr std::size_t compared_names = 40;  ///< by edit distance, after a cheaper choice
constexpr std::size_t names_looked_at = 200'000;

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
        result.keys = trace_keys(image, walker, dictionary, wanted);
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

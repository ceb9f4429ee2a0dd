// SPDX-License-Identifier: GPL-2.0-or-later
/// \file explain.hpp
/// Why a key has its value, and why a test is not there.
///
/// The statements of the one dictionary are run again, one at a time, and what each does to the key is noted;
/// what did not run because its condition does not hold is noted too, since that is what people ask about.
#pragma once

#include "cfg/errors.hpp"
#include "cfg/program.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vt::cfg {

/// What one statement did to a key.
struct ExplainStep {
    enum class Fate {
        in_force,     ///< its value, or part of it, is in the result
        overwritten,  ///< a later statement replaced it
        no_effect,    ///< it ran and changed nothing (`~=` of a key that is set)
        skipped,      ///< its condition does not hold
    };

    Fate fate = Fate::in_force;
    Location where;
    std::string text;   ///< the line as it is written
    std::string value;  ///< the key's value afterwards; nothing for what was skipped
    std::vector<std::string>
        notes;  ///< the conditions it stands in, the keys it refers to, with their places
};

struct KeyExplanation {
    std::string key;
    std::optional<std::string> value;
    std::vector<ExplainStep> steps;  ///< in the order in which they ran
    std::vector<std::string>
        nearest;  ///< for a key that is not set: keys of the dictionary that are spelled alike
};

/// A filter that removes a test.
struct Removal {
    Location where;
    std::string text;
    std::string note;  ///< the condition it stands in
};

struct Explanation {
    bool exists = false;
    std::string name;                  ///< in full
    std::vector<KeyExplanation> keys;  ///< if it exists
    std::vector<Removal> removals;     ///< if filters remove it
    std::string missing;               ///< if no variants make it: what is missing, in one sentence
    std::vector<std::string> nearest;  ///< names that do come out
};

/// Explains keys (all keys if none is given) of the test of that full or short name. Throws ExpansionError,
/// LimitError.
Explanation explain(const Program& program, std::string_view name, const std::vector<std::string>& keys);

/// The explanation as people read it.
std::string to_text(const Explanation& explanation);

}  // namespace vt::cfg

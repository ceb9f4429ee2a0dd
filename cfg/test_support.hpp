// SPDX-License-Identifier: GPL-2.0-or-later
/// \file test_support.hpp
/// Short forms for the tests of this layer: expand a text, show the results on one line.
#pragma once

#include "cfg/expander.hpp"
#include "cfg/parser.hpp"

#include <string>
#include <string_view>

namespace vt::cfg::testing {

/// Every dictionary of a program as `NAME{key=value …}`, separated by blanks; keys that begin with `_` are
/// left out.
inline std::string show(const Program& program) {
    std::string result;
    Expander expander(program);
    while (const Dictionary* dictionary = expander.next()) {
        result += result.empty() ? "" : " ";
        result += std::string(dictionary->name) + "{";
        for (const Entry& entry : dictionary->entries) {
            result += result.back() == '{' ? "" : " ";
            result += std::string(entry.key) + "=" + std::string(entry.value);
        }
        result += "}";
    }
    return result;
}

inline std::string expand(std::string_view text, const Options& options = {}) {
    return show(parse({Input::string(std::string(text))}, options));
}

/// The names alone, or the short ones.
inline std::string names(std::string_view text, const Options& options = {}, bool shortnames = false) {
    std::string result;
    Expander expander(parse({Input::string(std::string(text))}, options));
    while (const Dictionary* dictionary = expander.next_name()) {
        result += result.empty() ? "" : " ";
        result += shortnames ? dictionary->shortname : dictionary->name;
    }
    return result;
}

}  // namespace vt::cfg::testing

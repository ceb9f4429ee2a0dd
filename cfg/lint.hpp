// SPDX-License-Identifier: GPL-2.0-or-later
/// \file lint.hpp
/// What is wrong with a configuration that can be read: text that can never have an effect, and what looks
/// like a mistake.
///
/// Only what is certain is reported. For each node it is worked out which labels can share a name with it,
/// from the structure alone; what a filter needs beyond those can never come. Rules that speak of results run
/// the whole expansion and stay silent where it is too large.
#pragma once

#include "cfg/errors.hpp"
#include "cfg/program.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace vt::cfg {

/// One finding. Rule names are stable:
/// - `filter-matches-nothing`: a word of a filter needs labels that can never come together
/// - `only-leaves-nothing`: an `only` outside variants that drops everything
/// - `variant-never-passes`: a variant whose own `only` or `no` refuses it whatever else is chosen
/// - `condition-never-holds`: a condition whose filter can never match
/// - `condition-is-assignment`: `(v=a):`, which sets the key `(v`
/// - `block-name-noise`: text between `variants` and a block's name, by which the block is called
/// - `undefined-reference`: `${key}` of a key that nothing ever sets
/// - `mixed-indentation`: tabs and spaces in the indentation of one file
/// - `duplicate-variant`: two variants of one name in a block
/// - `unknown-dependency`: a dependency on labels that no test has
/// - `empty-result`: nothing comes out at all
/// - `expansion-error`: a dictionary cannot be made
struct Finding {
    std::string rule;
    Location where;
    std::string message;

    bool operator==(const Finding&) const = default;
};

/// How much work the rules that need results may do.
struct LintLimits {
    std::size_t dictionaries = 2'000'000;
};

/// All findings, by file in the order of reading, then by line.
std::vector<Finding> lint(const Program& program, const LintLimits& limits = {});

}  // namespace vt::cfg

// SPDX-License-Identifier: GPL-2.0-or-later
/// \file filter_reader.hpp
/// Reads filters: words separated by `,` or blanks, parts joined by `..`, labels joined by `.`.
#pragma once

#include "cfg/builder.hpp"
#include "cfg/tokens.hpp"

#include <string>
#include <vector>

namespace vt::cfg {

/// A token that cannot stand where it stands; the reader makes a ParserError of it.
struct BadToken {
    Token token;
    std::string message;
    std::string expected;
};

/// Makes a filter of tokens, the last of which is `end` or what ends the filter. Throws BadToken.
FilterWords read_filter(Builder& builder, const std::vector<Token>& tokens);

}  // namespace vt::cfg

// SPDX-License-Identifier: GPL-2.0-or-later
/// \file format.hpp
/// The written forms of a dictionary.
///
/// JSON is written by hand here: a library would build a tree of a million strings first, and this is what
/// users wait for.
#pragma once

#include "cfg/expander.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace vt::cfg {

/// Adds a text as a JSON string: UTF-8 as it is, only what JSON demands is escaped.
void append_json_string(std::string& out, std::string_view text);

/// Writes dictionaries of one program as canonical JSON: keys sorted by code point, `,` and `:` without
/// blanks.
class JsonWriter {
  public:
    explicit JsonWriter(const Program& program);

    /// Adds one object, without a newline.
    void append(std::string& out, const Dictionary& dictionary);

  private:
    void append_unranked(std::string& out, const Dictionary& dictionary);

    std::vector<std::uint64_t> ranks_;    ///< one bit a key of the program
    std::vector<std::uint32_t> by_rank_;  ///< entry, or number of a special key with the top bit set
    std::vector<std::uint32_t> special_;  ///< rank of each special key
    std::vector<std::string> key_texts_;  ///< by rank: the key quoted, with its colon
};

/// The text form: `dict    1:  NAME` and `    key = value` lines, sorted; lists and maps as Python shows
/// them. \param contents whether to write the lines of keys
void append_text(std::string& out, const Dictionary& dictionary, std::size_t number, bool full_name,
                 bool contents);

}  // namespace vt::cfg

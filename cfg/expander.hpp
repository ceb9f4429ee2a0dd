// SPDX-License-Identifier: GPL-2.0-or-later
/// \file expander.hpp
/// Makes dictionaries from a Program, one at a time and in upstream's order.
///
/// The first dictionary costs what the first costs: nothing is collected, memory stays flat however many
/// there are. All views of a Dictionary point into the Program or into the Expander's arena and live until
/// the next call of `next()`; `to_params()` is the copy to keep.
#pragma once

#include "cfg/params.hpp"
#include "cfg/program.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vt::cfg {

/// One key and its value, and whether JSON can take the value as it stands.
struct Entry {
    std::string_view key;
    std::string_view value;
    std::uint32_t rank =
        0;               ///< the key's place among all keys of the program in code point order, or `no_rank`
    bool plain = false;  ///< the value has nothing that JSON escapes

    static constexpr std::uint32_t no_rank = UINT32_MAX;
};

/// One expanded dictionary. `name`, `shortname`, `dep` and the two file maps stand beside the ordinary
/// entries.
struct Dictionary {
    std::string_view name;
    std::string_view shortname;
    std::vector<std::string_view> dep;
    std::vector<std::pair<std::string_view, std::string_view>> name_map;
    std::vector<std::pair<std::string_view, std::string_view>> short_name_map;
    /// Ordinary keys in insertion order.
    std::vector<Entry> entries;
    /// How many entries stand before the maps in insertion order.
    std::size_t maps_position = 0;

    /// The value of an ordinary key, `name` or `shortname`.
    std::optional<std::string_view> find(std::string_view key) const;

    /// A copy to keep: `name`, `shortname`, then the entries.
    Params to_params() const;
};

/// A lazy sequence of dictionaries.
class Expander {
  public:
    explicit Expander(Program program);
    ~Expander();
    Expander(Expander&&) noexcept;
    Expander& operator=(Expander&&) noexcept;

    /// Makes the next dictionary; nothing when there is no more. Throws ExpansionError, LimitError.
    const Dictionary* next();

    /// As next(), but only `name` and `shortname` are made (fast: no statement is run). The two may be mixed.
    const Dictionary* next_name();

    /// All of the dictionary that next_name() gave last. Throws as next().
    const Dictionary* complete();

  private:
    struct State;
    std::unique_ptr<State> state_;
};

/// The dictionary of that exact full name, if it comes out. Only the way to it is walked.
std::optional<Params> find_dictionary(const Program& program, std::string_view full_name);

/// How many dictionaries come out.
std::size_t count_dictionaries(const Program& program);

}  // namespace vt::cfg

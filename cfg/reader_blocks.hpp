// SPDX-License-Identifier: GPL-2.0-or-later
/// \file reader_blocks.hpp
/// What a Reader knows of the block it is in.
#pragma once

#include "cfg/reader.hpp"

#include <optional>
#include <string>
#include <vector>

namespace vt::cfg {

/// The last `suffix` of a block; it acts where the block ends.
struct SuffixStatement {
    Str value;
    std::uint32_t line = 0;
};

/// A `variants` line.
struct Reader::Header {
    std::string name;
    std::int64_t indent = 0;
    bool runs_in_full = false;
    std::vector<std::vector<std::string>> defaults;  ///< texts of `[default=…]`, by token
    Location where;
};

struct Reader::Block {
    std::int64_t outer_indent = -1;
    bool in_condition = false;
    unsigned depth = 0;
    std::optional<SuffixStatement> suffix;
    std::optional<Header> header;  ///< set between a `variants` line and its first variant
};

}  // namespace vt::cfg

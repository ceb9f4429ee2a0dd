// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// JSON of recipes and keyword arguments: in the order of its keys, bounded, and without a NUL anywhere.
///
/// What comes in is anybody's text. A NUL in a string would cut off the path or the argument that it becomes
/// further down, so no string of a recipe may have one; nesting is bounded, since writing JSON recurses; and
/// the time is linear in the size.
#pragma once

#include "runner/nrunner/indexed_map.hpp"
#include "runner/nrunner/runnable.hpp"

#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

namespace vt::nrunner {

using RecipeJson = nlohmann::basic_json<IndexedMap>;

/// A text has a NUL; what() says which.
class NulError : public UsageError {
  public:
    using UsageError::UsageError;
};

/// Throws NulError if \p text has a NUL. \param what it is, for the message
void refuse_nul(std::string_view text, const std::string& what);

/// \p text as JSON. \param what it is, for messages. Throws UsageError, NulError.
RecipeJson parse_json(std::string_view text, const std::string& what);

}  // namespace vt::nrunner

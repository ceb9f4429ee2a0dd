// SPDX-License-Identifier: GPL-2.0-or-later
/// \file list_bounds.hpp
/// What keeps a list within bounds. Ten blocks of a thousand variants make 10^30 tests: such a config is read
/// in a moment and walked for ever, so a list ends where it has too many tests, and somebody who waits can
/// see how far it is.
#pragma once

#include "resolver/selection.hpp"

#include <atomic>
#include <cstddef>

#include <nlohmann/json_fwd.hpp>

namespace vt::resolver {

/// How far a list is; written by the thread that resolves, read by the one that shows it.
struct ListProgress {
    std::atomic<std::size_t> names{0};  ///< tests looked at
    std::atomic<std::size_t> found{0};  ///< tests that some reference has
};

struct ListBounds {
    std::size_t limit = 1'000'000;     ///< vt.list.limit: the tests that a list may have
    ListProgress* progress = nullptr;  ///< if somebody is interested
};

/// More tests come out than a list may have; what() names the limit.
class ListLimitError : public SelectionError {
  public:
    using SelectionError::SelectionError;
};

/// The value of `vt.list.limit`, or its default. Throws SelectionError.
std::size_t list_limit_from_settings(const nlohmann::json& settings);

}  // namespace vt::resolver

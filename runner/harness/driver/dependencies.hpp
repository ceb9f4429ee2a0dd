// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Which drivers must be up before which, and which may begin now: the bookkeeping of a start (or, reversed,
/// of a stop) in topological order.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace vt::driver {

/// A directed graph that is used up while its members are processed. A plain value.
class Dependencies {
  public:
    using Key = std::uint64_t;

    /// \p name is for messages; a known key is left as it is.
    void add(Key key, const std::string& name);
    /// \p first comes before \p then; both are known, else std::out_of_range.
    void add_edge(Key first, Key then);
    /// Takes a member out, whatever its state.
    void remove(Key key);
    /// The names along a circle, the first one again as the last; empty if there is none.
    std::vector<std::string> circle() const;
    /// All edges turned round, nothing processed yet.
    Dependencies reversed() const;

    /// What may begin now: nothing that comes before it is left, and it has not begun. In the order of add().
    std::vector<Key> ready() const;
    void begin(Key key);
    /// It is done: what waits for it may begin. Throws std::out_of_range unless it has begun.
    void finish(Key key);
    /// It failed. Throws std::out_of_range unless it has begun.
    void give_up(Key key);
    /// Nothing new shall begin: only what has begun is left.
    void drop_waiting();
    bool empty() const { return order_.empty(); }

    const std::vector<Key>& members() const { return order_; }
    std::vector<Key> followers(Key key) const;
    const std::set<Key>& begun() const { return begun_; }
    /// In the order of their ends.
    const std::vector<Key>& finished() const { return finished_; }

  private:
    std::vector<Key> order_;
    std::map<Key, std::string> names_;
    std::map<Key, std::vector<Key>> then_;
    std::set<Key> begun_;
    std::vector<Key> finished_;
};

}  // namespace vt::driver

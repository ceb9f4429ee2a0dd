// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/harness/driver/dependencies.hpp"

#include <algorithm>
#include <functional>
#include <stdexcept>

namespace vt::driver {

void Dependencies::add(Key key, const std::string& name) {
    if (names_.emplace(key, name).second) {
        order_.push_back(key);
    }
}

void Dependencies::add_edge(Key first, Key then) {
    names_.at(first);
    names_.at(then);
    auto& followers = then_[first];
    if (std::find(followers.begin(), followers.end(), then) == followers.end()) {
        followers.push_back(then);
    }
}

void Dependencies::remove(Key key) {
    order_.erase(std::remove(order_.begin(), order_.end(), key), order_.end());
    names_.erase(key);
    then_.erase(key);
    begun_.erase(key);
    for (auto& edge : then_) {
        auto& followers = edge.second;
        followers.erase(std::remove(followers.begin(), followers.end(), key), followers.end());
    }
}

std::vector<std::string> Dependencies::circle() const {
    std::set<Key> seen;
    std::vector<Key> path;
    std::vector<std::string> found;
    const std::function<bool(Key)> visit = [&](Key key) {
        const auto on_path = std::find(path.begin(), path.end(), key);
        if (on_path != path.end()) {
            for (auto it = on_path; it != path.end(); ++it) {
                found.push_back(names_.at(*it));
            }
            found.push_back(names_.at(key));
            return true;
        }
        if (!seen.insert(key).second) {
            return false;
        }
        path.push_back(key);
        for (const Key next : followers(key)) {
            if (visit(next)) {
                return true;
            }
        }
        path.pop_back();
        return false;
    };
    for (const Key key : order_) {
        if (visit(key)) {
            break;
        }
    }
    return found;
}

Dependencies Dependencies::reversed() const {
    Dependencies turned;
    for (const Key key : order_) {
        turned.add(key, names_.at(key));
    }
    for (const auto& edge : then_) {
        for (const Key follower : edge.second) {
            turned.add_edge(follower, edge.first);
        }
    }
    return turned;
}

std::vector<Dependencies::Key> Dependencies::ready() const {
    std::set<Key> waiting;
    for (const auto& edge : then_) {
        waiting.insert(edge.second.begin(), edge.second.end());
    }
    std::vector<Key> may_begin;
    for (const Key key : order_) {
        if (waiting.count(key) == 0 && begun_.count(key) == 0) {
            may_begin.push_back(key);
        }
    }
    return may_begin;
}

void Dependencies::begin(Key key) {
    begun_.insert(key);
}

void Dependencies::finish(Key key) {
    give_up(key);
    finished_.push_back(key);
}

void Dependencies::give_up(Key key) {
    if (begun_.count(key) == 0) {
        throw std::out_of_range("a member of the dependencies that has not begun cannot end");
    }
    remove(key);
}

void Dependencies::drop_waiting() {
    const std::vector<Key> all = order_;
    for (const Key key : all) {
        if (begun_.count(key) == 0) {
            remove(key);
        }
    }
}

std::vector<Dependencies::Key> Dependencies::followers(Key key) const {
    const auto found = then_.find(key);
    return found == then_.end() ? std::vector<Key>{} : found->second;
}

}  // namespace vt::driver

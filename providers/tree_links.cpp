// SPDX-License-Identifier: GPL-2.0-or-later
#include "providers/tree_links.hpp"

#include "runner/support/strings.hpp"

#include <vector>

namespace vt::providers {

namespace {

constexpr int max_hops = 40;  // as the kernel

/// Puts the parts of \p path on \p todo, the first part last.
void push_parts(const std::string& path, std::vector<std::string>& todo) {
    std::vector<std::string> parts = split(path, '/');
    todo.insert(todo.end(), parts.rbegin(), parts.rend());
}

}  // namespace

bool leads_out(const TreeLinks& links, const std::string& path) {
    std::vector<std::string> todo;
    std::vector<std::string> at;
    push_parts(path, todo);
    int hops = 0;
    while (!todo.empty()) {
        std::string part = std::move(todo.back());
        todo.pop_back();
        if (part.empty() || part == ".") {
            continue;
        }
        if (part == "..") {
            if (at.empty()) {
                return true;
            }
            at.pop_back();
            continue;
        }
        at.push_back(std::move(part));
        auto link = links.find(join(at, "/"));
        if (link == links.end()) {
            continue;
        }
        if (link->second.starts_with('/')) {
            return true;
        }
        if (++hops > max_hops) {
            return false;  // the kernel gives up as well
        }
        at.pop_back();
        push_parts(link->second, todo);
    }
    return false;
}

}  // namespace vt::providers

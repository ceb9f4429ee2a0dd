// SPDX-License-Identifier: GPL-2.0-or-later
/// \file join.hpp
/// The state of a walk that stands on a node which joins: one walk for each word, turned like an odometer.
#pragma once

#include "cfg/walker.hpp"

#include <memory>
#include <string>
#include <vector>

namespace vt::cfg {

struct Walker::Join {
    std::vector<std::unique_ptr<Walker>> parts;
    std::vector<bool> yielded;
    bool begun = false;
    std::string name;
    std::string shortname;
};

}  // namespace vt::cfg

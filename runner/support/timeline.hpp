// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Who ran when, as a picture: what plans and drivers leave among a test's results.
#pragma once

#include <string>
#include <vector>

namespace vt {

/// One row of a timeline.
struct TimelineBar {
    /// Gives the colour: green, red, grey, amber.
    enum class Outcome { good, bad, killed, lasting };

    std::string name;
    std::string what;  ///< shown where the pointer rests: a command line
    std::string end;   ///< how it ended, for people: "exit code 0"
    Outcome outcome = Outcome::good;
    double from = 0;  ///< seconds since the first began
    double to = 0;
};

/// An SVG picture (W3C SVG 1.1) titled \p title with a row for each bar. Texts may hold any bytes.
std::string timeline(const std::string& title, const std::vector<TimelineBar>& bars);

}  // namespace vt

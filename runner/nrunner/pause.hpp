// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// What a person is told about a pause, and where.
///
/// On the terminal itself, not by a message of type `output`: Avocado prints those on its standard output,
/// where they would break what `--json -` or `--tap -` write there.
#pragma once

#include <string>
#include <string_view>

namespace vt::nrunner {

struct Task;

/// Writes \p text on the controlling terminal if there is one and this process is in its foreground; else
/// does nothing.
void tell_terminal(std::string_view text);

/// The words of a pause of \p task: how one gets in (\p ways_in, a line each) and how it goes on.
std::string pause_words(const Task& task, const std::string& ways_in);

}  // namespace vt::nrunner

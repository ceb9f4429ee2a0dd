// SPDX-License-Identifier: GPL-2.0-or-later
/// \file tracer.hpp
/// Follows keys through the statements of one dictionary: the part of explain() that runs them.
///
/// Each statement is run alone into a Record and what it did is noted in the history of the slots that it
/// touched. A slot, not a name, has a history: `suffix` gives a value another name, and a value that all
/// suffixes agree on gets its old name back, so only at the end is it known which key a history is of.
#pragma once

#include "cfg/explain.hpp"
#include "cfg/image.hpp"

#include <string>
#include <vector>

namespace vt::cfg {

class Walker;
struct Dictionary;

/// The histories of `keys` where `walker` stands. \param dictionary the one that comes out there
std::vector<KeyExplanation> trace_keys(const Image& image, const Walker& walker, const Dictionary& dictionary,
                                       const std::vector<std::string>& keys);

}  // namespace vt::cfg

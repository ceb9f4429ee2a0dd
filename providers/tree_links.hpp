// SPDX-License-Identifier: GPL-2.0-or-later
/// \file tree_links.hpp
/// Symbolic links of a tree that is not on disk yet: which of them would lead out of it.
#pragma once

#include <map>
#include <string>

namespace vt::providers {

/// Links of a tree: path below its top → the link's text.
using TreeLinks = std::map<std::string, std::string>;

/// True if following the link at \p path, through whatever other links lie on the way, leaves the tree, even
/// if it comes back later. A loop does not.
bool leads_out(const TreeLinks& links, const std::string& path);

}  // namespace vt::providers

// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// How each kind of journalled thing is taken down, by its owner or once that is dead. Plain system calls:
/// the only programs are those that an owner has written down as the way to undo what it did.
#pragma once

#include "runner/support/journal.hpp"

namespace vt {

/// Takes \p resource down. Returns false if there was nothing left of it. Throws Error if it resists.
bool take_down(const Resource& resource);

}  // namespace vt

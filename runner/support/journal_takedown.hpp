// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// How each kind of journalled thing is taken down once its owner is dead. Plain system calls, since this
/// layer knows no programs.
#pragma once

#include "runner/support/journal.hpp"

namespace vt {

/// Takes \p resource down. Returns false if there was nothing left of it. Throws SystemError if it resists.
bool take_down(const Resource& resource);

}  // namespace vt

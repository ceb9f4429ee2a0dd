// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The reading thread of objects that a script makes itself, outside any VM.
#pragma once

#include "runner/io/io_loop.hpp"

namespace vt::python {

/// The loop, started at first use. A forked child has threads of its own only: it gets a new one. It is never
/// stopped: sessions of a script may live until its last moment.
IoLoop& own_loop();

}  // namespace vt::python

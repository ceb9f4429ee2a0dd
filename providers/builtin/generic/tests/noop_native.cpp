// SPDX-License-Identifier: GPL-2.0-or-later
// A test that does nothing: what it costs is the runner's own cost.
#include "runner/native/test_api.hpp"

VT_TEST(test, params, env) {}

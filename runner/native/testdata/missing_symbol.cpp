// SPDX-License-Identifier: GPL-2.0-or-later
// A test that was linked with something that is not here.
#include "runner/native/test_api.hpp"

int nobody_has_this();

VT_TEST(test, params, env) {
    nobody_has_this();
}

// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/native/test_api.hpp"

extern "C" void function_that_nobody_has();

VT_TEST(test, params, env) {
    function_that_nobody_has();
}

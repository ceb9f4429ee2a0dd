// SPDX-License-Identifier: GPL-2.0-or-later
// A test that ends by an exception with what it was given, so that one sees that both cross.
#include "runner/native/test_api.hpp"

#include <stdexcept>

VT_TEST(test, params, env) {
    throw std::runtime_error("reached with API version " + std::to_string(vt::api::version));
}

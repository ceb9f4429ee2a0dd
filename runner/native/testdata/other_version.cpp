// SPDX-License-Identifier: GPL-2.0-or-later
// A test built for an API that this runner does not have.
#include "runner/native/test_api.hpp"

extern "C" __attribute__((visibility("default")))
const VtTestEntry vt_test_entry{vt::api::version + 1, nullptr};

// SPDX-License-Identifier: GPL-2.0-or-later
// Laid out as test_api.hpp's VtTestEntry, of a version that does not exist yet.
struct Entry {
    unsigned version;
    void (*run)();
};
extern "C" __attribute__((visibility("default"))) const Entry vt_test_entry{4711, nullptr};

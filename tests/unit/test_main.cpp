// SPDX-License-Identifier: GPL-2.0-or-later
// doctest's main function, compiled once and linked into every unit test program.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>

// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/support/install_dirs.hpp"

#include <doctest/doctest.h>

TEST_CASE("a test program finds its build tree") {
    const auto dirs = vt::InstallDirs::find();
    CHECK(dirs.prefix.is_absolute());
    CHECK(std::filesystem::exists(dirs.prefix / "CMakeCache.txt"));
    CHECK(dirs.runner().filename() == "avocado-runner-vt");
    CHECK(dirs.python().parent_path() == dirs.libraries());
}

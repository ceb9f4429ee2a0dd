// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/support/home.hpp"

#include <cstdlib>

#include <doctest/doctest.h>
#include <pwd.h>
#include <unistd.h>

using namespace vt;

TEST_CASE("home: the variable, else the list of users") {
    const char* before = std::getenv("HOME");
    std::string saved = before != nullptr ? before : "";
    setenv("HOME", "/a home/with blanks", 1);
    CHECK(home_directory() == "/a home/with blanks");
    CHECK(expand_home("~/x y") == "/a home/with blanks/x y");
    CHECK(expand_home("~") == "/a home/with blanks/");
    CHECK(expand_home("~user/x") == "~user/x");
    CHECK(expand_home("/x/~") == "/x/~");
    for (bool empty : {true, false}) {
        empty ? setenv("HOME", "", 1) : unsetenv("HOME");
        const passwd* entry = getpwuid(getuid());
        CHECK(home_directory() == (entry != nullptr ? entry->pw_dir : ""));
    }
    before != nullptr ? setenv("HOME", saved.c_str(), 1) : unsetenv("HOME");
}

// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/support/file.hpp"

#include "runner/support/error.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>

namespace fs = std::filesystem;

TEST_CASE("what is written atomically is read back whole") {
    const vt::TempDirectory dir("vt-test-");
    const auto file = dir.path() / "file";
    const std::string text(100'000, 'x');
    vt::write_file_atomically(file, text, 0600);
    CHECK(vt::read_file(file) == text);
    vt::write_file_atomically(file, "short");
    CHECK(vt::read_file(file) == "short");
    CHECK(std::distance(fs::directory_iterator(dir.path()), {}) == 1);
}

TEST_CASE("a file over the limit and a missing one are refused with a sentence") {
    const vt::TempDirectory dir("vt-test-");
    vt::write_file_atomically(dir.path() / "big", std::string(5000, 'x'));
    CHECK_THROWS_WITH_AS(vt::read_file(dir.path() / "big", 4999), doctest::Contains("larger than"),
                         vt::Error);
    CHECK_THROWS_WITH_AS(vt::read_file(dir.path() / "none"), doctest::Contains("No such file"),
                         vt::SystemError);
    CHECK_THROWS_AS(vt::write_file_atomically(dir.path() / "no" / "dir", "x"), vt::SystemError);
}

TEST_CASE("files without a size are read to their end") {
    CHECK(vt::read_file("/proc/self/status").size() > 100);
}

TEST_CASE("private directories are private, parents too") {
    const vt::TempDirectory dir("vt-test-");
    vt::make_private_directory(dir.path() / "a" / "b");
    vt::make_private_directory(dir.path() / "a" / "b");
    struct stat info {};
    REQUIRE(::stat((dir.path() / "a").c_str(), &info) == 0);
    CHECK((info.st_mode & 0777) == 0700);
    vt::write_file_atomically(dir.path() / "f", "");
    CHECK_THROWS_AS(vt::make_private_directory(dir.path() / "f"), vt::SystemError);
}

TEST_CASE("a tail begins with a whole line") {
    const vt::TempDirectory dir("vt-test-");
    vt::write_file_atomically(dir.path() / "log", "first line\nsecond\nthird\n");
    CHECK(vt::read_tail(dir.path() / "log", 12) == "third\n");
    CHECK(vt::read_tail(dir.path() / "log", 14) == "second\nthird\n");
    CHECK(vt::read_tail(dir.path() / "log", 1000) == "first line\nsecond\nthird\n");
    CHECK(vt::read_tail(dir.path() / "none", 10).empty());
}

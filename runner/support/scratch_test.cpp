// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/support/scratch.hpp"

#include "runner/support/error.hpp"
#include "runner/support/fault.hpp"
#include "runner/support/file.hpp"
#include "runner/support/log.hpp"

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <optional>

#include <doctest/doctest.h>

namespace fs = std::filesystem;
using vt::JournalledDirectory;

TEST_CASE("a directory whose owner's next step throws is gone, and so is its line") {
    vt::log::set_sink([](auto, auto, auto) {});
    const vt::TempDirectory top("vt-scratch-");
    const auto journals = top.path() / "journal";
    const auto path = top.path() / "job" / "vm-1";
    try {
        const JournalledDirectory directory(journals, path);
        std::ofstream(path / "overlay") << "x";
        throw vt::Error("the next step");
    } catch (const vt::Error&) {
    }
    CHECK_FALSE(fs::exists(path));
    CHECK(fs::is_empty(journals));

    std::optional<JournalledDirectory> kept(std::in_place, journals, path);
    kept->hand_over();
    kept.reset();
    CHECK(fs::exists(path));
    CHECK(fs::is_empty(journals));
    vt::log::set_sink({});
}

TEST_CASE("a full disk under the journal leaves no directory, one under the directory no line") {
    vt::log::set_sink([](auto, auto, auto) {});
    const vt::TempDirectory top("vt-scratch-");
    const auto path = top.path() / "job";
    {
        const vt::fault::Injected full(
            [](auto point, auto) { return point == vt::fault::Point::journal ? ENOSPC : 0; });
        CHECK_THROWS_WITH_AS(JournalledDirectory(top.path() / "journal", path),
                             doctest::Contains("No space left"), vt::SystemError);
    }
    CHECK_FALSE(fs::exists(path));
    std::ofstream(top.path() / "file") << "no directory";
    CHECK_THROWS_AS(JournalledDirectory(top.path() / "journal", top.path() / "file" / "below"),
                    vt::SystemError);
    CHECK(vt::Journal::reap(top.path() / "journal").empty());
    vt::log::set_sink({});
}

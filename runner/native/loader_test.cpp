// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/native/loader.hpp"

#include "runner/env/env.hpp"
#include "runner/env/test_context.hpp"
#include "runner/support/error.hpp"
#include "runner/support/file.hpp"

#include <string>

#include <doctest/doctest.h>

namespace {

namespace fs = std::filesystem;

const fs::path modules = VT_NATIVE_TESTDATA;

/// What load_test() says against \p path.
std::string refusal(const fs::path& path) {
    try {
        vt::native::load_test(path);
    } catch (const vt::Error& error) {
        return error.what();
    }
    return "accepted";
}

bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a native test is run with its surroundings, and what it throws arrives") {
    const vt::TempDirectory dir("native-test-");
    vt::TestContext context;
    vt::Env env(dir.path() / "env.json", vt::VmContext{});
    const auto test = vt::native::load_test(modules / "good.so");
    CHECK_THROWS_WITH_AS(test(context, env), "reached with API version 1", std::runtime_error);
}

TEST_CASE("what is no test is refused with a sentence that says why") {
    CHECK(has(refusal(modules / "nosuch.so"), "is not there"));
    CHECK(has(refusal(modules), "is not there (or is no file)"));
    CHECK(has(refusal(modules / "no_entry.so"), "no vt_test_entry"));
    CHECK(has(refusal(modules / "missing_symbol.so"), "nobody_has_this"));
    CHECK(has(refusal(modules / "other_version.so"), "build the test again"));

    const vt::TempDirectory dir("native-test-");
    const fs::path text = dir.path() / "text.so";
    vt::write_file_atomically(text, "this is no ELF file");
    CHECK(has(refusal(text), "cannot be loaded"));
}

TEST_CASE("a test is found by a relative path too, never on the linker's path") {
    const fs::path before = fs::current_path();
    fs::current_path(modules);
    CHECK(refusal("good.so") == "accepted");
    CHECK(has(refusal("libc.so.6"), "is not there"));
    fs::current_path(before);
}

// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/harness/driver/process_driver.hpp"

#include "runner/process/process.hpp"
#include "runner/support/error.hpp"
#include "runner/support/file.hpp"

#include <string>

#include <doctest/doctest.h>
#include <signal.h>

namespace vt::driver {
namespace {

Settings app(const std::string& line) {
    Settings settings;
    settings.name = "app";
    settings.timeout = Seconds{30};
    Expression ready;
    ready.pattern = line;
    settings.log_expressions = {ready};
    return settings;
}

}  // namespace

TEST_CASE("a program is up when its log says so, and gone after its stop") {
    const TempDirectory place("process");
    Environment env(place.path());
    ProcessTexts texts;
    texts.argv = {"/bin/sh", "-c", "echo {{name}} is $WORD as $$; exec cat"};
    texts.environment = {{"WORD", "{{name}}-word"}};
    const ProcessDriver process = add_process(env, app("app is (?P<word>\\S+) as (?P<number>\\d+)"), texts);
    CHECK_FALSE(process.pid());
    env.start();
    CHECK(env.value("app.word") == "app-word");
    CHECK(env.value("app.number") == std::to_string(*process.pid()));
    CHECK(env.value("app.pid") == env.value("app.number"));
    process.driver().pause();
    process.driver().resume();
    CHECK(process.running());
    env.stop();
    CHECK_FALSE(process.running());
    CHECK(::kill(*process.pid(), 0) != 0);
}

TEST_CASE("a program that is not there, ends early or ends otherwise is named") {
    const TempDirectory place("process");
    Environment missing(place.path());
    add_process(missing, app("x"), {{"no-such-program"}, {}, SIGTERM, Seconds{5}, {}});
    CHECK_THROWS_WITH_AS(missing.start(), doctest::Contains("no-such-program"), Error);
    Environment early(place.path());
    add_process(early, app("never"),
                {{"/bin/sh", "-c", "echo no disk >&2; exit 3"}, {}, SIGTERM, Seconds{5}, {}});
    CHECK_THROWS_WITH_AS(early.start(), doctest::Contains("no disk"), Error);
    Environment other(place.path());
    const ProcessDriver process =
        add_process(other, app("up"), {{"/bin/sh", "-c", "echo up; exec cat"}, {}, SIGKILL, Seconds{5}, 0});
    other.start();
    CHECK_THROWS_WITH_AS(other.stop(), doctest::Contains("not with exit status 0"), Error);
    CHECK_FALSE(process.running());
}

}  // namespace vt::driver

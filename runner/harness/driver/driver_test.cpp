// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/harness/driver/driver.hpp"

#include "runner/harness/driver/kinds.hpp"
#include "runner/harness/driver/text_template.hpp"
#include "runner/support/error.hpp"
#include "runner/support/file.hpp"

#include <fstream>
#include <mutex>
#include <string>
#include <vector>

#include <doctest/doctest.h>

namespace vt::driver {
namespace {

Deadline soon() {
    return Deadline::after(Seconds{30});
}

/// Notes what is called, in the order of the calls.
struct Notes {
    std::mutex mutex;
    std::vector<std::string> lines;

    Hook note(const std::string& what) {
        return [this, what](Driver& driver) {
            const std::lock_guard lock(mutex);
            lines.push_back(driver.name() + " " + what);
        };
    }
    Settings settings(const std::string& name) {
        Settings settings;
        settings.name = name;
        settings.pre_start = note("pre_start");
        settings.post_start = note("post_start");
        settings.pre_stop = note("pre_stop");
        settings.post_stop = note("post_stop");
        return settings;
    }
    Parts parts() {
        Parts parts;
        parts.starting = note("starting");
        parts.stopping = note("stopping");
        parts.pausing = note("pausing");
        parts.resuming = note("resuming");
        return parts;
    }
};

Settings named(const std::string& name, std::vector<std::string> after = {}) {
    Settings settings;
    settings.name = name;
    settings.after = std::move(after);
    return settings;
}

}  // namespace

TEST_CASE("a driver's life, in order") {
    const TempDirectory place("driver");
    Notes notes;
    Settings settings = notes.settings("a");
    settings.run_path = place.path() / "a";
    Driver driver(settings, notes.parts());
    driver.stop();
    driver.start();
    driver.start();
    CHECK(driver.status().is(Status::started));
    driver.pause();
    CHECK(driver.status().is(Status::paused));
    CHECK_THROWS_AS(driver.pause(), StatusError);
    driver.resume();
    driver.stop();
    driver.stop();
    CHECK(driver.status().is(Status::stopped));
    CHECK(notes.lines == std::vector<std::string>{"a pre_start", "a starting", "a post_start", "a pausing",
                                                  "a resuming", "a pre_stop", "a stopping", "a post_stop"});
    notes.lines.clear();
    driver.restart();
    driver.abort();
    driver.abort();
    CHECK(driver.aborted());
    CHECK(driver.status().is(Status::stopped));
    CHECK(notes.lines.back() == "a stopping");
    CHECK_THROWS_AS(driver.start(), StatusError);
}

TEST_CASE("files are installed and the log is read for values") {
    const TempDirectory place("driver");
    write_file_atomically(place.path() / "a.cfg", "name={{name}}\n");
    Settings settings = named("a");
    settings.run_path = place.path() / "a";
    settings.install_files = {{place.path() / "{{name}}.cfg", "etc/app.cfg"}};
    Expression port;
    port.pattern = "listening on (?P<port>\\d+)";
    settings.log_expressions = {port};
    Parts parts;
    parts.logs = {"log"};
    int asked = 0;
    parts.starting = [](Driver& driver) { std::ofstream(driver.run_path() / "log") << "listening on 77\n"; };
    parts.started_check = [&asked](Driver&) { return ++asked == 2; };
    Driver driver(settings, parts);
    driver.start();
    CHECK(asked == 2);
    CHECK(driver.value("port") == "77");
    CHECK(driver.resolve("{{name}}:{{extracts.port}}") == "a:77");
    CHECK(read_file(place.path() / "a/etc/app.cfg") == "name=a\n");
}

TEST_CASE("a start that fails says why, and a failover takes its place") {
    const TempDirectory place("driver");
    Settings settings = named("a");
    settings.run_path = place.path() / "a";
    settings.timeout = Seconds{0.05};
    Expression ready;
    ready.pattern = "ready";
    settings.log_expressions = {ready};
    Parts parts;
    parts.logs = {"log"};
    parts.starting = [](Driver& driver) { std::ofstream(driver.run_path() / "log") << "no such database\n"; };
    Driver driver(settings, parts);
    CHECK_THROWS_WITH_AS(driver.start(),
                         "a has not started after 0.1 s; its log has no line 'ready'\nlog: no such database",
                         TimeoutError);
    CHECK(driver.status().is(Status::starting));
    driver.stop();
    Parts other = parts;
    other.starting = [](Driver& self) { std::ofstream(self.run_path() / "log") << "ready\n"; };
    driver.register_failover(other);
    driver.start();
    CHECK(driver.status().is(Status::started));
}

TEST_CASE("a server and a client that finds it by its values") {
    const TempDirectory place("driver");
    Environment env(place.path());
    ClientTexts texts;
    texts.host = "{{server.host}}";
    texts.port = "{{server.port}}";
    const ClientDriver client = add_tcp_client(env, named("client", {"server"}), texts);
    const ServerDriver server = add_tcp_server(env, named("server"));
    CHECK_THROWS_AS(server->port(), NoConnectionError);
    env.start();
    CHECK(server->accept(soon()) == 0);
    client->send("Hello", soon());
    CHECK(server->receive(5, {}, soon()) == "Hello");
    CHECK(env.value("client.server_port") == std::to_string(server->port()));
    CHECK(env.get("client").value("port") == std::to_string(client->address().second));
    server.driver().restart();
    client.driver().restart();
    CHECK(server->accept(soon()) == 0);
    env.stop();
    CHECK(read_file(place.path() / "client/traffic").find("connected to localhost") != std::string::npos);
    CHECK(client.driver().status().is(Status::stopped));
}

TEST_CASE("what cannot be started is said in sentences, and the rest is stopped") {
    const TempDirectory place("driver");
    Environment env(place.path());
    ClientTexts texts;
    texts.host = "{{nobody.host}}";
    texts.port = "1";
    add_tcp_client(env, named("client", {"server"}), texts);
    add_tcp_server(env, named("server"));
    CHECK_THROWS_WITH_AS(env.start(), doctest::Contains("client does not start: 'nobody.host' in"), Error);
    CHECK(env.get("server").status().is(Status::stopped));
    CHECK_THROWS_WITH_AS(env.get("other"), "the environment has no driver 'other', but client, server",
                         Error);
    CHECK_THROWS_AS(env.add(std::make_unique<Driver>(named("client"), Parts{})), Error);
    CHECK_THROWS_AS(env.add(std::make_unique<Driver>(named("no name"), Parts{})), Error);
}

TEST_CASE("drivers start in the order of their dependencies and stop the other way round") {
    const TempDirectory place("driver");
    Notes notes;
    Environment env(place.path());
    for (const char* name : {"c", "b", "a"}) {
        Settings settings = named(name);
        settings.post_start = notes.note("up");
        settings.post_stop = notes.note("down");
        settings.after = std::string(name) == "c"   ? std::vector<std::string>{"b"}
                         : std::string(name) == "b" ? std::vector<std::string>{"a"}
                                                    : std::vector<std::string>{};
        env.add(std::make_unique<Driver>(settings, Parts{}));
    }
    env.start();
    env.stop();
    CHECK(notes.lines == std::vector<std::string>{"a up", "b up", "c up", "c down", "b down", "a down"});
}

TEST_CASE("a timeline shows each life of each driver") {
    const TempDirectory place("driver");
    Environment env(place.path());
    env.add(std::make_unique<Driver>(named("a"), Parts{}));
    Parts parts;
    parts.stopping = [](Driver&) { throw Error("it hangs"); };
    env.add(std::make_unique<Driver>(named("b"), parts));
    env.start();
    env.get("a").restart();
    CHECK_THROWS_WITH_AS(env.stop(), "b does not stop: it hangs", Error);
    const std::string picture = env.timeline("drivers");
    CHECK(picture.find("stopped, ") != picture.rfind("stopped, "));
    CHECK(picture.find("did not stop as it should, ") != std::string::npos);
    CHECK(env.get("a").lives().size() == 2);
}

TEST_CASE("a circle is named, and so is a driver that is not there") {
    const TempDirectory place("driver");
    Environment circle(place.path());
    circle.add(std::make_unique<Driver>(named("a", {"b"}), Parts{}));
    circle.add(std::make_unique<Driver>(named("b", {"a"}), Parts{}));
    CHECK_THROWS_WITH_AS(circle.start(), doctest::Contains("in a circle: a -> b -> a"), Error);
    Environment lost(place.path());
    lost.add(std::make_unique<Driver>(named("a", {"z"}), Parts{}));
    CHECK_THROWS_WITH_AS(lost.start(), doctest::Contains("a comes after 'z'"), Error);
}

}  // namespace vt::driver

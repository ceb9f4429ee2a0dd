// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/env/lifecycle.hpp"

#include "runner/process/process.hpp"
#include "runner/vm/qemu/job_for_test.hpp"

#include <doctest/doctest.h>

namespace vt {

namespace fs = std::filesystem;

namespace {

/// A test's surroundings in a temporary directory.
struct Surroundings {
    explicit Surroundings(const Params& params) {
        context.params = params;
        context.name = "test";
        context.bindir = job.dir();
        context.datadir = job.dir();
        context.logdir = job.context().log_dir;
        context.vm = job.context();
        // Not the host's own: nothing that runs there is waited for.
        ::setenv("AVOCADO_VT_HOST_DIR", job.dir().c_str(), 1);
    }
    ~Surroundings() { ::unsetenv("AVOCADO_VT_HOST_DIR"); }

    TestVerdict run(const TestFunction& body = [](TestContext&, Env&) {}) {
        Env env(job.dir() / "env.json", job.context());
        return run_test(context, env, body);
    }
    bool wrote(const char* name) const { return fs::exists(job.dir() / name); }

    JobForTest job;
    TestContext context;
};

}  // namespace

TEST_CASE("commands run before and after, with parameters in their environment") {
    Surroundings test(
        {{"pre_command", "echo $KVM_TEST_word > before"}, {"post_command", "touch after"}, {"word", "x y"}});
    bool ran = false;
    const auto verdict = test.run([&](TestContext&, Env&) {
        ran = true;
        CHECK(read_file(test.job.dir() / "before") == "x y\n");
        CHECK(!test.wrote("after"));
    });
    CHECK(verdict.passed());
    CHECK(ran);
    CHECK(test.wrote("after"));
}

TEST_CASE("a failed preparation ends the test, and what was begun is undone") {
    Surroundings test({{"pre_command", "echo out of cheese; exit 3"}, {"post_command", "touch after"}});
    const auto verdict = test.run([](TestContext&, Env&) { FAIL("the test ran"); });
    CHECK(verdict.status == TestStatus::error);
    CHECK(verdict.reason.find("exit status 3: out of cheese") != std::string::npos);
    CHECK(test.wrote("after"));
    Surroundings noncritical({{"pre_command", "false"}, {"pre_command_noncritical", "yes"}});
    CHECK(noncritical.run().passed());
}

TEST_CASE("after a failure X_on_error stands in for X") {
    Surroundings test({{"post_command", "touch good"}, {"post_command_on_error", "touch bad"}});
    const auto verdict = test.run([](TestContext&, Env&) { throw TestFail("on purpose"); });
    CHECK(verdict == TestVerdict{TestStatus::fail, "on purpose", "TestFail", {}});
    CHECK(test.wrote("bad"));
    CHECK(!test.wrote("good"));
}

TEST_CASE("what fails after a test counts only if it had passed") {
    Surroundings passed({{"post_command", "false"}});
    CHECK(passed.run().status == TestStatus::error);
    Surroundings failed({{"post_command", "false"}});
    CHECK(failed.run([](TestContext&, Env&) { throw TestFail("first"); }).reason == "first");
    Surroundings exits({});
    CHECK(exits
              .run([](TestContext& context, Env&) {
                  context.exit_functions.emplace_back([] { throw Error("late"); });
              })
              .status == TestStatus::warn);
    Surroundings background({});
    CHECK(background.run([](TestContext& context, Env&) {
        context.background.add({TestStatus::fail, "meanwhile", "X", {}});
    }) == TestVerdict{TestStatus::error, "meanwhile", "X", {}});
}

TEST_CASE("vt.omit_data_loss: a descriptor that was closed already fails no test after its end") {
    const auto body = [](TestContext& context, Env&) {
        context.exit_functions.emplace_back([] { throw Error("[Errno 9] Bad file descriptor"); });
    };
    Surroundings strict({});
    CHECK(strict.run(body).status == TestStatus::warn);
    Surroundings lenient({});
    lenient.context.omit_data_loss = true;
    CHECK(lenient.run(body).passed());
    Surroundings within({});
    within.context.omit_data_loss = true;
    CHECK(!within.run([](TestContext&, Env&) { throw Error("[Errno 9] Bad file descriptor"); }).passed());
}

TEST_CASE("demands on the host") {
    CHECK(Surroundings({{"cmds_installed_host", "sh no-such-program"}}).run().status == TestStatus::skip);
    CHECK(Surroundings({{"required_kernel", "[999.0, )"}}).run().status == TestStatus::cancel);
    CHECK(Surroundings({{"required_kernel", "[2.0, )"}}).run().passed());
    CHECK(Surroundings({{"required_kernel", "new"}}).run().status == TestStatus::error);
}

TEST_CASE("values of the environment last from test to test, and a damaged file is set aside") {
    Surroundings test({});
    CHECK(test.run([](TestContext&, Env& env) { env.set("key", R"({"a": [1, "ü"]})"); }).passed());
    CHECK(test.run([](TestContext&, Env& env) {
                  CHECK(env.get("key") == R"({"a":[1,"ü"]})");
                  CHECK(env.erase("key"));
                  CHECK_THROWS_AS(env.set("bad", "{"), Error);
              })
              .passed());
    CHECK(test.run([](TestContext&, Env& env) { CHECK(env.keys().empty()); }).passed());
    write_file_atomically(test.job.dir() / "env.json", "{\"version\": 1, \"vms\": 7");
    CHECK(test.run([](TestContext&, Env& env) { CHECK(env.get_all_vms().empty()); }).passed());
    CHECK(test.wrote("env.json.damaged"));
}

TEST_CASE("images: made, backed up, restored, removed as the parameters say") {
    if (!process::find_program("qemu-img")) {
        MESSAGE("qemu-img is not installed; its tests are skipped");
        return;
    }
    const Params params{
        {"vms", ""},          {"images", "image1"}, {"image_name", "a"},     {"image_format", "raw"},
        {"image_size", "1M"}, {"backup_dir", ""},   {"create_image", "yes"}, {"remove_image_image1", "no"}};
    Surroundings test(params);
    CHECK(test.run([&](TestContext&, Env&) { CHECK(test.wrote("a.raw")); }).passed());
    CHECK(test.wrote("a.raw"));

    test.context.params = params;
    test.context.params.set("backup_image_before_testing", "yes");
    test.context.params.set("restore_image_after_testing", "yes");
    const auto image = test.job.dir() / "a.raw";
    write_file_atomically(image, "precious");
    CHECK(test.run([&](TestContext&, Env&) { write_file_atomically(image, "spoilt"); }).passed());
    CHECK(read_file(image) == "precious");
    CHECK(test.wrote("a.raw.backup"));

    test.context.params = params;
    test.context.params.set("backup_image_after_testing_passed", "yes");
    write_file_atomically(image, "installed");
    CHECK(!test.run([](TestContext&, Env&) { throw TestFail("no"); }).passed());
    CHECK(read_file(test.job.dir() / "a.raw.backup") == "precious");
    CHECK(test.run().passed());
    CHECK(read_file(test.job.dir() / "a.raw.backup") == "installed");

    test.context.params = params;
    test.context.params.set("remove_image_image1", "yes");
    CHECK(test.run().passed());
    CHECK(!test.wrote("a.raw"));
}

TEST_CASE(
    "an image whose name climbs out of the data directory is used, but changed only by the user's word") {
    if (!process::find_program("qemu-img")) {
        MESSAGE("qemu-img is not installed; its tests are skipped");
        return;
    }
    const Params params{
        {"vms", ""},          {"images", "image1"}, {"image_name", "data/../../a"}, {"image_format", "raw"},
        {"image_size", "1M"}, {"backup_dir", ""},   {"remove_image", "yes"}};
    Surroundings test(params);
    test.context.datadir = test.job.dir() / "data";
    fs::create_directories(test.context.datadir / "data");
    const auto image = test.job.dir() / "a.raw";
    write_file_atomically(image, "precious");
    test.context.params.set("backup_image_before_testing", "yes");
    test.context.params.set("restore_image_after_testing", "yes");
    test.context.params.set("backup_image_after_testing_passed", "yes");
    CHECK(test.run([&](TestContext&, Env&) { write_file_atomically(image, "written"); }).passed());
    CHECK(read_file(image) == "written");
    CHECK(!fs::exists(test.context.datadir / "a.raw.backup"));

    test.context.params = params;
    test.context.params.set("force_create_image", "yes");
    const auto verdict = test.run([](TestContext&, Env&) { FAIL("the test ran"); });
    CHECK(verdict.status == TestStatus::error);
    CHECK(verdict.reason.find("vt.common.allow_outside") != std::string::npos);
    CHECK(read_file(image) == "written");

    test.context.params = params;
    test.context.params.set("force_create_image", "yes");
    test.context.allow_outside = true;
    CHECK(test.run([&](TestContext&, Env&) { CHECK(fs::file_size(image) == 1 << 20); }).passed());
    CHECK(!fs::exists(image));
}

TEST_CASE("an unknown vm_type is no error of the test") {
    CHECK(Surroundings({{"vms", "vm1"}, {"vm_type", "libvirt"}}).run().status == TestStatus::cancel);
}

}  // namespace vt

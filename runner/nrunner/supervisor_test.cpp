// SPDX-License-Identifier: GPL-2.0-or-later
// The rest of the supervisor is tried from outside: tests/e2e/test_protocol.py.
#include "runner/nrunner/protocol.hpp"
#include "runner/support/file.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

using namespace vt::nrunner;

namespace {

/// Sends standard output to a file while it lives.
class Captured {
  public:
    Captured() : saved_(::dup(STDOUT_FILENO)), path_(dir_.path() / "out") {
        const vt::UniqueFd file(::open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
        std::fflush(stdout);
        ::dup2(file.get(), STDOUT_FILENO);
    }
    ~Captured() { end(); }
    std::string end() {
        if (saved_) {
            std::fflush(stdout);
            ::dup2(saved_.get(), STDOUT_FILENO);
            saved_.reset();
        }
        return vt::read_file(path_);
    }
    std::string directory() const { return dir_.path().string(); }

  private:
    vt::TempDirectory dir_{"supervisor-test-"};
    vt::UniqueFd saved_;
    std::filesystem::path path_;
};

std::string run(const TestBody& body) {
    Captured captured;
    const auto status = run_protocol_command(
        "x/avocado-runner-vt", {"runnable-run", "output_dir=" + captured.directory() + "/results"},
        {{"vt"}, {}}, body);
    const auto text = captured.end();
    CHECK(status == 0);
    return text;
}

}  // namespace

TEST_CASE("a body's words and result") {
    const auto text = run([](BodyContext& context) -> TestResult {
        context.channel().log(vt::log::Level::info, "l", "hello");
        CHECK(context.task().runnable.kind == "vt");
        return {Status::warn, "take care", "TestWarn", {}, {}};
    });
    CHECK(text.starts_with("{'output_dir': '"));
    CAPTURE(text);
    CHECK(text.find("INFO | hello") != std::string::npos);
    CHECK(text.find("'result': 'warn', 'fail_reason': 'take care'") != std::string::npos);
}

TEST_CASE("a body that dies") {
    const auto text = run([](BodyContext&) -> TestResult { ::_exit(4); });
    CHECK(text.find("'result': 'error', 'fail_reason': \"The test's process ended before the test did: exit "
                    "status 4") != std::string::npos);
}

TEST_CASE("a body that throws what is no exception") {
    const auto text = run([](BodyContext&) -> TestResult { throw 3; });
    CHECK(text.find("'result': 'error'") != std::string::npos);
}

TEST_CASE("words that are no command of the protocol") {
    CHECK(!run_protocol_command("x", {"list"}, {{"vt"}, {}}, {}));
    CHECK(!run_protocol_command("x", {}, {{"vt"}, {}}, {}));
}

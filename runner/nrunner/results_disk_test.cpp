// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/nrunner/results_disk.hpp"

#include "runner/support/file.hpp"

#include <csignal>

#include <doctest/doctest.h>
#include <sys/resource.h>

using namespace vt::nrunner;

namespace {

/// No file may grow while it lives.
class NoFiles {
  public:
    NoFiles() : handler_(::signal(SIGXFSZ, SIG_IGN)) {
        ::getrlimit(RLIMIT_FSIZE, &before_);
        const rlimit none{0, before_.rlim_max};
        ::setrlimit(RLIMIT_FSIZE, &none);
    }
    ~NoFiles() {
        ::setrlimit(RLIMIT_FSIZE, &before_);
        ::signal(SIGXFSZ, handler_);
    }
    NoFiles(const NoFiles&) = delete;
    NoFiles& operator=(const NoFiles&) = delete;

  private:
    rlimit before_{};
    void (*handler_)(int);
};

}  // namespace

TEST_CASE("a test whose results cannot be written warns if it passed, and says so in any case") {
    const vt::TempDirectory dir("results-disk-test-");
    const TestResult passed{Status::pass, {}, {}, {}, {}};
    const TestResult failed{Status::fail, "wrong", "TestFail", {}, {}};
    CHECK(with_disk_trouble(passed, dir.path()).status == Status::pass);
    CHECK(with_disk_trouble(passed, dir.path()).reason.empty());
    CHECK(std::filesystem::is_empty(dir.path()));
    const NoFiles none;
    const auto warned = with_disk_trouble(passed, dir.path());
    CHECK(warned.status == Status::warn);
    CHECK(warned.reason.find("The test itself passed. Files of the results may be missing") == 0);
    CHECK(warned.reason.find("File too large") != std::string::npos);
    const auto still_failed = with_disk_trouble(failed, dir.path());
    CHECK(still_failed.status == Status::fail);
    CHECK(still_failed.reason.find("wrong - Files of the results may be missing") == 0);
}

TEST_CASE("a directory that is not there") {
    CHECK(disk_trouble("/nowhere/at/all") == "No such file or directory");
}

// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// What a running test is given, native or Python.
#pragma once

#include "cfg/params.hpp"
#include "runner/env/job_tests.hpp"
#include "runner/env/test_status.hpp"
#include "runner/vm/vm.hpp"

#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace vt {

/// Failures noticed beside the test (a guest that died while nobody looked); the lifecycle asks after each
/// part.
class BackgroundErrors {
  public:
    void add(TestVerdict verdict);
    /// Takes what is there.
    std::vector<TestVerdict> take();

  private:
    std::mutex mutex_;
    std::vector<TestVerdict> errors_;
};

/// One test's surroundings; lives as long as the test. The directories are Avocado-VT's attributes of `test`.
struct TestContext {
    Params params;
    std::string name;  ///< "io-github-autotest-qemu.boot"
    std::string id;    ///< Avocado's identifier: "1-boot"
    std::string job_id;
    std::filesystem::path bindir;     ///< the provider's directory of the test
    std::filesystem::path virtdir;    ///< bindir/shared
    std::filesystem::path datadir;    ///< data directory ($HOME/avocado/data/avocado-vt)
    std::filesystem::path logdir;     ///< results of this test; debugdir and resultsdir are the same
    std::filesystem::path outputdir;  ///< logdir/data
    std::filesystem::path workdir;
    VmContext vm;                         ///< what VMs need
    bool parallel = false;                ///< other tests of this job may run beside it
    std::shared_ptr<JobTests> job_tests;  ///< what else this job has started; may be empty
    bool no_cleanup = false;  ///< vt.debug.no_cleanup: machines and images stay as the test leaves them
    bool allow_outside =
        false;  ///< vt.common.allow_outside: images outside of the data directory may be changed
    bool omit_data_loss = false;  ///< vt.omit_data_loss: a closed descriptor fails no test that is cleaned up

    std::filesystem::path host_root = "/";  ///< where the kernel's files lie; unit tests have their own

    std::function<void()> waits_are_over;               ///< the test's time begins to count; may be empty
    std::function<void(std::string_view)> whiteboard;   ///< adds a line; may be empty
    std::vector<std::function<void()>> exit_functions;  ///< run after the test, last added first
    BackgroundErrors background;
};

}  // namespace vt

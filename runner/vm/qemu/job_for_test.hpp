// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// For tests only: a job with a guardian of its own, so that real QEMUs can be started without the installed
/// program.
#pragma once

#include "runner/process/guardian.hpp"
#include "runner/support/file.hpp"
#include "runner/support/log.hpp"
#include "runner/support/runtime_dirs.hpp"
#include "runner/vm/vm.hpp"

#include <csignal>
#include <cstring>

#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

namespace vt {

/// A job in a temporary directory; its guardian is forked, not executed, so construct it before any thread
/// exists.
class JobForTest {
  public:
    JobForTest() : dir_("vt-job-"), dirs_(RuntimeDirs::make(dir_.path() / "run")) {
        log::set_sink([](auto, auto, auto) {});
        const auto job_dir = dirs_.job("job");
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::strncpy(address.sun_path, (job_dir / "guardian").c_str(), sizeof address.sun_path - 1);
        UniqueFd listener(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
        if (::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
            ::listen(listener.get(), 8) != 0) {
            throw SystemError("listen at " + (job_dir / "guardian").native(), errno);
        }
        const auto owner = ProcessId::of(::getpid());
        guardian_ = ::fork();
        if (guardian_ == 0) {
            ::_exit(process::serve_guardian(listener.release(), job_dir, owner));
        }
        context_.guardian = process::Guardian::connect(job_dir, owner, "/no/such/runner");
        context_.loop = std::make_shared<IoLoop>();
        context_.dirs = dirs_;
        context_.job_dir = job_dir;
        context_.data_dir = dir_.path();
        context_.log_dir = dir_.path() / "log";
        context_.holder = "unit test";
        std::filesystem::create_directories(context_.log_dir);
    }
    ~JobForTest() {
        context_ = {};
        ::kill(guardian_, SIGKILL);
        ::waitpid(guardian_, nullptr, 0);
        log::set_sink({});
    }
    JobForTest(const JobForTest&) = delete;
    JobForTest& operator=(const JobForTest&) = delete;

    const VmContext& context() const { return context_; }
    const std::filesystem::path& dir() const { return dir_.path(); }

  private:
    TempDirectory dir_;
    RuntimeDirs dirs_;
    VmContext context_;
    pid_t guardian_ = 0;
};

}  // namespace vt

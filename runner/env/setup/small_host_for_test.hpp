// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// For tests only: a test's run on a host that is a directory, so that setups find a /sys and a /proc that
/// they may change, and no machine of the host's own is waited for.
#pragma once

#include "runner/env/lifecycle.hpp"
#include "runner/support/file.hpp"
#include "runner/vm/qemu/job_for_test.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace vt {

/// A test on a host that is a directory.
struct SmallHost {
    explicit SmallHost(const Params& params) {
        context.params = params;
        context.params.set("vms", "");
        context.params.set("images", "");
        context.name = "test";
        context.bindir = context.datadir = job.dir();
        context.logdir = job.context().log_dir;
        context.vm = job.context();
        context.host_root = job.dir() / "host";
        put("dev/kmsg", "");
        ::setenv("AVOCADO_VT_HOST_DIR", job.dir().c_str(), 1);
    }
    ~SmallHost() { ::unsetenv("AVOCADO_VT_HOST_DIR"); }

    void put(const std::string& file, const std::string& text) const {
        std::filesystem::create_directories((context.host_root / file).parent_path());
        write_file_atomically(context.host_root / file, text);
    }
    void say(const std::string& record) const {
        std::ofstream(context.host_root / "dev/kmsg", std::ios::app) << record;
    }
    std::string get(const std::string& file) const { return read_file(context.host_root / file); }

    TestVerdict run(const TestFunction& body = [](TestContext&, Env&) {}) {
        Env env(job.dir() / "env.json", job.context());
        return run_test(context, env, body);
    }

    JobForTest job;
    TestContext context;
};

}  // namespace vt

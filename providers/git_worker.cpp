// SPDX-License-Identifier: GPL-2.0-or-later
#include "providers/git_worker.hpp"

#include "providers/git_job.hpp"
#include "providers/git_module/module.hpp"
#include "providers/git_uri.hpp"
#include "providers/signature.hpp"
#include "runner/support/file.hpp"
#include "runner/support/install_dirs.hpp"

#include <array>
#include <chrono>
#include <string>

#include <dlfcn.h>
#include <fmt/core.h>
#include <unistd.h>

namespace vt::providers {

namespace {

constexpr std::chrono::milliseconds progress_interval{200};
constexpr std::size_t max_job_bytes = std::size_t{1} << 20;

void say(const std::string& line) {
    write_all(STDOUT_FILENO, line + "\n");
}

std::string read_job() {
    std::string text;
    std::array<char, 4096> buffer{};
    for (;;) {
        const auto count = ::read(STDIN_FILENO, buffer.data(), buffer.size());
        if (count <= 0 || text.size() > max_job_bytes) {
            return text;
        }
        text.append(buffer.data(), static_cast<std::size_t>(count));
    }
}

const module::GitModule& git_module() {
    const auto path = InstallDirs::find().libraries() / "libvtgit.so";
    void* handle = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    const void* table = handle != nullptr ? ::dlsym(handle, "vt_git_module") : nullptr;
    if (table == nullptr) {
        const char* words = ::dlerror();
        throw GitError(fmt::format("fetching from git needs {}, which cannot be loaded: {}", path.string(),
                                   words != nullptr ? words : "it has no entry"));
    }
    return *static_cast<const module::GitModule*>(table);
}

/// Lets a phase's first word through, then one in a while.
class Throttle {
  public:
    void pass(const GitProgress& progress) {
        auto now = std::chrono::steady_clock::now();
        if (progress.phase == phase_ && now - last_ < progress_interval) {
            return;
        }
        phase_ = progress.phase;
        last_ = now;
        say(to_json(progress));
    }

  private:
    std::string phase_;
    std::chrono::steady_clock::time_point last_;
};

}  // namespace

int run_git_worker() {
    GitJob job;
    try {
        job = job_from_json(read_job());
        Throttle throttle;
        GitHooks hooks;
        hooks.progress = [&](const GitProgress& progress) { throttle.pass(progress); };
        hooks.verify = [&](const SignedObject& object) {
            return verify_signature(object, job.pubkey, job.scratch);
        };
        hooks.save_note = [&](const GitNote& note) { write_note(job.directory, note); };
        GitResult result = git_module().run(job, read_note(job.directory), hooks);
        result.fetch_problem = without_secrets(result.fetch_problem, job.uri);
        say(to_json(result));
        return 0;
    } catch (const GitRefusedError& error) {
        say(error_to_json(without_secrets(error.what(), job.uri), true));
    } catch (const std::exception& error) {
        say(error_to_json(without_secrets(error.what(), job.uri), false));
    }
    return 1;
}

}  // namespace vt::providers

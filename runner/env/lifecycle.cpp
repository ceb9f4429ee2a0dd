// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/env/lifecycle.hpp"

#include "runner/env/setup.hpp"
#include "runner/support/file.hpp"
#include "runner/support/log.hpp"
#include "runner/support/strings.hpp"

#include <algorithm>

#include <fmt/core.h>

namespace vt {

namespace fs = std::filesystem;

namespace {

/// Parameters that carry passwords must not reach a log.
bool is_secret(std::string_view key) {
    return key.find("password") != std::string_view::npos || key.find("passwd") != std::string_view::npos ||
           key.find("_pwd") != std::string_view::npos || key.find("secret") != std::string_view::npos ||
           key.find("cdkey") != std::string_view::npos || key.find("ceph_key") != std::string_view::npos;
}

void log_params(const Params& params) {
    auto items = params.items();
    std::sort(items.begin(), items.end());
    std::string text = "Test parameters:";
    for (const auto& [key, value] : items) {
        text += fmt::format("\n    {} = {}", key, is_secret(key) && !value.empty() ? "(not shown)" : value);
    }
    log::debug("{}", text);
}

/// After a failure X_on_error stands in for X.
void apply_on_error(Params& params) {
    static constexpr std::string_view suffix = "_on_error";
    std::vector<std::pair<std::string, std::string>> changes;
    params.for_each([&](std::string_view key, std::string_view value) {
        if (key.size() > suffix.size() && key.ends_with(suffix)) {
            changes.emplace_back(key.substr(0, key.size() - suffix.size()), value);
        }
    });
    for (const auto& [key, value] : changes) {
        params.set(key, value);
    }
}

/// What a person needs to see why a test failed: the screen, and logs that lie elsewhere.
void keep_evidence(const TestContext& test, Env& env) {
    for (const auto& vm : env.get_all_vms()) {
        std::error_code error;
        if (const auto log = vm->process_log(); !log.empty() && log.parent_path() != test.logdir) {
            fs::copy_file(log, test.logdir / log.filename(), fs::copy_options::overwrite_existing, error);
        }
        if (vm->is_dead()) {
            continue;
        }
        const auto picture = test.logdir / fmt::format("screendump-{}.png", vm->name());
        try {
            vm->screendump(picture);
            log::info("The screen of {} is kept in {}", vm->name(), picture.native());
        } catch (const std::exception& failed) {
            log::debug("No picture of the screen of {}: {}", vm->name(), failed.what());
        }
    }
}

/// Runs one test; a passing verdict turns into what goes wrong first.
class Run {
  public:
    Run(TestContext& test, Env& env) : test_(test), env_(env) {}

    TestVerdict operator()(const TestFunction& body) {
        log_params(test_.params);
        const auto setups = make_setups({test_, env_, verdict_, images_});
        std::size_t begun = 0;
        attempt([&] {
            for (const auto& setup : setups) {
                ++begun;
                setup->set_up();
            }
            env_.save();
            started_ = true;
        });
        if (started_) {
            attempt([&] { body(test_, env_); });
            after_test();
        }
        if (!verdict_.passed()) {
            explain();
            attempt_quietly("keeping evidence", [&] { keep_evidence(test_, env_); });
            apply_on_error(test_.params);
        }
        test_.params.set("test_passed", verdict_.passed() ? "True" : "False");
        while (begun > 0) {
            clean_up(*setups[--begun]);
        }
        attempt_quietly("leaving the VMs", [&] { leave_vms(); });
        abort_on_error();
        return verdict_;
    }

  private:
    /// What \p step throws becomes the verdict, if there is none yet; else it is logged.
    template <typename Step>
    void attempt(Step&& step) {
        try {
            step();
        } catch (...) {
            book(classify(std::current_exception()));
        }
    }

    template <typename Step>
    static void attempt_quietly(std::string_view what, Step&& step) {
        try {
            step();
        } catch (const std::exception& error) {
            log::warning("{}: {}", what, error.what());
        }
    }

    void book(TestVerdict found) {
        if (verdict_.passed()) {
            verdict_ = std::move(found);
        } else {
            log::error("{}: {}", found.fail_class, found.reason);
        }
    }

    /// Whoever sets vt.omit_data_loss would rather lose output than have a test fail by it.
    void book_after_test(TestVerdict found) {
        if (test_.omit_data_loss && found.reason.find("Bad file descriptor") != std::string::npos) {
            log::warning("{} (no failure, since vt.omit_data_loss is set)", found.reason);
            return;
        }
        book(std::move(found));
    }

    void after_test() {
        watch_exit_statuses();
        for (auto& error : test_.background.take()) {
            error.status = TestStatus::error;
            book(std::move(error));
        }
        for (auto function = test_.exit_functions.rbegin(); function != test_.exit_functions.rend();
             ++function) {
            try {
                (*function)();
            } catch (...) {
                auto found = classify(std::current_exception());
                found.status = TestStatus::warn;
                book_after_test(std::move(found));
            }
        }
        test_.exit_functions.clear();
        attempt_quietly("saving the environment", [&] { env_.save(); });
    }

    /// `vm_monitor_exit_status`: a QEMU that ended unwanted is an error, even if the test took no notice.
    void watch_exit_statuses() {
        for (const auto& vm : env_.get_all_vms()) {
            if (test_.params.object_params(vm->name()).get("vm_monitor_exit_status") != "yes") {
                continue;
            }
            if (auto fate = vm->fate(); fate && vm->is_dead()) {
                test_.background.add({TestStatus::error, *fate, "VMUnexpectedExitError", ""});
            }
        }
    }

    /// A session that broke is only the symptom when the machine under it died: the reason then says so.
    void explain() {
        for (const auto& vm : env_.get_all_vms()) {
            attempt_quietly("asking for a VM's fate", [&] {
                const auto fate = vm->fate();
                if (fate && verdict_.reason.find(*fate) == std::string::npos) {
                    verdict_.reason += fmt::format("{}({})", verdict_.reason.empty() ? "" : " ", *fate);
                }
            });
        }
        log::error("{}: {}", verdict_.fail_class, verdict_.reason);
        if (!verdict_.traceback.empty()) {
            log::error("{}", verdict_.traceback);
        }
    }

    void clean_up(Setup& setup) {
        try {
            setup.clean_up();
        } catch (...) {
            auto found = classify(std::current_exception());
            found.status = TestStatus::error;
            found.reason = fmt::format("cleaning up {}: {}", setup.name(), found.reason);
            if (verdict_.passed()) {
                log::error("{}", found.reason);
            }
            book_after_test(std::move(found));
        }
    }

    /// Last of all, since until now somebody may have asked whether they run: what still does is the job's.
    void leave_vms() {
        env_.save();
        for (const auto& vm : env_.get_all_vms()) {
            if (!vm->is_dead()) {
                vm->keep();
            }
        }
    }

    /// `abort_on_error`: the error is JobError, and a person is told how to get at what still runs. A runner
    /// cannot end Avocado's job, so that goes on.
    void abort_on_error() {
        if (verdict_.passed() || test_.params.get("abort_on_error") != "yes") {
            return;
        }
        for (const auto& vm : env_.get_all_vms()) {
            if (!vm->is_dead()) {
                log::info("VM {} is alive, pid {}, in {}; it was started by: {}", vm->name(), vm->get_pid(),
                          vm->instance_dir().native(), vm->command_line());
            }
        }
        verdict_.status = TestStatus::error;
        verdict_.reason = fmt::format("abort requested ({})", verdict_.reason);
        verdict_.fail_class = "JobError";
    }

    TestContext& test_;
    Env& env_;
    TestVerdict verdict_;
    std::vector<ImageWork> images_;
    bool started_ = false;
};

}  // namespace

TestVerdict run_test(TestContext& context, Env& env, const TestFunction& test) {
    return Run(context, env)(test);
}

void abandon_test(Env& env) {
    for (const auto& vm : env.get_all_vms()) {
        try {
            vm->kill();
        } catch (const std::exception& error) {
            log::warning("VM {}: {}", vm->name(), error.what());
        }
    }
}

void BackgroundErrors::add(TestVerdict verdict) {
    const std::lock_guard guard(mutex_);
    errors_.push_back(std::move(verdict));
}

std::vector<TestVerdict> BackgroundErrors::take() {
    const std::lock_guard guard(mutex_);
    return std::exchange(errors_, {});
}

}  // namespace vt

// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/task/test_body.hpp"

#include "providers/test_file.hpp"
#include "resolver/data_dir.hpp"
#include "resolver/resolver.hpp"
#include "resolver/runnable_kwargs.hpp"
#include "runner/env/lifecycle.hpp"
#include "runner/guest/guest_access.hpp"
#include "runner/native/loader.hpp"
#include "runner/python/python_loader.hpp"
#include "runner/support/file.hpp"
#include "runner/support/home.hpp"
#include "runner/support/install_dirs.hpp"
#include "runner/support/log.hpp"
#include "runner/support/strings.hpp"
#include "runner/task/verdict.hpp"

#include <array>

#include <fmt/core.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

namespace vt {
namespace {

namespace fs = std::filesystem;
using nrunner::BodyContext;
using nrunner::Runnable;
using nrunner::TestResult;

/// Room for "/vm-12345678/monitor-catch_monitor" and a little more in the path of a socket.
constexpr std::size_t longest_job_dir = 70;
constexpr Seconds console_patience{10};  ///< for QEMU to serve a console again after a pause

/// A test's parameters and where its data directory is.
struct Resolved {
    Params params;
    fs::path data_dir;
};

/// The setting as text, empty if it is not set.
std::string text_setting(const Runnable& runnable, std::string_view name) {
    const auto value = runnable.setting(name);
    return value.is_string() ? value.get<std::string>() : std::string();
}

/// The data directory that the settings mean, for a runnable that does not say it.
fs::path configured_data_dir(const Runnable& runnable) {
    if (auto named = text_setting(runnable, "vt.common.data_dir"); !named.empty()) {
        return fs::absolute(named);
    }
    if (auto avocados = text_setting(runnable, "datadir.paths.data_dir"); !avocados.empty()) {
        return fs::absolute(expand_home(avocados)) / "avocado-vt";
    }
    return resolver::default_data_dir();
}

/// The parameters of a fat runnable: its keyword arguments.
Params fat_params(const Runnable& runnable) {
    std::vector<std::pair<std::string, std::string>> pairs;
    for (const auto& argument : runnable.kwargs) {
        pairs.emplace_back(argument.key, argument.value);
    }
    if (pairs.empty()) {
        throw Error(
            fmt::format("the runnable {} has neither a selection nor parameters; resolve it with \"avocado "
                        "run\", or give "
                        "the test's parameters as KEY=VALUE",
                        runnable.uri.empty() ? "without a name" : runnable.uri));
    }
    return Params(pairs);
}

Resolved resolve(const Runnable& runnable, const RuntimeDirs& dirs) {
    if (const auto small = resolver::small_runnable(runnable.kwargs_json())) {
        return {resolver::expand(small->selection, runnable.uri, small->full_name, user_cache_dir(dirs)),
                small->selection.data_dir};
    }
    return {fat_params(runnable), configured_data_dir(runnable)};
}

/// The identity under which things of this task's job are kept: Avocado's, or one of its own.
std::string job_identity(const nrunner::Task& task) {
    return task.job_id.empty() ? fmt::format("p{}", ::getpid()) : task.job_id;
}

/// Answers for the job's directory as long as this process may write there: a body that is killed before the
/// guardian knows of the directory, or that makes something in it while the guardian removes it, must not
/// leave it behind.
JournalEntry answer_for_job_dir(const BodyContext& body, const RuntimeDirs& dirs) {
    return Journal::open(dirs.journal())
        ->add({Resource::Kind::directory,
               dirs.job_path(job_identity(body.task())),
               {},
               false,
               body.job_owner()});
}

bool flag(const Runnable& runnable, std::string_view name) {
    const auto value = runnable.setting(name);
    return value.is_boolean() && value.get<bool>();
}

bool no_cleanup(const Runnable& runnable) {
    return flag(runnable, "vt.debug.no_cleanup");
}

bool directory_there(const fs::path& path) {
    std::error_code ignored;
    return fs::is_directory(path, ignored);
}

/// Whether machines that this task keeps stay after the job.
bool outlives_job(const Runnable& runnable) {
    return no_cleanup(runnable) || directory_there(text_setting(runnable, "vt.common.tmp_dir"));
}

/// Where env file, sockets and machines of this task lie: the job's directory, or a place of the user's below
/// `vt.common.tmp_dir`, which outlives jobs. \p vm gets both facts.
void place_job(const nrunner::Task& task, VmContext& vm) {
    vm.outlives_job = outlives_job(task.runnable);
    const fs::path wanted = text_setting(task.runnable, "vt.common.tmp_dir");
    if (directory_there(wanted)) {
        vm.job_dir = fs::absolute(wanted) / fmt::format("avocado-vt-{}", ::geteuid());
        if (vm.job_dir.native().size() > longest_job_dir) {
            throw Error(fmt::format(
                "vt.common.tmp_dir {} is too long for the sockets below it, whose paths may "
                "have 107 bytes; name a directory with a path of at most {} bytes",
                wanted.native(), longest_job_dir - vm.job_dir.native().size() + wanted.native().size()));
        }
        make_private_directory(vm.job_dir);
        return;
    }
    if (!wanted.empty()) {
        log::warning("vt.common.tmp_dir {} is no directory: environment and machines end with the job",
                     wanted.native());
    }
    vm.job_dir = vm.dirs.job(job_identity(task));
}

VmContext make_vm_context(BodyContext& body, const RuntimeDirs& dirs, const fs::path& data_dir) {
    const auto& task = body.task();
    VmContext vm;
    vm.dirs = dirs;
    place_job(task, vm);
    vm.data_dir = data_dir;
    vm.log_dir = body.output_dir();
    vm.holder = fmt::format("{} (pid {})", task.id.empty() ? task.runnable.uri : task.id, ::getpid());
    vm.loop = std::make_shared<IoLoop>();
    vm.access = std::make_shared<GuestAccess>();
    body.on_pause([access = vm.access] { return access->open_up(); },
                  [access = vm.access] { access->close_up(Deadline::after(console_patience)); });
    body.channel().spare_guardian(vm.job_dir.native());
    vm.guardian = process::Guardian::connect(vm.job_dir, vm.outlives_job ? ProcessId{} : body.job_owner(),
                                             InstallDirs::find().runner(), dirs.journal());
    return vm;
}

/// A test's own temporary directory: it goes with the test, however that ends, unless it is to be left.
class WorkDirectory {
  public:
    explicit WorkDirectory(const VmContext& vm)
        : journal_(Journal::open(vm.dirs.journal())),
          directory_(std::make_unique<TempDirectory>("avocado-vt-test-", vm.job_dir)) {
        entry_ = journal_->add({Resource::Kind::directory, directory_->path().native(), {}, false});
    }

    const fs::path& path() const { return directory_->path(); }
    /// Leaves it, and the directory around it, to a person.
    void leave(const VmContext& vm) {
        journal_->add({Resource::Kind::directory, vm.job_dir.native(), {}, false}).keep();
        log::info(
            "Temporary files are left in {}; \"avocado-runner-vt reap --all\" removes them "
            "(vt.debug.no_cleanup)",
            path().native());
        entry_.keep();
        static_cast<void>(directory_.release());
    }

  private:
    std::shared_ptr<Journal> journal_;
    JournalEntry entry_;
    std::unique_ptr<TempDirectory> directory_;  ///< goes before its entry does
};

/// All files that the parameter `type` names, loaded, as one function that runs them in order.
TestFunction load_tests(const std::vector<providers::TestFile>& files) {
    std::vector<TestFunction> functions;
    for (const auto& file : files) {
        log::debug("test {}: {}", file.type, file.path.native());
        functions.push_back(file.kind == providers::TestFile::Kind::native
                                ? native::load_test(file.path)
                                : python::load_test({file.path, file.sys_path}));
    }
    return [functions = std::move(functions)](TestContext& context, Env& env) {
        for (const auto& function : functions) {
            function(context, env);
        }
    };
}

/// As with Avocado-VT, a test that cannot be loaded is not begun, so that nothing is done around it either.
TestFunction load_or_explain(const std::vector<providers::TestFile>& files, const Params& params) {
    try {
        return load_tests(files);
    } catch (...) {
        std::vector<std::string> commands;
        for (const char* key : {"pre_command", "post_command"}) {
            if (!params.get(key).empty()) {
                commands.emplace_back(key);
            }
        }
        if (!commands.empty()) {
            log::warning("The test could not be loaded, so {} {} not run", join(commands, " and "),
                         commands.size() == 1 ? "is" : "are");
        }
        throw;
    }
}

void fill_context(TestContext& context, BodyContext& body, const std::vector<providers::TestFile>& files,
                  const fs::path& workdir) {
    const auto& task = body.task();
    context.name = task.runnable.uri.empty() ? context.params.get("shortname") : task.runnable.uri;
    context.id = task.id.empty() ? context.name : task.id;
    context.job_id = task.job_id;
    context.bindir = files.front().path.parent_path();
    context.virtdir = context.bindir / "shared";
    context.datadir = context.vm.data_dir;
    context.logdir = body.output_dir();
    context.outputdir = context.logdir / "data";
    context.workdir = workdir;
    const auto tasks = task.runnable.setting("run.max_parallel_tasks");
    context.omit_data_loss = flag(task.runnable, "vt.omit_data_loss");
    context.allow_outside = flag(task.runnable, "vt.common.allow_outside");
    context.parallel = tasks.is_number_integer() && tasks.get<int>() > 1;
    context.whiteboard = [&body](std::string_view text) { body.channel().whiteboard(text); };
    make_private_directory(context.outputdir);
}

/// A limit that is no number is refused before anything is waited for.
void check_limit(const Params& params) {
    params.get_double("test_timeout", 0);
}

/// The supervisor ends a test that takes longer than its parameters allow.
void announce_limit(const Params& params, nrunner::BodyChannel& channel) {
    if (!params.get("test_timeout").empty()) {
        channel.time_limit(Seconds(params.get_double("test_timeout")), "test_timeout");
    }
}

/// The test's place among those of its job, by the supervisor's process, which is the one that Avocado knows.
std::shared_ptr<JobTests> join_job(BodyContext& body, const TestContext& context) {
    const JobTest self{context.name, context.params.get("name"), context.id, ProcessId::of(::getppid())};
    // Not in context.vm.job_dir, which may be several jobs'.
    return std::make_shared<JobTests>(context.vm.dirs.job(job_identity(body.task())), self, body.job_owner());
}

TestVerdict run(BodyContext& body) {
    set_log_level(body.task().runnable);
    const auto dirs = RuntimeDirs::make();
    Journal::reap(dirs.journal());
    TestContext context;
    auto resolved = resolve(body.task().runnable, dirs);
    context.params = std::move(resolved.params);
    check_limit(context.params);
    const auto files =
        providers::find_tests(context.params, resolved.data_dir, InstallDirs::find().builtin_provider());
    const bool placed = directory_there(text_setting(body.task().runnable, "vt.common.tmp_dir"));
    auto job_dir_entry =
        no_cleanup(body.task().runnable) && !placed ? JournalEntry() : answer_for_job_dir(body, dirs);
    try {
        context.vm = make_vm_context(body, dirs, resolved.data_dir);
    } catch (...) {
        job_dir_entry.abandon();  // there may be no guardian to remove it
        throw;
    }
    WorkDirectory workdir(context.vm);
    fill_context(context, body, files, workdir.path());
    context.job_tests = join_job(body, context);
    if (placed) {
        // No guardian is there for what the job has beside its machines: it goes when Avocado is gone.
        job_dir_entry.abandon();
    }
    context.waits_are_over = [&] { announce_limit(context.params, body.channel()); };
    const auto test = load_or_explain(files, context.params);
    context.no_cleanup = no_cleanup(body.task().runnable);
    Env env(context.vm.job_dir / "env.json", context.vm, context.parallel);
    // No on_stop(): a test that is told to end ends by SIGKILL. Its machines go at once with its lease of
    // them, which the guardian sees, and the journal has the rest; taking them down here would race the
    // test's own thread.
    auto verdict = run_test(context, env, test);
    context.job_tests->ended(std::string(test_status_name(verdict.status)));
    if (context.no_cleanup) {
        workdir.leave(context.vm);
    }
    return verdict;
}

}  // namespace

TestResult run_vt_test(BodyContext& body) {
    try {
        return to_result(run(body));
    } catch (...) {
        return to_result(classify(std::current_exception()));
    }
}

}  // namespace vt

// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/bootstrap/bootstrap.hpp"

#include "runner/bootstrap/setup.hpp"
#include "runner/support/file_lock.hpp"
#include "runner/support/log.hpp"
#include "runner/support/runtime_dirs.hpp"
#include "runner/support/strings.hpp"

#include <algorithm>

#include <sys/utsname.h>
#include <unistd.h>

namespace vt::bootstrap {

namespace fs = std::filesystem;

namespace {

void headline(int step, const std::string& text) {
    log::info("");
    log::info("{} - {}", step, text);
}

void say_what_next(const Setup& setup) {
    log::info("");
    log::info("http://avocado-vt.readthedocs.org/");
    log::info("");
    const auto& problems = setup.outcome.problems;
    for (const std::string& problem : problems) {
        log::error("Not ready: {}", problem);
    }
    if (!problems.empty()) {
        log::info("If there are missing requirements, please install them and re-run vt-bootstrap");
        return;
    }
    const std::string& type = setup.options.type;
    std::string guest =
        setup.options.guest_os.empty() ? std::string() : " --vt-guest-os " + setup.options.guest_os;
    log::info("avocado list --vt-type {}{}    lists the tests", type, guest);
    log::info("avocado run --vt-type {}{} uptime    runs one", type, guest);
    log::info("avocado vt-list-guests --vt-type {}    lists the guests; your own are defined below {}", type,
              (setup.dir.path / "guest-os").string());
}

Outcome run_steps(Setup& setup) {
    log::info("{} test config helper", setup.options.type);
    make_directories(setup);
    FileLock lock =
        FileLock::take(setup.dir.path / ".bootstrap.lock", FileLock::Mode::exclusive,
                       "vt-bootstrap (pid " + std::to_string(getpid()) + ")", Deadline::after(Seconds{600}));
    remove_leftovers(setup);
    setup.notes = resolver::DataDirNotes::load(setup.dir);
    headline(1, "Updating all test providers");
    update_providers(setup);
    headline(2, "Checking the mandatory programs and headers");
    check_mandatory_programs(setup);
    headline(3, "Checking the recommended programs");
    check_recommended_programs(setup);
    headline(4, "Verifying directories");
    verify_directories(setup);
    headline(5, "Generating config set");
    make_config_set(setup);
    headline(6, "Verifying (and possibly downloading) guest image");
    provide_guest(setup);
    setup.notes.save(setup.dir);
    headline(7, "Checking for modules " + join(wanted_modules(setup), ", "));
    check_modules(setup);
    headline(8, "If you wish, you may take a look at the online docs for more info");
    say_what_next(setup);
    setup.outcome.usable = setup.outcome.problems.empty();
    return setup.outcome;
}

}  // namespace

std::string host_machine() {
    struct utsname host = {};
    uname(&host);
    return host.machine;
}

Outcome run(const Options& options) {
    const std::vector<std::string>& types = providers::known_types();
    if (std::find(types.begin(), types.end(), options.type) == types.end()) {
        throw BootstrapError("option --vt-type: '" + options.type + "' is not possible; possible are " +
                             join(types, ", "));
    }
    if (!options.cluster_config.empty()) {
        throw BootstrapError(
            "option --vt-cluster-config: tests that take several hosts at once are not supported; "
            "leave the option out to run tests on this host");
    }
    // The guest is built there and every test locks there: refused now, with its name and mode, rather than
    // as the reason why some step failed.
    static_cast<void>(RuntimeDirs::make());
    try {
        Setup setup{options, resolver::DataDir{options.data_dir}, InstallDirs::find(), {}, {}, {}};
        return run_steps(setup);
    } catch (const fs::filesystem_error& error) {
        throw BootstrapError(std::string("The data directory cannot be set up: ") + error.what());
    } catch (const SystemError& error) {
        throw BootstrapError(std::string("The data directory cannot be set up: ") + error.what());
    }
}

}  // namespace vt::bootstrap

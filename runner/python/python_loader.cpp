// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/python/python_loader.hpp"

#include "runner/python/embed/entry.hpp"
#include "runner/support/error.hpp"
#include "runner/support/file.hpp"
#include "runner/support/log.hpp"
#include "runner/support/strings.hpp"

#include <cstdlib>
#include <optional>

#include <dlfcn.h>
#include <fmt/core.h>
#include <unistd.h>

namespace vt::python {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view default_interpreter = "/usr/bin/python3";
/// Supervisor, Avocado, and a wrapper or two lie between a body and the interpreter of the environment.
constexpr int ancestor_limit = 6;

/// Directory of the shared object (or program) that holds this code.
fs::path own_directory() {
    Dl_info info{};
    static const char here = 0;
    if (::dladdr(&here, &info) == 0 || info.dli_fname == nullptr)
        throw Error("the runner cannot find where its own library lies (dladdr failed)");
    return fs::weakly_canonical(fs::path(info.dli_fname)).parent_path();
}

/// Value of `key = value` in the text of pyvenv.cfg.
std::optional<std::string> config_value(std::string_view text, std::string_view key) {
    for (const auto& line : split(text, '\n')) {
        const auto equals = line.find('=');
        if (equals != std::string::npos && trim(std::string_view(line).substr(0, equals)) == key)
            return std::string(trim(std::string_view(line).substr(equals + 1)));
    }
    return std::nullopt;
}

/// Its version ("3.11.2") as a virtual environment states it, or as its own file name tells ("3.11").
std::optional<std::string> version_of(const fs::path& executable) {
    for (const auto& dir : {executable.parent_path(), executable.parent_path().parent_path()}) {
        std::error_code missing;
        const fs::path config = dir / "pyvenv.cfg";
        if (!fs::is_regular_file(config, missing))
            continue;
        const std::string text = read_file(config, std::size_t{1} << 20);
        for (const char* key : {"version", "version_info"}) {
            if (auto version = config_value(text, key))
                return version;
        }
    }
    std::error_code broken;
    const std::string name = fs::canonical(executable, broken).filename().native();
    if (broken || !name.starts_with("python"))
        return std::nullopt;
    return name.substr(std::string_view("python").size());
}

bool has_our_version(const std::string& version) {
    constexpr std::string_view ours = VT_PYTHON_VERSION;
    return version == ours || version.starts_with(std::string(ours) + ".");
}

/// Why \p executable cannot be used, or nothing.
std::optional<std::string> objection(const fs::path& executable) {
    if (!executable.is_absolute() || ::access(executable.c_str(), X_OK) != 0)
        return "it is no executable file";
    const auto version = version_of(executable);
    if (!version)
        return "its version cannot be told";
    if (!has_our_version(*version))
        return fmt::format("it is Python {}, this runner holds Python {}", *version, VT_PYTHON_VERSION);
    return std::nullopt;
}

pid_t parent_of(pid_t pid) {
    // "pid (comm) state ppid …"; comm may hold anything, so count from its closing parenthesis.
    const std::string stat = read_file(fmt::format("/proc/{}/stat", pid), 4096);
    const auto fields = split_words(std::string_view(stat).substr(stat.rfind(')') + 1));
    return fields.size() > 1 ? static_cast<pid_t>(std::strtol(fields[1].c_str(), nullptr, 10)) : 0;
}

/// The interpreter that runs Avocado: the nearest ancestor that is a python started by its full path.
std::optional<fs::path> ancestor_python() {
    try {
        pid_t pid = ::getppid();
        for (int depth = 0; depth < ancestor_limit && pid > 1; ++depth, pid = parent_of(pid)) {
            const std::string command = read_file(fmt::format("/proc/{}/cmdline", pid), std::size_t{4} << 20);
            const fs::path program = command.substr(0, command.find('\0'));
            if (program.is_absolute() && program.filename().native().starts_with("python"))
                return program;
        }
    } catch (const Error&) {
        // An ancestor of another user, or gone: there is nothing to learn from it.
    }
    return std::nullopt;
}

const EmbeddedPython& module() {
    static const EmbeddedPython& loaded = []() -> const EmbeddedPython& {
        const fs::path path = own_directory() / "libvtpython.so";
        // RTLD_GLOBAL: extension modules (ctypes, bz2, …) take libpython's symbols from the process.
        void* handle = ::dlopen(path.c_str(), RTLD_NOW | RTLD_GLOBAL);
        const void* entry = handle != nullptr ? ::dlsym(handle, "vt_embedded_python") : nullptr;
        if (entry == nullptr) {
            const char* words = ::dlerror();
            throw Error(fmt::format("Python tests need {}, which cannot be loaded: {}", path.native(),
                                    words != nullptr ? words : "it has no entry"));
        }
        return *static_cast<const EmbeddedPython*>(entry);
    }();
    return loaded;
}

/// Chosen once a process: there is one interpreter.
const Startup& startup() {
    static const Startup chosen{choose_interpreter().executable, own_directory() / "python"};
    return chosen;
}

}  // namespace

InterpreterChoice choose_interpreter() {
    std::vector<InterpreterChoice> candidates;
    if (const char* set = std::getenv("AVOCADO_VT_PYTHON"); set != nullptr && *set != '\0')
        candidates.push_back({set, "AVOCADO_VT_PYTHON"});
    if (auto ancestor = ancestor_python())
        candidates.push_back({*ancestor, "the interpreter that runs Avocado"});
    if (const char* environment = std::getenv("VIRTUAL_ENV"); environment != nullptr && *environment != '\0')
        candidates.push_back({fs::path(environment) / "bin/python3", "VIRTUAL_ENV"});
    for (const auto& candidate : candidates) {
        const auto problem = objection(candidate.executable);
        if (!problem)
            return candidate;
        log::warning("{} ({}) is not used for Python tests: {}", candidate.executable.native(),
                     candidate.reason, *problem);
    }
    return {default_interpreter, "the system's"};
}

TestFunction load_test(const PythonTest& test) {
    log::debug("{} runs in the environment of {}", test.path.native(), startup().executable.native());
    return module().load_test(startup(), test);
}

void run_harness(const HarnessTest& test) {
    log::debug("{} runs in the environment of {}", test.path.native(), startup().executable.native());
    module().run_harness(startup(), test);
}

fs::path module_directory() {
    return own_directory() / "python";
}

int run_script(const std::vector<std::string>& argv) {
    if (argv.empty())
        throw Error("no script was named: avocado-runner-vt python SCRIPT [ARG…]");
    return module().run_script(startup(), argv);
}

}  // namespace vt::python

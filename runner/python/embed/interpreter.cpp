// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/python/embed/interpreter.hpp"

#include "runner/support/error.hpp"

#include <memory>

#include <fmt/core.h>
#include <pybind11/embed.h>

namespace vt::python {
namespace {

namespace py = pybind11;

void check(const PyStatus& status, const std::string& what) {
    if (PyStatus_Exception(status) == 0)
        return;
    throw Error(fmt::format("the embedded Python cannot start: {} ({})", what,
                            status.err_msg != nullptr ? status.err_msg : "no reason given"));
}

void preinitialize() {
    PyPreConfig config;
    PyPreConfig_InitIsolatedConfig(&config);
    config.utf8_mode = 1;
    check(Py_PreInitialize(&config), "pre-initialization");
}

void set_text(PyConfig& config, wchar_t** field, const std::string& value) {
    check(PyConfig_SetBytesString(&config, field, value.c_str()), value);
}

void configure(PyConfig& config, const Startup& startup, const std::vector<std::string>& argv, Stdio stdio) {
    config.install_signal_handlers = 0;
    config.buffered_stdio = stdio == Stdio::buffered ? 1 : 0;
    // The site-packages of the virtual environment follow from its interpreter.
    set_text(config, &config.executable, startup.executable.native());
    set_text(config, &config.program_name, startup.executable.native());
    std::vector<char*> pointers;
    pointers.reserve(argv.size());
    for (const auto& argument : argv)
        pointers.push_back(
            const_cast<char*>(argument.c_str()));  // NOLINT(cppcoreguidelines-pro-type-const-cast)
    check(PyConfig_SetBytesArgv(&config, static_cast<Py_ssize_t>(pointers.size()), pointers.data()),
          "arguments");
    config.parse_argv = 0;
}

}  // namespace

bool interpreter_runs() {
    return Py_IsInitialized() != 0;
}

void start_interpreter(const Startup& startup, const std::vector<std::string>& argv, Stdio stdio) {
    preinitialize();
    PyConfig config;
    PyConfig_InitIsolatedConfig(&config);
    const std::unique_ptr<PyConfig, void (*)(PyConfig*)> cleared_at_end(&config, &PyConfig_Clear);
    configure(config, startup, argv, stdio);
    if (!argv.empty()) {
        // A script's folder comes first on sys.path, as python3 has it; "isolated" would forbid it. The other
        // two things that it means stay as the isolated configuration has them: no environment, no user site.
        config.isolated = 0;
        config.safe_path = 0;
        set_text(config, &config.run_filename, argv.front());
    }
    check(Py_InitializeFromConfig(&config), startup.executable.native());
    // Ours come before site-packages: there is one aexpect and one virttest in this process.
    py::module_::import("sys").attr("path").attr("insert")(0, startup.module_path.native());
}

}  // namespace vt::python

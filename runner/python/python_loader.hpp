// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The door to Python: loads libvtpython.so, which holds the embedded interpreter, when a test or a script
/// needs it.
///
/// Nothing in libvtcore links libpython. The module is opened with RTLD_GLOBAL, since Python's extension
/// modules take libpython's symbols from the process. The interpreter starts at first use, in the process
/// that asks (so: after the body is forked), and lives as long as that process: tests may leave objects,
/// threads and exit functions behind.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace vt {
class Env;
struct TestContext;
}  // namespace vt

namespace vt::python {

/// A test as the lifecycle runs it.
using TestFunction = std::function<void(TestContext&, Env&)>;

/// Where a Python test and its neighbours lie.
struct PythonTest {
    std::filesystem::path path;  ///< TYPE.py
    std::vector<std::filesystem::path>
        search_path;  ///< joins sys.path in front, in this order; the test's own folder at the end
};

/// Imports \p test and returns its `run`, wrapped: what it raises comes out as the exception of the status
/// table (runner/env/test_status.hpp), its traceback in the log. Throws at once (TestError with one readable
/// sentence) if the file does not compile, raises at import, or has no callable `run`; vt::Error if there is
/// no usable interpreter.
TestFunction load_test(const PythonTest& test);

/// A test of a Python file that uses one of the harnesses.
struct HarnessTest {
    std::string kind;                  ///< of the runnable: "vt-plan", "vt-driver", "vt-packet"
    std::filesystem::path path;        ///< absolute
    std::string selection;             ///< "Class.method", "Class"; empty: all
    std::filesystem::path output_dir;  ///< where logs and pictures go
    std::string prefer;                ///< whose modules: "own", "installed"
};

/// Runs \p test. What it raises comes out as the exception of the status table, as with load_test().
void run_harness(const HarnessTest& test);

/// Runs \p argv[0] as a script with the test modules importable, as `python3 SCRIPT ARG…` would.
/// \return its exit status
int run_script(const std::vector<std::string>& argv);

/// Where the test modules lie.
std::filesystem::path module_directory();

/// The interpreter whose environment is used: $AVOCADO_VT_PYTHON, else the parent's own if that is a python,
/// else $VIRTUAL_ENV/bin/python3, else /usr/bin/python3; and why, for the log.
struct InterpreterChoice {
    std::filesystem::path executable;
    std::string reason;
};
InterpreterChoice choose_interpreter();

}  // namespace vt::python

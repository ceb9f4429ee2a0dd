// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/env/env.hpp"
#include "runner/env/test_context.hpp"
#include "runner/env/test_status.hpp"
#include "runner/python/embed/entry.hpp"
#include "runner/python/embed/interpreter.hpp"

#include <map>
#include <memory>

#include <pybind11/embed.h>
#include <pybind11/stl.h>
#include <unistd.h>

namespace vt::python {
namespace {

namespace py = pybind11;

/// What `_vtglue` says of an exception.
TestException verdict_exception(const py::object& verdict) {
    static const std::map<std::string, TestStatus, std::less<>> statuses = {
        {"FAIL", TestStatus::fail}, {"ERROR", TestStatus::error}, {"CANCEL", TestStatus::cancel},
        {"SKIP", TestStatus::skip}, {"WARN", TestStatus::warn},   {"INTERRUPTED", TestStatus::interrupted},
    };
    const auto found = statuses.find(verdict.attr("status").cast<std::string>());
    return {found == statuses.end() ? TestStatus::error : found->second,
            verdict.attr("reason").cast<std::string>(), verdict.attr("fail_class").cast<std::string>(),
            verdict.attr("traceback").cast<std::string>()};
}

/// Calls \p call of `_vtglue`, which returns None, or the verdict of what was raised.
template <typename Call>
void call_glue(const Call& call) {
    const pid_t body = ::getpid();
    std::unique_ptr<TestException> ended;
    {
        const py::gil_scoped_acquire gil;
        try {
            const py::object verdict = call(py::module_::import("_vtglue.run"));
            if (!verdict.is_none())
                ended = std::make_unique<TestException>(verdict_exception(verdict));
        } catch (py::error_already_set& error) {
            // Only if the glue itself is broken, or the interpreter in ruins (out of memory, recursion).
            ended = std::make_unique<TestException>(TestStatus::error, std::string("Python: ") + error.what(),
                                                    "PythonError");
        }
    }
    // A test forked and let its child run on: it must not report, nor take down the VMs of its parent.
    if (::getpid() != body)
        ::_exit(ended ? 1 : 0);
    if (ended)
        throw *ended;
}

/// Starts the interpreter at first use and lets go of the GIL, so that Python's threads run whatever C++
/// does.
void need_interpreter(const Startup& startup) {
    if (interpreter_runs())
        return;
    start_interpreter(startup, {}, Stdio::unbuffered);
    PyEval_SaveThread();
}

TestFunction load_in_process(const Startup& startup, const PythonTest& test) {
    need_interpreter(startup);
    std::vector<std::string> search_path;
    for (const auto& directory : test.search_path)
        search_path.push_back(directory.native());
    call_glue([&](const py::module_& glue) { return glue.attr("load")(test.path.native(), search_path); });
    return [path = test.path.native()](TestContext& context, Env& env) {
        call_glue([&](const py::module_& glue) {
            return glue.attr("call")(path, py::cast(&context, py::return_value_policy::reference),
                                     py::cast(&env, py::return_value_policy::reference));
        });
    };
}

void run_harness_in_process(const Startup& startup, const HarnessTest& test) {
    need_interpreter(startup);
    call_glue([&](const py::module_&) {
        return py::module_::import("_vtglue.harness")
            .attr("run")(test.kind, test.path.native(), test.selection, test.output_dir.native(),
                         test.prefer);
    });
}

int run_in_process(const Startup& startup, const std::vector<std::string>& argv) {
    start_interpreter(startup, argv, Stdio::buffered);
    return Py_RunMain();
}

}  // namespace
}  // namespace vt::python

const vt::python::EmbeddedPython vt_embedded_python{
    &vt::python::load_in_process, &vt::python::run_harness_in_process, &vt::python::run_in_process};

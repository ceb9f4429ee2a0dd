// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Plans for flumotion.twisted.integration, which keeps a plan's steps as Python's tuples and has them done
/// here. Its exceptions are Python classes, made with the objects that they speak of.
#include "runner/python/module/bind_plan.hpp"

#include "runner/harness/plan/errors.hpp"
#include "runner/harness/plan/executor.hpp"
#include "runner/harness/plan/log_folder.hpp"
#include "runner/harness/plan/participant.hpp"
#include "runner/harness/plan/picture.hpp"
#include "runner/python/module/convert.hpp"
#include "runner/python/module/own_loop.hpp"
#include "runner/support/deadline.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>

#include <pybind11/stl.h>

namespace vt::python {
namespace {

using namespace vt::plan;
using Steps = std::vector<Step>;

/// A Python object that C++ may drop wherever it is.
std::shared_ptr<py::object> held(py::object object) {
    return {new py::object(std::move(object)), [](py::object* last) {
                const py::gil_scoped_acquire gil;
                delete last;
            }};
}

std::function<void()> caller_of(py::object callable) {
    return [callable = held(std::move(callable))] {
        const py::gil_scoped_acquire gil;
        (*callable)();
    };
}

/// Python's own handlers of signals: Ctrl+C ends a wait.
void check_signals() {
    const py::gil_scoped_acquire gil;
    if (PyErr_CheckSignals() != 0)
        throw py::error_already_set();
}

/// Raises SystemExit in the Python thread \p id.
struct Ask {
    unsigned long id;
    void operator()() const {
        const py::gil_scoped_acquire gil;
        PyThreadState_SetAsyncExc(id, PyExc_SystemExit);
    }
};

/// Calls \p callable in a thread of a plan. A thread that is asked to end gets a SystemExit.
void run_callable(std::shared_ptr<py::object> callable, const std::stop_token& stop) {
    std::optional<std::stop_callback<Ask>> asked;
    std::exception_ptr thrown;
    {
        const py::gil_scoped_acquire gil;
        asked.emplace(stop, Ask{PyThread_get_thread_ident()});
        try {
            (*callable)();
        } catch (py::error_already_set&) {
            thrown = std::current_exception();
        }
        callable.reset();
    }
    asked.reset();  // without the GIL, which the one who asks may be waiting for
    if (thrown)
        std::rethrow_exception(thrown);
}

Step step_of(const py::tuple& words) {
    const auto kind = words[0].cast<std::string>();
    if (kind == "check")
        return CheckExits{words[1].cast<std::vector<ParticipantPtr>>()};
    if (kind == "spawn")
        return Spawn{words[1].cast<ParticipantPtr>()};
    if (kind == "kill")
        return Kill{words[1].cast<ParticipantPtr>()};
    if (kind == "wait")
        return Wait{words[1].cast<ParticipantPtr>(), words[2].cast<ExitCode>()};
    return Call{words[1].cast<std::string>(), caller_of(words[2])};
}

Steps steps_of(const py::list& words) {
    Steps steps;
    for (const auto& step : words)
        steps.push_back(step_of(step.cast<py::tuple>()));
    return steps;
}

/// MODULE.NAME(arguments…) that prints as the C++ text, as Python's current exception.
template <typename... Arguments>
void raise(const char* name, const PlanError& error, Arguments&&... arguments) {
    const auto type = py::module_::import("flumotion.twisted.integration").attr(name);
    const py::object exception = type(std::forward<Arguments>(arguments)...);
    exception.attr("_text") = text_from(error.what());
    PyErr_SetObject(type.ptr(), exception.ptr());
}

void translate(std::exception_ptr thrown) {
    try {
        try {
            std::rethrow_exception(std::move(thrown));
        } catch (const CommandNotFound& error) {
            raise("CommandNotFoundException", error, text_from(error.command()));
        } catch (const UnexpectedExitCode& error) {
            raise("UnexpectedExitCodeException", error, error.who(), error.expected(), error.actual());
        } catch (const UnexpectedExit& error) {
            raise("UnexpectedExitException", error, error.who());
        } catch (const ProcessesStillRunning& error) {
            raise("ProcessesStillRunningException", error, error.those());
        } catch (const PlanTimeout& error) {
            raise("TimeoutException", error, error.who(), error.expected());
        }
    } catch (py::error_already_set& broken) {
        broken.restore();
    }
}

void bind_participants(py::module_& module) {
    py::class_<Participant, std::shared_ptr<Participant>>(module, "PlanParticipant")
        .def_property_readonly("name", &Participant::name)
        .def_property_readonly("state",
                               [](const Participant& self) { return text_from(state_name(self.state())); })
        .def_property_readonly("exit_code", &Participant::exit_code)
        .def_property_readonly("ended_fd", &Participant::ended_fd)
        .def("_text", [](const Participant& self) { return text_from(self.text()); })
        .def("_start", &Participant::start, py::call_guard<py::gil_scoped_release>())
        .def("_kill", &Participant::kill, py::call_guard<py::gil_scoped_release>())
        .def("_end", &Participant::end, py::call_guard<py::gil_scoped_release>())
        .def("_wait", [](const ParticipantPtr& self, ExitCode expected, double timeout) {
            without_gil(
                [&] { await_end(self, expected, Deadline::after(Seconds{timeout}), &check_signals); });
        });
    py::class_<plan::Process, Participant, std::shared_ptr<plan::Process>>(module, "PlanProcess")
        .def(py::init(
            [](const std::string& name, const std::vector<std::string>& argv, const std::string& log_dir) {
                // That loop is never stopped, so nobody has to own it.
                const std::shared_ptr<IoLoop> loop(&own_loop(), [](IoLoop*) {});
                return for_python(std::make_shared<plan::Process>(loop, name, argv, log_dir));
            }))
        .def_property_readonly("argv",
                               [](const plan::Process& self) {
                                   py::tuple words(self.argv().size());
                                   for (std::size_t index = 0; index < self.argv().size(); ++index)
                                       words[index] = text_from(self.argv()[index]);
                                   return words;
                               })
        .def_property_readonly("pid", &plan::Process::pid)
        .def_property_readonly("_signal", [](const plan::Process& self) {
            const auto status = self.status();
            return status ? std::optional(status->signal) : std::nullopt;
        });
    py::class_<plan::Thread, Participant, std::shared_ptr<plan::Thread>>(module, "PlanThread")
        .def(py::init([](const std::string& name, py::object callable) {
            return for_python(std::make_shared<plan::Thread>(
                name, [callable = held(std::move(callable))](const std::stop_token& stop) mutable {
                    run_callable(std::move(callable), stop);
                }));
        }));
}

void bind_executor(py::module_& module) {
    py::class_<Executor, std::shared_ptr<Executor>>(module, "PlanExecutor")
        .def(py::init([] {
            auto executor = std::make_shared<Executor>();
            executor->on_signal(&check_signals);
            return for_python(std::move(executor));
        }))
        .def("check_exits", &Executor::check_exits)
        .def("spawn", &Executor::spawn, py::call_guard<py::gil_scoped_release>())
        .def("kill", [](Executor& self, const ParticipantPtr& who) { without_gil([&] { self.kill(who); }); })
        .def("wait",
             [](Executor& self, const ParticipantPtr& who, ExitCode expected, double timeout) {
                 without_gil([&] { self.wait(who, expected, Deadline::after(Seconds{timeout})); });
             })
        .def("run",
             [](Executor& self, const py::list& words, double timeout) {
                 const auto steps = steps_of(words);
                 without_gil([&] { self.run(steps, {Seconds{timeout}}); });
             })
        .def("end_all", &Executor::end_all, py::call_guard<py::gil_scoped_release>())
        .def_property_readonly("running", &Executor::running)
        .def("table", [](const Executor& self, const py::list& words) {
            return text_from(table(steps_of(words), self.times()));
        });
}

}  // namespace

void bind_plan(py::module_& module) {
    py::register_exception_translator(&translate);
    bind_participants(module);
    bind_executor(module);
    py::class_<Names>(module, "PlanNames").def(py::init<>()).def("next", &Names::next);
    py::class_<LogFolder>(module, "PlanLogs")
        .def(py::init<const std::string&, const std::string&, const std::string&>())
        .def_property_readonly("test_dir",
                               [](const LogFolder& self) { return text_from(self.test_dir().native()); })
        .def_property_readonly("output_dir",
                               [](const LogFolder& self) { return text_from(self.output_dir().native()); })
        .def("remove", &LogFolder::remove);
    module.def("plan_timeline", [](const std::string& title, const py::list& words) {
        return text_from(timeline(title, participants(steps_of(words))));
    });
}

}  // namespace vt::python

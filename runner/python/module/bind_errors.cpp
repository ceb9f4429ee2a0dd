// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// C++ exceptions become the Python classes that tests catch, with the fields that tests look into. The
/// classes are written in Python (aexpect.exceptions, virttest.virt_vm, …) and imported when the first one is
/// raised.
#include "cfg/errors.hpp"
#include "cfg/params.hpp"
#include "runner/env/test_status.hpp"
#include "runner/monitor/monitor_error.hpp"
#include "runner/python/module/bind.hpp"
#include "runner/python/module/convert.hpp"
#include "runner/session/shell_error.hpp"
#include "runner/vm/errors.hpp"

#include <nlohmann/json.hpp>
#include <pybind11/stl.h>

namespace vt::python {
namespace {

/// Sets \p exception as Python's current one.
void raise(const py::object& exception) {
    PyErr_SetObject(py::type::of(exception).ptr(), exception.ptr());
}

/// Sets MODULE.CLASS(arguments…) as Python's current exception.
template <typename... Arguments>
void raise(const char* module, const std::string& name, Arguments&&... arguments) {
    raise(py::module_::import(module).attr(name.c_str())(std::forward<Arguments>(arguments)...));
}

/// Sets an instance of MODULE.CLASS, or of its nearest known ancestor, that prints as the C++ text: for
/// classes whose constructors upstream gave arguments that C++ has put into the text already.
void raise_as_text(const char* module, const std::string& name, const char* ancestor,
                   const std::string& text) {
    const py::module_ loaded = py::module_::import(module);
    const py::object type = loaded.attr(py::hasattr(loaded, name.c_str()) ? name.c_str() : ancestor);
    raise(type.attr("_of_core")(text_from(text)));
}

constexpr const char* aexpect_exceptions = "aexpect.exceptions";
constexpr const char* aexpect_remote = "aexpect.remote";
constexpr const char* qemu_monitor = "virttest.qemu_monitor";
constexpr const char* virt_vm = "virttest.virt_vm";

/// One translator for each family; what it does not know goes on to the next.
void translate_shell(std::exception_ptr thrown) {
    try {
        std::rethrow_exception(std::move(thrown));
    } catch (const ExpectProcessTerminatedError& error) {
        raise(aexpect_exceptions, "ExpectProcessTerminatedError", error.patterns(), error.status(),
              output_from(error.output()));
    } catch (const ExpectTimeoutError& error) {
        raise(aexpect_exceptions, "ExpectTimeoutError", error.patterns(), output_from(error.output()));
    } catch (const ExpectError& error) {
        raise(aexpect_exceptions, "ExpectError", error.patterns(), output_from(error.output()));
    } catch (const ShellCmdError& error) {
        raise(aexpect_exceptions, "ShellCmdError", text_from(error.cmd()), error.status(),
              output_from(error.output()));
    } catch (const ShellProcessTerminatedError& error) {
        raise(aexpect_exceptions, "ShellProcessTerminatedError", text_from(error.cmd()), error.status(),
              output_from(error.output()));
    } catch (const ShellError& error) {
        raise(aexpect_exceptions, exception_class(error), text_from(error.cmd()),
              output_from(error.output()));
    }
}

void translate_remote(std::exception_ptr thrown) {
    try {
        std::rethrow_exception(std::move(thrown));
    } catch (const LoginTimeoutError& error) {
        raise(aexpect_remote, "LoginTimeoutError", output_from(error.output()));
    } catch (const LoginProcessTerminatedError& error) {
        raise(aexpect_remote, "LoginProcessTerminatedError", error.status(), output_from(error.output()));
    } catch (const LoginBadClientError& error) {
        raise(aexpect_remote, "LoginBadClientError", text_from(error.client()));
    } catch (const LoginError& error) {
        const std::string name = dynamic_cast<const LoginAuthenticationError*>(&error) != nullptr
                                     ? "LoginAuthenticationError"
                                     : "LoginError";
        raise(aexpect_remote, name, text_from(error.msg()), output_from(error.output()));
    } catch (const AuthenticationTimeoutError& error) {
        raise(aexpect_remote, "AuthenticationTimeoutError", output_from(error.output()));
    } catch (const TransferTimeoutError& error) {
        raise(aexpect_remote, "TransferTimeoutError", output_from(error.output()));
    } catch (const TransferFailedError& error) {
        raise(aexpect_remote, "TransferFailedError", error.status(), output_from(error.output()));
    } catch (const TransferError& error) {
        raise(aexpect_remote, exception_class(error), text_from(error.what()), output_from(error.output()));
    } catch (const RemoteError& error) {
        raise(aexpect_remote, "RemoteError", text_from(error.what()));
    }
}

void translate_monitor(std::exception_ptr thrown) {
    try {
        std::rethrow_exception(std::move(thrown));
    } catch (const QMPCmdError& error) {
        raise(qemu_monitor, "QMPCmdError", text_from(error.cmd()), python_from(error.qmp_args()),
              python_from(error.data()));
    } catch (const HumanCmdError& error) {
        raise(qemu_monitor, "HumanCmdError", text_from(error.cmd()), text_from(error.out()));
    } catch (const MonitorError& error) {
        raise_as_text(qemu_monitor, exception_class(error), "MonitorError", error.what());
    }
}

void translate_rest(std::exception_ptr thrown) {
    try {
        std::rethrow_exception(std::move(thrown));
    } catch (const VMError& error) {
        raise_as_text(virt_vm, exception_class(error), "VMError", error.what());
    } catch (const MissingParam& error) {
        raise("virttest.utils_params", "ParamNotFound", text_from(error.what()));
    } catch (const BadParam& error) {
        raise(py::reinterpret_borrow<py::object>(PyExc_ValueError)(text_from(error.what())));
    } catch (const TestException& error) {
        raise("_vtglue.statuses", "of_core", text_from(error.fail_class()), text_from(error.what()));
    } catch (const SystemError& error) {
        raise(py::reinterpret_borrow<py::object>(PyExc_OSError)(error.errnum(), text_from(error.what())));
    } catch (const TimeoutError& error) {
        raise("_vt", "TimeoutError", text_from(error.what()));
    } catch (const Error& error) {
        raise("_vt", "Error", text_from(error.what()));
    }
}

void translate_cfg(std::exception_ptr thrown) {
    constexpr const char* cartesian_config = "virttest.cartesian_config";
    try {
        std::rethrow_exception(std::move(thrown));
    } catch (const cfg::MissingIncludeError& error) {
        const auto& report = error.report();
        raise(cartesian_config, "MissingIncludeError", text_from(report.line), text_from(report.where.file),
              report.where.line);
    } catch (const cfg::ParserError& error) {
        const auto& report = error.report();
        const bool lexer = dynamic_cast<const cfg::LexerError*>(&error) != nullptr;
        raise(cartesian_config, lexer ? "LexerError" : "ParserError", text_from(report.message),
              report.line.empty() ? py::object(py::none()) : py::object(text_from(report.line)),
              text_from(report.where.file), report.where.line);
    } catch (const cfg::SourceError& error) {
        raise(py::reinterpret_borrow<py::object>(PyExc_OSError)(
            error.error_number(), errno_text(error.error_number()), text_from(error.path())));
    }
}

/// A translator that may itself fail: a class that cannot be imported becomes the import's error, not a
/// crash.
template <void (*translate)(std::exception_ptr)>
void guarded(std::exception_ptr thrown) {
    try {
        translate(std::move(thrown));
    } catch (py::error_already_set& broken) {
        broken.restore();
    }
}

}  // namespace

void bind_errors(py::module_& module) {
    static const py::exception<Error> error(module, "Error", PyExc_RuntimeError);
    const auto bases = py::make_tuple(error, py::reinterpret_borrow<py::object>(PyExc_TimeoutError));
    static const py::exception<TimeoutError> timeout(module, "TimeoutError", bases.ptr());
    // The last one registered is asked first.
    py::register_exception_translator(&guarded<translate_rest>);
    py::register_exception_translator(&guarded<translate_monitor>);
    py::register_exception_translator(&guarded<translate_remote>);
    py::register_exception_translator(&guarded<translate_cfg>);
    py::register_exception_translator(&guarded<translate_shell>);
}

}  // namespace vt::python

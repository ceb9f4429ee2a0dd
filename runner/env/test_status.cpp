// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/env/test_status.hpp"

#include "cfg/params.hpp"
#include "runner/session/shell_error.hpp"
#include "runner/support/strings.hpp"

#include <cstdlib>
#include <memory>
#include <typeinfo>

#include <cxxabi.h>

namespace vt {

std::string_view test_status_name(TestStatus status) {
    switch (status) {
        case TestStatus::pass:
            return "pass";
        case TestStatus::fail:
            return "fail";
        case TestStatus::error:
            return "error";
        case TestStatus::cancel:
            return "cancel";
        case TestStatus::skip:
            return "skip";
        case TestStatus::warn:
            return "warn";
        case TestStatus::interrupted:
            return "interrupted";
    }
    return "error";
}

std::string exception_class(const std::exception& error) {
    int failed = 0;
    const std::unique_ptr<char, decltype(&std::free)> demangled(
        abi::__cxa_demangle(typeid(error).name(), nullptr, nullptr, &failed), &std::free);
    std::string name = failed == 0 && demangled ? demangled.get() : "Exception";
    // Without namespaces; of a template only what stands before its arguments.
    name = name.substr(0, name.find('<'));
    const auto colon = name.rfind("::");
    return colon == std::string::npos ? name : name.substr(colon + 2);
}

TestVerdict classify(const std::exception_ptr& thrown) {
    try {
        std::rethrow_exception(thrown);
    } catch (const TestException& said) {
        return {said.status(), std::string(trim(said.what())), said.fail_class(), said.traceback()};
    } catch (const MissingParam& missing) {
        // The name that Avocado-VT gives it.
        return {TestStatus::skip, missing.what(), "ParamNotFound", {}};
    } catch (const LoginTimeoutError& late) {
        // aexpect's text hides behind "(output: …)" what a person wants to read.
        const auto& told = late.output();
        return {TestStatus::error,
                std::string(trim(told.empty() ? late.what() : told)),
                exception_class(late),
                {}};
    } catch (const std::exception& error) {
        return {TestStatus::error, std::string(trim(error.what())), exception_class(error), {}};
    } catch (...) {
        return {TestStatus::error, "something was thrown that is no exception", "Exception", {}};
    }
}

}  // namespace vt

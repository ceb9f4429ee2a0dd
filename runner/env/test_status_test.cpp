// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/env/test_status.hpp"

#include "cfg/params.hpp"
#include "runner/session/shell_error.hpp"
#include "runner/vm/errors.hpp"

#include <doctest/doctest.h>

namespace vt {

namespace {

template <typename Thrown>
TestVerdict verdict_of(const Thrown& thrown) {
    return classify(std::make_exception_ptr(thrown));
}

}  // namespace

TEST_CASE("what a test throws becomes its status") {
    CHECK(verdict_of(TestFail("a")) == TestVerdict{TestStatus::fail, "a", "TestFail", {}});
    CHECK(verdict_of(TestError("a")).status == TestStatus::error);
    CHECK(verdict_of(TestCancel("a")).status == TestStatus::cancel);
    CHECK(verdict_of(TestSkip("a")) == TestVerdict{TestStatus::skip, "a", "TestSkipError", {}});
    CHECK(verdict_of(TestWarn("a")).status == TestStatus::warn);
    CHECK(verdict_of(TestInterrupt("a")).status == TestStatus::interrupted);
    CHECK(verdict_of(MissingParam("key")).status == TestStatus::skip);
    CHECK(verdict_of(MissingParam("key")).fail_class == "ParamNotFound");
}

TEST_CASE("what nobody expected is an error under its class's name") {
    CHECK(verdict_of(VMCreateError(" it did not start\n")) ==
          TestVerdict{TestStatus::error, "it did not start", "VMCreateError", {}});
    CHECK(verdict_of(std::runtime_error("x")).fail_class == "runtime_error");
    CHECK(verdict_of(42).status == TestStatus::error);
    const auto late = verdict_of(LoginTimeoutError("VM vm1 let nobody in"));
    CHECK(late.reason == "VM vm1 let nobody in");
    CHECK(late.fail_class == "LoginTimeoutError");
}

TEST_CASE("names of statuses are Avocado's") {
    CHECK(test_status_name(TestStatus::pass) == "pass");
    CHECK(test_status_name(TestStatus::interrupted) == "interrupted");
}

}  // namespace vt

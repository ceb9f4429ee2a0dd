// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// How a test ends, and the exceptions by which it says so.
///
/// The statuses are Avocado's. A test (or a layer below) throws; classify() turns whatever was thrown into a
/// verdict, so the mapping stands in one place. Python's exceptions arrive as TestException with the class
/// name of the original.
#pragma once

#include "runner/support/error.hpp"

#include <exception>
#include <string>
#include <string_view>

namespace vt {

/// Avocado's statuses.
enum class TestStatus { pass, fail, error, cancel, skip, warn, interrupted };

/// Lower case, as Avocado's messages carry it.
std::string_view test_status_name(TestStatus status);

/// The end of a test.
struct TestVerdict {
    TestStatus status = TestStatus::pass;
    std::string reason;      ///< one readable sentence, empty after a pass
    std::string fail_class;  ///< name of the exception ("TestFail", "VMCreateError"), empty after a pass
    std::string traceback;   ///< where there is one

    bool passed() const { return status == TestStatus::pass; }
    bool operator==(const TestVerdict&) const = default;
};

/// Thrown to end a test with a status.
class TestException : public Error {
  public:
    TestException(TestStatus status, const std::string& reason, std::string fail_class,
                  std::string traceback = {})
        : Error(reason),
          status_(status),
          fail_class_(std::move(fail_class)),
          traceback_(std::move(traceback)) {}

    TestStatus status() const noexcept { return status_; }
    const std::string& fail_class() const noexcept { return fail_class_; }
    const std::string& traceback() const noexcept { return traceback_; }

  private:
    TestStatus status_;
    std::string fail_class_;
    std::string traceback_;
};

struct TestFail : TestException {
    explicit TestFail(const std::string& reason) : TestException(TestStatus::fail, reason, "TestFail") {}
};
struct TestError : TestException {
    explicit TestError(const std::string& reason) : TestException(TestStatus::error, reason, "TestError") {}
};
struct TestCancel : TestException {
    explicit TestCancel(const std::string& reason)
        : TestException(TestStatus::cancel, reason, "TestCancel") {}
};
struct TestSkip : TestException {
    explicit TestSkip(const std::string& reason) : TestException(TestStatus::skip, reason, "TestSkipError") {}
};
struct TestWarn : TestException {
    explicit TestWarn(const std::string& reason) : TestException(TestStatus::warn, reason, "TestWarn") {}
};
struct TestInterrupt : TestException {
    explicit TestInterrupt(const std::string& reason)
        : TestException(TestStatus::interrupted, reason, "TestInterrupt") {}
};

/// The verdict of what was thrown: TestException as it says, a missing parameter skips, everything else is an
/// error.
TestVerdict classify(const std::exception_ptr& thrown);

/// The name of an exception's class for people: "VMCreateError", without namespaces.
std::string exception_class(const std::exception& error);

}  // namespace vt

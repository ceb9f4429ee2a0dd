// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/task/verdict.hpp"

#include "runner/support/log.hpp"

#include <string>

#include <nlohmann/json.hpp>

namespace vt {

/// Python's numbers of levels; names are accepted too.
void set_log_level(const nrunner::Runnable& runnable) {
    const auto level = runnable.setting("job.output.loglevel");
    const auto name = level.is_string() ? level.get<std::string>() : std::string();
    const int number = level.is_number() ? level.get<int>() : 0;
    if (name == "ERROR" || name == "CRITICAL" || number >= 40) {
        log::set_level(log::Level::error);
    } else if (name == "WARNING" || name == "WARN" || number >= 30) {
        log::set_level(log::Level::warning);
    } else if (name == "INFO" || number >= 20) {
        log::set_level(log::Level::info);
    }
}

nrunner::TestResult to_result(const TestVerdict& verdict) {
    const auto status = nrunner::status_from_name(test_status_name(verdict.status));
    return {
        status.value_or(nrunner::Status::error), verdict.reason, verdict.fail_class, verdict.traceback, {}};
}

}  // namespace vt

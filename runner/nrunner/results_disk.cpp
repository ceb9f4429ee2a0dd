// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/nrunner/results_disk.hpp"

#include "runner/support/error.hpp"
#include "runner/support/unique_fd.hpp"

#include <cerrno>
#include <cstdlib>

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

namespace vt::nrunner {
namespace {

constexpr off_t probe_bytes = 64 << 10;  // what a debug.log has at least

}  // namespace

std::optional<std::string> disk_trouble(const std::filesystem::path& output_dir) {
    auto path = (output_dir / ".probe-XXXXXX").string();
    const UniqueFd probe(::mkostemp(path.data(), O_CLOEXEC));
    if (!probe) {
        return errno_text(errno);
    }
    ::unlink(path.c_str());
    int failure = ::posix_fallocate(probe.get(), 0, probe_bytes);
    if (failure == EOPNOTSUPP || failure == EINVAL) {
        failure = 0;  // a file system that cannot say
    }
    return failure == 0 ? std::nullopt : std::optional(errno_text(failure));
}

TestResult with_disk_trouble(TestResult result, const std::filesystem::path& output_dir) {
    const auto trouble = disk_trouble(output_dir);
    if (!trouble) {
        return result;
    }
    if (result.status == Status::pass) {
        result.status = Status::warn;
        result.fail_class = "TestWarn";
    }
    result.reason += fmt::format("{}Files of the results may be missing, as none can be written in {} ({})",
                                 result.reason.empty() ? "The test itself passed. " : " - ",
                                 output_dir.native(), *trouble);
    return result;
}

}  // namespace vt::nrunner

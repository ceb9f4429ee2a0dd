// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/task/bodies.hpp"

#include "runner/task/harness_body.hpp"
#include "runner/task/iotest_body.hpp"
#include "runner/task/test_body.hpp"

namespace vt {

nrunner::TestResult run_body(nrunner::BodyContext& body) {
    const auto& kind = body.task().runnable.kind;
    if (kind == "vt-iotest") {
        return run_iotest(body);
    }
    return kind == "vt-plan" || kind == "vt-driver" || kind == "vt-packet" ? run_harness_test(body)
                                                                           : run_vt_test(body);
}

}  // namespace vt

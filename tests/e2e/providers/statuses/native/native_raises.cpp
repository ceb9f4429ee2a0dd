// SPDX-License-Identifier: GPL-2.0-or-later
// Ends in the way that the parameter `how` names.
#include "runner/native/test_api.hpp"

#include <cstdlib>
#include <stdexcept>
#include <thread>

#include <unistd.h>

VT_TEST(test, params, env) {
    const std::string how = params["how"];
    test.log("before: {}", how);
    if (how == "fails") {
        test.fail("the guest's clock stands still");
    } else if (how == "errors") {
        test.error("the lamp is broken");
    } else if (how == "cancels") {
        test.cancel("this host is too small");
    } else if (how == "skips") {
        test.skip("not on a Saturday");
    } else if (how == "warns") {
        test.warn("it works, but it smokes");
    } else if (how == "missing_parameter") {
        test.log("{}", params["length_of_the_rope"]);
    } else if (how == "throws") {
        throw std::out_of_range("the index is beyond the end");
    } else if (how == "throws_number") {
        throw 42;
    } else if (how == "terminates") {
        std::thread([] { throw std::runtime_error("in a thread"); }).join();
    } else if (how == "aborts") {
        std::abort();
    } else if (how == "segfaults") {
        *static_cast<volatile int*>(nullptr) = 1;
    } else if (how == "exits") {
        std::exit(4);
    } else if (how == "loops") {
        for (;;) {
            ::pause();
        }
    } else if (how == "no_such_vm") {
        env.get_vm("vm9").verify_alive();
    }
}

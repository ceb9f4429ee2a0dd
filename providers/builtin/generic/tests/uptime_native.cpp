// SPDX-License-Identifier: GPL-2.0-or-later
// The uptime test in C++; compare uptime.py beside it.
#include "runner/native/test_api.hpp"

VT_TEST(test, params, env) {
    auto vm = env.get_vm(params["main_vm"]);
    vm.verify_alive();
    const vt::Seconds timeout{params.get_double("login_timeout", 240)};
    auto session = vm.wait_for_login(timeout);
    const std::string uptime = session.cmd("uptime");
    test.log("Guest uptime result is: {}", uptime);
    session.close();
}

// SPDX-License-Identifier: GPL-2.0-or-later
// A disk comes and goes under a running guest, in C++.
#include "runner/native/test_api.hpp"

#include <algorithm>

VT_TEST(test, params, env) {
    auto vm = env.get_vm(params.at("main_vm"));
    auto session = vm.wait_for_login();
    const auto same = [&] {
        for (const auto& difference : vm.device_differences()) {
            test.fail(difference);
        }
    };
    const auto there = [&] {
        const auto ids = vm.device_ids();
        return std::find(ids.begin(), ids.end(), "stg") != ids.end();
    };
    same();
    vm.plug_disk("stg");
    same();
    if (!there()) {
        test.fail("the plugged disk has no node");
    }
    // The kernel tells of it a moment later.
    session.cmd(
        "for i in $(seq 60); do [ -d /sys/block/vdb ] && break; sleep 0.5; done; [ -d /sys/block/vdb ]");
    vm.unplug("stg", vt::Seconds(60));
    session.cmd("[ ! -d /sys/block/vdb ]");
    same();
    if (there()) {
        test.fail("the unplugged disk has a node still");
    }
    try {
        vm.unplug("stg");
        test.fail("it was unplugged twice");
    } catch (const vt::Error& error) {
        test.log("as it should be: {}", error.what());
    }
}

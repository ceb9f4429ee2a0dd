// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/guest/guest_watch.hpp"

#include <doctest/doctest.h>

namespace vt::qemu {

TEST_CASE("a panic on the serial console ends all waits") {
    GuestWatch watch;
    watch.serial_line("[    1.2] all is well");
    CHECK(!watch.crash());
    CHECK(!watch.interrupt()->reason());
    watch.serial_line("[    2.0] Kernel panic - not syncing: VFS: Unable to mount root fs");
    CHECK(watch.crash() == "Kernel panic - not syncing: VFS: Unable to mount root fs");
    CHECK(watch.interrupt()->reason() ==
          "the guest's kernel panicked: Kernel panic - not syncing: VFS: Unable to mount root fs");
}

TEST_CASE("a kernel's bug report is kept whole and ends no wait") {
    GuestWatch watch;
    watch.serial_line("[ 3.0] BUG: unable to handle page fault");
    watch.serial_line("[ 3.0] RIP: 0010:foo");
    CHECK(!watch.crash());
    watch.serial_line("[ 3.1] ---[ end trace 0000 ]---");
    REQUIRE(watch.crash());
    CHECK(watch.crash()->find("RIP: 0010:foo") != std::string::npos);
    CHECK(!watch.interrupt()->reason());
    watch.forget_crash();
    CHECK(!watch.crash());
}

}  // namespace vt::qemu

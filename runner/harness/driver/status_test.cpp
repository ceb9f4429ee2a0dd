// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/harness/driver/status.hpp"

#include <thread>

#include <doctest/doctest.h>

namespace vt::driver {

TEST_CASE("a driver goes the whole way round") {
    StatusMachine status;
    CHECK(status.is(Status::none));
    for (const Status next :
         {Status::starting, Status::started, Status::pausing, Status::paused, Status::resuming,
          Status::started, Status::stopping, Status::stopped, Status::starting}) {
        status.change(next);
        CHECK(status.is(next));
    }
}

TEST_CASE("what no transition allows is refused, and the status stays") {
    StatusMachine status;
    CHECK_THROWS_WITH_AS(status.change(Status::stopped), "On status change from None to STOPPED",
                         StatusError);
    status.change(Status::starting);
    CHECK_THROWS_WITH_AS(status.change(Status::paused), "On status change from STARTING to PAUSED",
                         StatusError);
    status.change(Status::starting);
    CHECK(status.current() == "STARTING");
    status.force(Status::stopped);
    CHECK(status.is(Status::stopped));
    status.reset();
    CHECK(status.is(Status::none));
}

TEST_CASE("tests and plans have states of their own") {
    StatusMachine status(runnable_transitions());
    status.change("RUNNING");
    status.change("PAUSING");
    status.change("PAUSED");
    status.change("RESUMING");
    status.change("RUNNING");
    status.change("FINISHED");
    CHECK_THROWS_AS(status.change("STARTED"), StatusError);
    StatusMachine entity(entity_transitions());
    CHECK_THROWS_AS(entity.change("PAUSING"), StatusError);
}

TEST_CASE("a change wakes who waits for it") {
    StatusMachine status;
    CHECK_FALSE(status.wait("STARTED", Deadline::after(Seconds{0})));
    std::thread other([&] {
        status.change(Status::starting);
        status.change(Status::started);
    });
    CHECK(status.wait("STARTED", Deadline::after(Seconds{60})));
    other.join();
}

}  // namespace vt::driver

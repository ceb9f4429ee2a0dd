// SPDX-License-Identifier: GPL-2.0-or-later
// Real QEMUs without an operating system: what can be known of starting, watching and ending them.
#include "runner/vm/qemu/qemu_vm.hpp"

#include "runner/monitor/human.hpp"
#include "runner/monitor/qmp.hpp"
#include "runner/process/process.hpp"
#include "runner/session/shell_error.hpp"
#include "runner/vm/qemu/job_for_test.hpp"

#include <chrono>
#include <thread>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

namespace vt::qemu {

namespace {

bool have_qemu() {
    if (process::find_program("qemu-system-x86_64")) {
        return true;
    }
    MESSAGE("qemu-system-x86_64 is not installed; its tests are skipped");
    return false;
}

Params small_machine() {
    return {{"qemu_binary", "qemu-system-x86_64"},
            {"mem", "64"},
            {"disable_kvm", "yes"},
            {"monitors", "m1 h1"},
            {"vga", "std"},
            {"monitor_type_h1", "human"},
            {"serials", "serial0"},
            {"display", "none"},
            {"nics", "nic1"},
            {"nic_model", "e1000"},
            {"shell_port", "22"}};
}

double seconds_since(std::chrono::steady_clock::time_point start) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

TEST_CASE("a machine starts, is paused, drawn, and taken down with all that was made for it") {
    if (!have_qemu()) {
        return;
    }
    const JobForTest job;
    const auto vm = make_vm("vm1", small_machine(), job.context());
    CHECK(vm->is_dead());
    CHECK_THROWS_AS(vm->monitor(), VMDeadError);
    vm->create();
    CHECK(vm->is_alive());
    vm->verify_alive();
    CHECK(vm->status() == "running");
    vm->pause();
    CHECK(vm->is_paused());
    CHECK_THROWS_WITH_AS(vm->verify_status("running"), doctest::Contains("\"paused\""), VMStatusError);
    vm->resume();
    CHECK(vm->monitor_names() == std::vector<std::string>{"m1", "h1"});
    CHECK(vm->human_monitor("h1").command("info status", Deadline::after(Seconds{20})).find("running") !=
          std::string::npos);
    CHECK_THROWS_AS(vm->qmp_monitor("h1"), VMError);
    CHECK_THROWS_WITH_AS(vm->qmp_monitor("m2"), doctest::Contains("it has m1, h1"), VMError);
    vm->screendump(job.dir() / "a.png");
    CHECK(read_file(job.dir() / "a.png").substr(1, 3) == "PNG");
    vm->screendump(job.dir() / "a.ppm");
    CHECK(read_file(job.dir() / "a.ppm").substr(0, 2) == "P6");
    CHECK(vm->get_address() == "127.0.0.1");
    CHECK(vm->get_port(22) >= 5000);
    CHECK_THROWS_AS(vm->get_port(23), VMPortNotRedirectedError);
    CHECK_THROWS_AS(vm->get_address(1), VMInterfaceIndexError);
    CHECK(!vm->needs_restart(vm->params()));
    Params other = vm->params();
    other.set("mem_vm1", "65");
    CHECK(vm->needs_restart(other));
    const auto dir = vm->instance_dir();
    CHECK(std::filesystem::exists(dir));
    vm->destroy(true);
    CHECK(vm->is_dead());
    CHECK(!vm->fate());
    CHECK(!std::filesystem::exists(dir));
}

TEST_CASE("QEMU's own words are the reason when it refuses to start") {
    if (!have_qemu()) {
        return;
    }
    const JobForTest job;
    auto params = small_machine();
    params.set("extra_params", "-device nonsense");
    const auto vm = make_vm("vm1", params, job.context());
    CHECK_THROWS_WITH_AS(vm->create(), doctest::Contains("'nonsense' is not a valid device model name"),
                         VMCreateError);
    CHECK(vm->is_dead());
    vm->params().set("extra_params", "");
    vm->create();
    CHECK(vm->is_alive());
}

TEST_CASE("images, kernels and QEMU itself may be missing") {
    const JobForTest job;
    auto params = small_machine();
    params.set("images", "image1");
    params.set("image_name", "no/such");
    CHECK_THROWS_WITH_AS(make_vm("vm1", params, job.context())->create(), doctest::Contains("no/such.qcow2"),
                         VMImageMissingError);
    params.set("images", "");
    params.set("kernel", "no/vmlinuz");
    CHECK_THROWS_WITH_AS(make_vm("vm1", params, job.context())->create(), doctest::Contains("no/vmlinuz"),
                         VMImageMissingError);
    params.set("kernel", "");
    params.set("qemu_binary", "/no/qemu");
    CHECK_THROWS_AS(make_vm("vm1", params, job.context())->create(), process::NotFoundError);
}

TEST_CASE("a QEMU that dies ends every wait at once, and its end is told") {
    if (!have_qemu()) {
        return;
    }
    const JobForTest job;
    const auto vm = make_vm("vm1", small_machine(), job.context());
    vm->create();
    const pid_t pid = vm->get_pid();
    std::thread killer([pid] {
        std::this_thread::sleep_for(std::chrono::milliseconds(300));
        ::kill(pid, SIGKILL);
    });
    const auto start = std::chrono::steady_clock::now();
    CHECK_THROWS_WITH_AS(vm->wait_for_login(0, Seconds{60}), doctest::Contains("SIGKILL"), VMDeadError);
    CHECK(seconds_since(start) < 10);
    killer.join();
    CHECK_THROWS_AS(vm->verify_alive(), VMDeadError);
    REQUIRE(vm->fate());
    CHECK(vm->fate()->find("SIGKILL") != std::string::npos);
    vm->destroy();
}

TEST_CASE("a guest in which nobody listens: the time-out tells what was seen") {
    if (!have_qemu()) {
        return;
    }
    const JobForTest job;
    const auto vm = make_vm("vm1", small_machine(), job.context());
    vm->create();
    try {
        vm->wait_for_login(0, Seconds{1});
        FAIL("somebody was let in");
    } catch (const LoginTimeoutError& late) {
        CHECK(late.output().find("VM vm1 let nobody in within 1 s") != std::string::npos);
        CHECK(late.output().find("serial console") != std::string::npos);
    }
    // Nobody can log in, so a graceful end does not try that for long.
    const auto start = std::chrono::steady_clock::now();
    vm->destroy(true);
    CHECK(seconds_since(start) < 5);
}

TEST_CASE("a kept machine is found again by its state") {
    if (!have_qemu()) {
        return;
    }
    const JobForTest job;
    std::string state;
    pid_t pid = 0;
    {
        const auto vm = make_vm("vm1", small_machine(), job.context());
        vm->create();
        pid = vm->get_pid();
        state = vm->state();
        vm->keep();
        CHECK(vm->is_dead());
    }
    CHECK(::kill(pid, 0) == 0);
    const auto vm = adopt_vm("vm1", Params(), state, job.context());
    REQUIRE(vm);
    CHECK(vm->get_pid() == pid);
    CHECK(vm->status() == "running");
    CHECK(!vm->needs_restart(small_machine()));
    vm->destroy(false);
    CHECK(!adopt_vm("vm1", Params(), state, job.context()));
    CHECK(!adopt_vm("vm1", Params(), "{\"process\": 3}", job.context()));
    CHECK(!adopt_vm("vm1", Params(), "no JSON", job.context()));
}

TEST_CASE("two machines get different ports") {
    if (!have_qemu()) {
        return;
    }
    const JobForTest job;
    const auto one = make_vm("vm1", small_machine(), job.context());
    const auto two = make_vm("vm2", small_machine(), job.context());
    one->create();
    two->create();
    CHECK(one->get_port(22) != two->get_port(22));
    CHECK(one->get_mac_address() != two->get_mac_address());
}

}  // namespace vt::qemu

// SPDX-License-Identifier: GPL-2.0-or-later
// Taps of real QEMUs, in a network namespace that the test makes.
#include "runner/monitor/qmp.hpp"
#include "runner/net/bridge.hpp"
#include "runner/process/process.hpp"
#include "runner/vm/qemu/job_for_test.hpp"
#include "runner/vm/qemu/launch.hpp"
#include "runner/vm/qemu/qemu_vm.hpp"
#include "runner/vm/qemu/verbs/devices.hpp"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <functional>

#include <doctest/doctest.h>
#include <net/if.h>
#include <nlohmann/json.hpp>
#include <poll.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

namespace vt::qemu {

namespace {

void ip(const std::vector<std::string>& words) {
    process::Command command;
    command.argv = {"ip"};
    command.argv.insert(command.argv.end(), words.begin(), words.end());
    process::check(command, Deadline::after(Seconds{60}));
}

/// Runs \p work in a process of its own in a new network namespace; what it throws fails the test.
void in_namespace(const std::function<void()>& work) {
    if (!process::find_program("qemu-system-x86_64") || !process::find_program("ip")) {
        MESSAGE("qemu-system-x86_64 or ip is not installed; its tests are skipped");
        return;
    }
    const pid_t child = ::fork();
    if (child == 0) {
        int code = 1;
        if (::unshare(CLONE_NEWNET) != 0) {
            code = 77;
        } else {
            try {
                ip({"link", "set", "lo", "up"});
                work();
                code = 0;
            } catch (const std::exception& error) {
                std::fprintf(stderr, "in the namespace: %s\n", error.what());
            }
        }
        ::_exit(code);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
        MESSAGE("a network namespace needs root; its tests are skipped");
        return;
    }
    CHECK(status == 0);
}

void require(bool good, const std::string& what) {
    if (!good) {
        throw Error(what);
    }
}

Params with_nic(const std::string& type, const std::string& destination) {
    return {{"qemu_binary", "qemu-system-x86_64"},
            {"mem", "64"},
            {"disable_kvm", "yes"},
            {"monitors", "m1"},
            {"display", "none"},
            {"vga", "none"},
            {"paused_after_start_vm", "yes"},
            {"nics", "nic1 nic2"},
            {"nic_model", "virtio"},
            {"nettype", type},
            {"netdst", destination},
            {"queues_nic2", "4"},
            {"shell_port", "22"}};
}

std::vector<std::string> ports_of(const std::string& master) {
    process::Command command;
    command.argv = {"ip", "-j", "link", "show", "master", master};
    const auto done = process::check(command, Deadline::after(Seconds{60}));
    std::vector<std::string> ports;
    for (const auto& link : nlohmann::json::parse(done.out)) {
        if (link.contains("ifname")) {
            ports.push_back(link.at("ifname"));
        }
    }
    return ports;
}

bool gone(const std::string& interface) {
    const auto deadline = Deadline::after(Seconds{60});
    while (::if_nametoindex(interface.c_str()) != 0 && !deadline.expired()) {
        ::poll(nullptr, 0, 20);
    }
    return ::if_nametoindex(interface.c_str()) == 0;
}

}  // namespace

TEST_CASE("taps on a Linux bridge: queues as descriptors, MACs of the job, nothing left of a killed QEMU") {
    in_namespace([] {
        ip({"link", "add", "br-vt", "type", "bridge"});
        ip({"link", "set", "br-vt", "up"});
        const JobForTest job;
        const auto vm = make_vm("vm1", with_nic("bridge", "br-vt"), job.context());
        vm->create();
        const auto taps = ports_of("br-vt");
        require(taps.size() == 2, "two taps are ports of the bridge");
        const auto said = vm->monitor().human_monitor_cmd("info network", Deadline::after(Seconds{60}));
        require(said.find("fd=2") != std::string::npos, "QEMU has descriptors: " + said);
        std::size_t queues = 0;
        for (auto at = said.find("netdev_nic2"); at != std::string::npos;
             at = said.find("netdev_nic2", at + 1)) {
            ++queues;
        }
        require(queues >= 4, "the second card has four queues: " + said);
        const auto mac = vm->get_mac_address(0);
        require(devices_of(*vm)->differences(Deadline::after(Seconds{60})).empty(),
                "model and QEMU are the same");
        ::kill(vm->get_pid(), SIGKILL);
        require(gone(taps[0]) && gone(taps[1]), "taps go with QEMU");
        vm->destroy(false);
        const auto again = make_vm("vm1", with_nic("bridge", "br-vt"), job.context());
        again->create();
        require(again->get_mac_address(0) != mac, "while the first has the lease, another gets another MAC");
        again->destroy(false);
    });
}

TEST_CASE("a VM of a job has the same MACs from test to test, another VM others") {
    in_namespace([] {
        const JobForTest job;
        std::string first;
        for (int test = 0; test < 2; ++test) {
            const auto vm = make_vm("vm1", with_nic("user", ""), job.context());
            vm->create();
            require(first.empty() || vm->get_mac_address(0) == first, "the MAC stays");
            require(vm->get_mac_address(0) != vm->get_mac_address(1), "each card has its own");
            first = vm->get_mac_address(0);
            vm->destroy(false);
        }
    });
}

TEST_CASE("a macvtap is made and removed") {
    in_namespace([] {
        ip({"link", "add", "up0", "type", "bridge"});
        ip({"link", "set", "up0", "up"});
        const JobForTest job;
        try {
            ip({"link", "add", "link", "up0", "name", "probe", "type", "macvtap"});
            ip({"link", "del", "probe"});
        } catch (const Error& error) {
            std::fprintf(stderr, "this kernel makes no macvtap, so that its test is skipped: %s\n",
                         error.what());
            return;
        }
        const auto vm = make_vm("vm1", with_nic("macvtap", "up0"), job.context());
        vm->create();
        require(devices_of(*vm)->differences(Deadline::after(Seconds{60})).empty(),
                "model and QEMU are the same");
        const auto name = vm->command_line().find("fds=") != std::string::npos;
        require(name, "several queues: " + vm->command_line());
        vm->destroy(false);
    });
}

TEST_CASE("a network without a bridge becomes user networking") {
    in_namespace([] {
        const JobForTest job;
        const auto vm = make_vm("vm1", with_nic("network", "nowhere"), job.context());
        vm->create();
        require(vm->get_address() == "127.0.0.1", "user networking instead");
        vm->destroy(false);
    });
}

}  // namespace vt::qemu

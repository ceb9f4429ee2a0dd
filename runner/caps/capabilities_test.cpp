// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/caps/capabilities.hpp"

#include "runner/process/process.hpp"
#include "runner/support/file.hpp"
#include "runner/support/log.hpp"

#include <chrono>

#include <doctest/doctest.h>
#include <sys/stat.h>

namespace vt {

namespace {

const char* small =
    "qemu-capabilities 2\n"
    "version\t9.9.9 (test)\n"
    "machine\tpc-i440fx-9.9\tpc\t255\tyes\tqemu64-x86_64-cpu\tdefault\n"
    "machine\tnone\t\t1\tno\t\t\n"
    "accelerator\tqtest\n"
    "cpu\tmax\n"
    "device\tvirtio-blk-pci\tPCI\tpcie\tdrive:str num-queues:uint16\n"
    "device\tvmcoreinfo\t\t\tloc:str\n"
    "object\tiothread\tqom-type:enum id:string poll-max-ns:int\n"
    "command\tdevice_add\tdriver bus id\tjson-cli json-cli-hotplug\n"
    "command\tquit\t\t\n"
    "event\tDEVICE_DELETED\n"
    "option\tmachine\ttype kernel\n"
    "end\tend\n";

/// A program that plays a QEMU.
std::filesystem::path script(const TempDirectory& dir, const std::string& text) {
    const auto path = dir.path() / "qemu";
    write_file_atomically(path, "#!/bin/sh\n" + text, 0700);
    return path;
}

}  // namespace

TEST_CASE("what a file of capabilities says") {
    const auto caps = Capabilities::parse(small);
    CHECK(caps.known());
    CHECK(caps.version() == "9.9.9 (test)");
    CHECK(caps.has_machine("pc"));
    CHECK(caps.machine("pc")->name == "pc-i440fx-9.9");
    CHECK(caps.machine("pc")->hotpluggable_cpus);
    CHECK(caps.machine("pc")->max_cpus == 255);
    CHECK(!caps.has_machine("q35"));
    CHECK(!caps.has_machine(""));
    CHECK(caps.default_machine()->alias == "pc");
    CHECK(caps.has_accelerator("qtest"));
    CHECK(!caps.has_accelerator("kvm"));
    CHECK(caps.has_cpu_model("max"));
    CHECK(caps.has_device("virtio-blk-pci"));
    CHECK(caps.is_pcie("virtio-blk-pci"));
    CHECK(!caps.is_pcie("vmcoreinfo"));
    CHECK(caps.device_bus("virtio-blk-pci") == "PCI");
    CHECK(caps.device_bus("vmcoreinfo") == "");
    CHECK(!caps.device_bus("virtio-blk"));
    CHECK(caps.device_property("virtio-blk-pci", "num-queues") == "uint16");
    CHECK(!caps.device_property("virtio-blk-pci", "num"));
    CHECK(caps.object_property("iothread", "poll-max-ns") == "int");
    CHECK(caps.command_argument("device_add", "bus"));
    CHECK(!caps.command_argument("device_add", "addr"));
    CHECK(caps.command_feature("device_add", "json-cli"));
    CHECK(caps.has_command("quit"));
    CHECK(caps.has_event("DEVICE_DELETED"));
    CHECK(caps.option_parameter("machine", "kernel"));
    CHECK(caps.names("machine") == std::vector<std::string>{"none", "pc-i440fx-9.9"});
}

TEST_CASE("nothing is known without a file, and half a file is none") {
    CHECK(!Capabilities().known());
    CHECK(!Capabilities().has_device("virtio-blk-pci"));
    const std::string whole = small;
    CHECK_THROWS_AS(Capabilities::parse(whole.substr(0, whole.size() - 5)), CapabilitiesError);
    CHECK_THROWS_AS(Capabilities::parse("qemu-capabilities 0\nend\tend\n"), CapabilitiesError);
    CHECK_THROWS_AS(Capabilities::parse(""), CapabilitiesError);
}

TEST_CASE("a binary that hangs, dies or lies is named") {
    log::set_sink([](auto, auto, auto) {});
    const TempDirectory dir("vt-caps-");
    const auto ask = [&](double seconds) {
        return Capabilities::ask(dir.path() / "qemu", dir.path(), Deadline::after(Seconds{seconds}));
    };
    script(dir, "exec sleep 100\n");
    CHECK_THROWS_WITH_AS(ask(1), doctest::Contains("did not answer within 1 s"), CapabilitiesError);
    script(dir, "echo no such option; exit 3\n");
    CHECK_THROWS_WITH_AS(ask(30), doctest::Contains("exit status 3: no such option"), CapabilitiesError);
    // It speaks the protocol, but says that a number is its list of machines.
    script(dir,
           "for word; do case $word in unix:*) socket=${word#unix:}; socket=${socket%%,*};; esac; done\n"
           "exec /usr/bin/python3 - $socket <<'END'\n"
           "import json, socket, sys\n"
           "server = socket.socket(socket.AF_UNIX)\n"
           "server.bind(sys.argv[1])\n"
           "server.listen(1)\n"
           "file = server.accept()[0].makefile('rw')\n"
           "def say(what):\n"
           "    file.write(json.dumps(what) + '\\n')\n"
           "    file.flush()\n"
           "say({'QMP': {'version': {}, 'capabilities': []}})\n"
           "for line in file:\n"
           "    say({'return': 3, 'id': json.loads(line).get('id')})\n"
           "END\n");
    CHECK_THROWS_WITH_AS(ask(30), doctest::Contains("makes no sense"), CapabilitiesError);
    log::set_sink({});
}

TEST_CASE("the installed QEMU, asked once, then read in no time") {
    if (!process::find_program("qemu-system-x86_64")) {
        MESSAGE("qemu-system-x86_64 is not installed; its tests are skipped");
        return;
    }
    log::set_sink([](auto, auto, auto) {});
    const TempDirectory dir("vt-caps-");
    const auto first = Capabilities::of("qemu-system-x86_64", dir.path());
    CHECK(first.has_machine("pc"));
    CHECK(first.has_machine("q35"));
    CHECK(first.default_machine()->alias == "pc");
    CHECK(first.has_accelerator("tcg"));
    CHECK(first.has_device("virtio-blk-pci"));
    CHECK(!first.has_device("i440FX"));  // no user may add it
    CHECK(first.device_bus("usb-tablet") == "usb-bus");
    CHECK(first.is_pcie("virtio-net-pci"));
    CHECK(!first.is_pcie("e1000"));
    CHECK(first.device_property("virtio-blk-pci", "bootindex") == "int32");
    CHECK(first.has_object("memory-backend-ram"));
    CHECK(first.object_property("memory-backend-ram", "share") == "boolean");
    CHECK(first.has_block_driver("qcow2"));
    CHECK(first.block_property("file", "filename") == "string");
    CHECK(first.has_netdev("user"));
    CHECK(first.has_chardev("socket"));
    CHECK(first.command_argument("blockdev-mirror", "target"));
    CHECK(first.has_event("SHUTDOWN"));
    CHECK(first.option_parameter("rtc", "driftfix"));
    double best = 1;
    for (int i = 0; i < 5; ++i) {
        const auto start = std::chrono::steady_clock::now();
        const auto again = Capabilities::of("qemu-system-x86_64", dir.path());
        best =
            std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
        CHECK(again.names("device") == first.names("device"));
    }
    MESSAGE("capabilities from the cache: " << best * 1000 << " ms");
    // A damaged cache is asked for anew.
    for (const auto& entry : std::filesystem::directory_iterator(dir.path())) {
        if (entry.path().extension() == ".caps") {
            write_file_atomically(entry.path(), "qemu-capabilities 2\n");
        }
    }
    CHECK(Capabilities::of("qemu-system-x86_64", dir.path()).has_machine("pc"));
    log::set_sink({});
}

}  // namespace vt

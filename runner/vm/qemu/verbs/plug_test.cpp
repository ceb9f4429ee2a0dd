// SPDX-License-Identifier: GPL-2.0-or-later
// Plugging into a real QEMU whose guest has no operating system: what needs the guest's consent is refused by
// silence, the rest works.
#include "runner/vm/qemu/verbs/plug.hpp"

#include "runner/monitor/qmp.hpp"
#include "runner/process/process.hpp"
#include "runner/support/strings.hpp"
#include "runner/vm/qemu/job_for_test.hpp"
#include "runner/vm/qemu/qemu_vm.hpp"
#include "runner/vm/qemu/verbs/devices.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

namespace vt::qemu {

namespace {

bool have_qemu() {
    if (process::find_program("qemu-system-x86_64") && process::find_program("qemu-img")) {
        return true;
    }
    MESSAGE("qemu-system-x86_64 or qemu-img is not installed; its tests are skipped");
    return false;
}

Params small_machine(const char* type) {
    return {{"qemu_binary", "qemu-system-x86_64"},
            {"machine_type", type},
            {"mem", "64"},
            {"disable_kvm", "yes"},
            {"display", "none"},
            {"monitors", "m1"},
            {"slots_mem", "2"},
            {"maxmem_mem", "256M"},
            {"smp", "1"},
            {"vcpu_maxcpus", "2"},
            {"vcpu_sockets", "2"},
            {"vcpu_cores", "1"},
            {"pcie_extra_root_port", "4"},
            {"usbs", "usb1"},
            {"usb_type", "qemu-xhci"},
            {"serials", "vs"},
            {"serial_type", "virtserialport"}};
}

Deadline soon() {
    return Deadline::after(Seconds{60});
}

void make_disk(const JobForTest& job, const char* name) {
    process::Command command;
    command.argv = {"qemu-img", "create", "-q", "-f", "qcow2", (job.dir() / name).native() + ".qcow2", "1M"};
    process::check(command, soon());
}

NodePtr device(const std::string& driver, const std::string& qid, Address address = {}) {
    auto node = std::make_shared<Node>();
    node->driver = driver;
    node->qid = qid;
    node->address = std::move(address);
    return node;
}

std::string all(Devices& devices) {
    return join(devices.differences(soon()), "\n");
}

}  // namespace

TEST_CASE("devices come and go, and the model and QEMU are the same after each") {
    if (!have_qemu()) {
        return;
    }
    for (const char* type : {"pc", "q35"}) {
        CAPTURE(type);
        const JobForTest job;
        make_disk(job, "stg");
        const auto vm = make_vm("vm1", small_machine(type), job.context());
        vm->create();
        const auto devices = devices_of(*vm);
        REQUIRE(devices);
        CHECK(all(*devices) == "");

        Params params = vm->params();
        params.set("image_name_stg", "stg");
        params.set("drive_format_stg", "scsi-hd");
        const auto disk = devices->define_disk("stg", params);
        REQUIRE(disk.size() == 4);  // adapter, two block nodes, disk
        CHECK(devices->find("stg") == nullptr);
        devices->plug(disk, soon());
        CHECK(devices->find("stg") == disk.back());
        CHECK(disk.back()->state == NodeState::live);
        CHECK(all(*devices) == "");
        devices->unplug(disk.back(), soon());
        CHECK(disk.back()->state == NodeState::gone);
        CHECK(devices->find("drive_stg") == nullptr);
        CHECK(devices->find("file_stg") == nullptr);
        CHECK(devices->find("virtio_scsi_pci0") != nullptr);
        CHECK(all(*devices) == "");
        // The same handle may be plugged again; the adapter is there now.
        devices->plug({disk[1], disk[2], disk[3]}, soon());
        CHECK(all(*devices) == "");

        const auto tablet = device("usb-tablet", "tab9", {BusKind::usb, "usb1.0", {}});
        devices->plug(tablet, soon());
        CHECK(all(*devices) == "");
        devices->unplug(tablet, soon());

        auto object = std::make_shared<Node>();
        object->form = Form::object;
        object->driver = "iothread";
        object->qid = "io9";
        object->props = {{"poll-max-ns", "0x10"}};
        devices->plug(object, soon());
        CHECK(all(*devices) == "");
        devices->unplug(object, soon());

        Params nic = vm->params();
        nic.set("nic_model", "virtio");
        const auto card = devices->define_nic("nic9", nic);
        devices->plug(card, soon());
        CHECK(card.back()->address.bus == (std::string(type) == "pc" ? "pci.0" : "pcie_extra_root_port_1"));
        CHECK(all(*devices) == "");

        const auto cpu = devices->define_vcpu("cpu9", soon());
        devices->plug(cpu, soon());
        CHECK(all(*devices) == "");
        CHECK_THROWS_WITH_AS(devices->define_vcpu("cpu10", soon()), doctest::Contains("vcpu_maxcpus"),
                             VMDeviceError);

        Params memory = vm->params();
        memory.set("size_mem_extra", "64M");
        const auto dimm = devices->define_dimm("extra", memory);
        CHECK(dimm.back()->qid == "dimm-extra");
        devices->plug(dimm, soon());
        CHECK(all(*devices) == "");

        auto chardev = std::make_shared<Node>();
        chardev->form = Form::chardev;
        chardev->driver = "null";
        chardev->qid = "chardev_vs2";
        const auto port = device("virtserialport", "vs2");
        port->props = {{"chardev", "chardev_vs2"}, {"name", "vs2"}};
        port->needs = {"chardev_vs2"};
        devices->plug({chardev, port}, soon());
        CHECK(port->address.at == std::vector<int>{2});
        devices->unplug(port, soon());
        CHECK(devices->find("chardev_vs2") == nullptr);
        CHECK(all(*devices) == "");
        vm->destroy(false);
        CHECK_THROWS_AS(devices->plug(tablet, soon()), VMDeadError);
    }
}

TEST_CASE("what QEMU or the guest refuses leaves the model as it was") {
    if (!have_qemu()) {
        return;
    }
    const JobForTest job;
    make_disk(job, "stg");
    const auto vm = make_vm("vm1", small_machine("pc"), job.context());
    vm->create();
    const auto devices = devices_of(*vm);
    const auto count = devices->nodes().size();
    Params params = vm->params();
    params.set("image_name_stg", "stg");
    params.set("drive_format_stg", "virtio");
    params.set("blk_extra_params_stg", "num-queues=0");
    // The last of three: the block nodes go again.
    CHECK_THROWS_WITH_AS(devices->plug(devices->define_disk("stg", params), soon()),
                         doctest::Contains("num-queues property must be larger than 0"), HotplugError);
    CHECK(devices->nodes().size() == count);
    CHECK(all(*devices) == "");

    CHECK_THROWS_WITH_AS(devices->plug(device("no-such-device", "x"), soon()),
                         doctest::Contains("no-such-device"), HotplugError);
    // Nobody in the guest answers.
    const auto rng = device("virtio-balloon-pci", "balloon9");
    devices->plug(rng, soon());
    CHECK_THROWS_WITH_AS(devices->unplug(rng, Deadline::after(Seconds{0.5})),
                         doctest::Contains("did not let go of"), UnplugError);
    CHECK(devices->find("balloon9") == rng);
    CHECK(rng->state == NodeState::live);
    CHECK(all(*devices) == "");
    CHECK_THROWS_WITH_AS(devices->plug(device("virtio-rng-pci", "balloon9"), soon()),
                         doctest::Contains("already"), ModelError);

    // Behind the model's back.
    vm->monitor().command("device_add", {{"driver", "usb-kbd"}, {"id", "secret"}, {"bus", "usb1.0"}}, soon());
    CHECK(all(*devices) == "QEMU has a device secret that the model does not have");
    vm->monitor().command("device_del", {{"id", "secret"}}, soon());
    vm->monitor().wait_event("DEVICE_DELETED", soon());
    vm->monitor().clear_events();
    const auto tablet = device("usb-tablet", "tab9");
    devices->insert(tablet);
    CHECK(all(*devices) == "QEMU has no device tab9");
    devices->remove(tablet);
    CHECK(all(*devices) == "");
}

TEST_CASE("a kept machine is its model: what was plugged is known, and another QEMU is not taken for it") {
    if (!have_qemu()) {
        return;
    }
    const JobForTest job;
    std::string state;
    {
        const auto vm = make_vm("vm1", small_machine("pc"), job.context());
        vm->create();
        CHECK(!vm->needs_restart(vm->params()));
        devices_of(*vm)->plug(device("usb-tablet", "tab9"), soon());
        CHECK(vm->needs_restart(vm->params()));
        state = vm->state();
        vm->keep();
    }
    auto vm = adopt_vm("vm1", Params(), state, job.context());
    REQUIRE(vm);
    const auto tablet = devices_of(*vm)->find("tab9");
    REQUIRE(tablet);
    CHECK(vm->needs_restart(vm->params()));
    devices_of(*vm)->unplug(tablet, soon());
    CHECK(!vm->needs_restart(vm->params()));
    vm->keep();
    // The record still says that the tablet is there.
    CHECK(!adopt_vm("vm1", Params(), state, job.context()));
    auto old = nlohmann::json::parse(state);
    old.erase("version");
    CHECK(!adopt_vm("vm1", Params(), old.dump(), job.context()));
}

TEST_CASE("one monitor fewer is another machine, also where the runner added one of its own") {
    if (!have_qemu()) {
        return;
    }
    const JobForTest job;
    auto params = small_machine("pc");
    params.set("monitors", "m1 m2");
    const auto vm = make_vm("vm1", params, job.context());
    vm->create();
    CHECK(!vm->needs_restart(params));
    params.set("monitors", "m1");
    CHECK(vm->needs_restart(params));
    vm->destroy(false);
    params.set("monitors", "h1");
    params.set("monitor_type", "human");
    vm->params() = params;
    vm->create();
    CHECK(!vm->needs_restart(params));
    params.set("monitors", "");
    CHECK(vm->needs_restart(params));
}

}  // namespace vt::qemu

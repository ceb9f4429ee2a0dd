// SPDX-License-Identifier: GPL-2.0-or-later
// Machine types of several architectures: what the model says is what that QEMU has after its own start with
// -S.
#include "runner/monitor/qmp.hpp"
#include "runner/process/process.hpp"
#include "runner/support/strings.hpp"
#include "runner/vm/qemu/job_for_test.hpp"
#include "runner/vm/qemu/qemu_vm.hpp"
#include "runner/vm/qemu/verbs/devices.hpp"

#include <functional>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

namespace vt::qemu {

namespace {

void make_images(const std::filesystem::path& dir) {
    for (const char* name : {"a", "b", "c"}) {
        process::Command command;
        command.argv = {
            "qemu-img", "create", "-q", "-f", "qcow2", (dir / (std::string(name) + ".qcow2")).native(), "1M"};
        process::check(command, Deadline::after(Seconds{60}));
    }
}

/// Starts it, compares, and hands it to \p look.
void check_machine(const std::string& qemu, Params params, const std::function<void(Vm&)>& look = {}) {
    if (!process::find_program(qemu) || !process::find_program("qemu-img")) {
        MESSAGE(qemu << " is not installed; its tests are skipped");
        return;
    }
    const JobForTest job;
    make_images(job.dir());
    for (const auto& [key, value] : {std::pair{"mem", "128"},
                                     {"disable_kvm", "yes"},
                                     {"monitors", "m1"},
                                     {"display", "none"},
                                     {"paused_after_start_vm", "yes"},
                                     {"image_format", "qcow2"},
                                     {"image_name_a", "a"},
                                     {"image_name_b", "b"},
                                     {"image_name_c", "c"}}) {
        if (params.get(key).empty()) {
            params.set(key, value);
        }
    }
    params.set("qemu_binary", qemu);
    const auto vm = make_vm("vm1", params, job.context());
    vm->create();
    CHECK(join(devices_of(*vm)->differences(Deadline::after(Seconds{120})), "\n") == "");
    CHECK(vm->needs_restart(params) == false);
    if (look) {
        look(*vm);
    }
    vm->destroy(false);
}

}  // namespace

TEST_CASE("machines without PCI, and without anything") {
    check_machine("qemu-system-x86_64", {{"machine_type", "none"}});
    check_machine("qemu-system-x86_64", {{"machine_type", "microvm"},
                                         {"images", "a b"},
                                         {"drive_format", "virtio"},
                                         {"nics", "n"},
                                         {"nic_model", "virtio"},
                                         {"virtio_rngs", "r"},
                                         {"serials", "s"},
                                         {"serial_type", "isa-serial"}});
}

TEST_CASE("aarch64: virt with PCI Express and with virtio-mmio") {
    check_machine("qemu-system-aarch64",
                  {{"machine_type", "arm64-pci:virt"},
                   {"vm_arch_name", "aarch64"},
                   {"cpu_model", "cortex-a57"},
                   {"images", "a b c"},
                   {"drive_format", "virtio"},
                   {"drive_format_b", "scsi-hd"},
                   {"drive_format_c", "usb3"},
                   {"vga", "virtio"},
                   {"usbs", "usb1"},
                   {"usb_type", "qemu-xhci"},
                   {"usb_devices", "t"},
                   {"usbdev_type", "usb-tablet"},
                   {"nics", "n"},
                   {"nic_model", "virtio"},
                   {"serials", "s vp"},
                   {"serial_type", "isa-serial"},
                   {"serial_type_vp", "virtserialport"},
                   {"enable_pvpanic", "yes"},
                   {"enable_debugcon", "yes"},
                   {"pcie_extra_root_port", "2"}},
                  [](Vm& vm) {
                      CHECK(devices_of(vm)->find("a")->address.bus.starts_with("pcie-root-port-"));
                      CHECK(vm.command_line().find("chardev:chardev_s") != std::string::npos);
                  });
    check_machine("qemu-system-aarch64",
                  {{"machine_type", "arm64-mmio:virt"},
                   {"vm_arch_name", "aarch64"},
                   {"cpu_model", "cortex-a57"},
                   {"images", "a"},
                   {"drive_format", "virtio"},
                   {"nics", "n"},
                   {"nic_model", "virtio"}},
                  [](Vm& vm) { CHECK(devices_of(vm)->find("a")->driver == "virtio-blk-device"); });
}

TEST_CASE("s390x: channel devices") {
    check_machine("qemu-system-s390x",
                  {{"machine_type", "s390-ccw-virtio"},
                   {"vm_arch_name", "s390x"},
                   {"images", "a b"},
                   {"drive_format", "virtio"},
                   {"drive_format_b", "scsi-hd"},
                   {"nics", "n"},
                   {"nic_model", "virtio"},
                   {"virtio_rngs", "r"},
                   {"serials", "s"},
                   {"serial_type", "sclpconsole"}},
                  [](Vm& vm) {
                      CHECK(devices_of(vm)->find("a")->driver == "virtio-blk-ccw");
                      CHECK(devices_of(vm)->find("a")->address.kind == BusKind::ccw);
                  });
}

TEST_CASE("ppc64: pseries") {
    check_machine("qemu-system-ppc64",
                  {{"machine_type", "pseries"},
                   {"vm_arch_name", "ppc64le"},
                   {"mem", "512"},
                   {"images", "a b"},
                   {"drive_format", "virtio"},
                   {"drive_format_b", "spapr_vscsi"},
                   {"vga", "std"},
                   {"usbs", "usb1"},
                   {"usb_type", "nec-usb-xhci"},
                   {"nics", "n"},
                   {"nic_model", "virtio"},
                   {"serials", "s"},
                   {"serial_type", "spapr-vty"}},
                  [](Vm& vm) { CHECK(devices_of(vm)->find("s")->param("reg") == "0x30000000"); });
}

TEST_CASE("riscv64: virt") {
    check_machine("qemu-system-riscv64",
                  {{"machine_type", "riscv64-pci:virt"},
                   {"vm_arch_name", "riscv64"},
                   {"images", "a"},
                   {"drive_format", "virtio"},
                   {"nics", "n"},
                   {"nic_model", "virtio"},
                   {"serials", "s"},
                   {"serial_type", "isa-serial"}},
                  [](Vm& vm) { CHECK(devices_of(vm)->find("a")->driver == "virtio-blk-pci"); });
}

TEST_CASE("processors and memory: topology, NUMA with distances and speeds, modules of each kind") {
    check_machine("qemu-system-x86_64",
                  {{"machine_type", "q35"},
                   {"machine_type_extra_params", "nvdimm=on"},
                   {"mem", "256"},
                   {"smp", "4"},
                   {"vcpu_maxcpus", "8"},
                   {"vcpu_sockets", "2"},
                   {"vcpu_dies", "2"},
                   {"vcpu_cores", "2"},
                   {"vcpu_threads", "1"},
                   {"cpu_model", "no-such-model,Nehalem"},
                   {"maxmem_mem", "4G"},
                   {"slots_mem", "4"},
                   {"mem_devs", "n0 n1 d0 nv0 vm0"},
                   {"use_mem_n0", "no"},
                   {"size_mem_n0", "128M"},
                   {"use_mem_n1", "no"},
                   {"size_mem_n1", "128M"},
                   {"backend_mem_n1", "memory-backend-memfd"},
                   {"prealloc_mem_n1", "yes"},
                   {"size_mem_d0", "128M"},
                   {"uuid_dimm", "<auto>"},
                   {"nv_backend_nv0", "yes"},
                   {"size_mem_nv0", "128M"},
                   {"vm_memdev_model_vm0", "virtio-mem"},
                   {"size_mem_vm0", "256M"},
                   {"requested-size_memory_vm0", "128M"},
                   {"guest_numa_nodes", "node0 node1"},
                   {"numa_memdev_node0", "mem-n0"},
                   {"numa_memdev_node1", "mem-n1"},
                   {"numa_nodeid_node0", "0"},
                   {"numa_nodeid_node1", "1"},
                   {"numa_cpus_node0", "0-3"},
                   {"numa_cpus_node1", "4-7"},
                   {"numa_dist_node0", "[[0, 10], [1, 21]]"},
                   {"numa_dist_node1", "[[0, 21], [1, 10]]"},
                   {"numa_initiator_node0", "0"},
                   {"numa_initiator_node1", "1"},
                   {"numa_hmat_lb_node0", "one two"},
                   {"numa_hmat_lb_data_type_one", "access-latency"},
                   {"numa_hmat_lb_latency_one", "5"},
                   {"numa_hmat_lb_data_type_two", "access-bandwidth"},
                   {"numa_hmat_lb_bandwidth_two", "200M"},
                   {"numa_hmat_caches_node0", "c1"},
                   {"numa_hmat_caches_size_c1", "10K"},
                   {"numa_hmat_caches_level_c1", "1"},
                   {"numa_hmat_caches_associativity_c1", "direct"},
                   {"numa_hmat_caches_policy_c1", "write-back"},
                   {"numa_hmat_caches_line_c1", "8"}},
                  [](Vm& vm) {
                      const auto deadline = Deadline::after(Seconds{60});
                      CHECK(vm.monitor().command("query-memory-devices", deadline).size() == 3);
                      const auto cpus = vm.monitor().command("query-cpus-fast", deadline);
                      CHECK(cpus.size() == 4);
                      CHECK(cpus[0].at("props").contains("die-id"));
                      CHECK(vm.command_line().find("Nehalem") != std::string::npos);
                  });
    check_machine("qemu-system-x86_64",
                  {{"mem", "64"},
                   {"vm_mem_backend", "memory-backend-memfd"},
                   {"vm_mem_prealloc", "yes"},
                   {"vm_mem_share", "yes"}},
                  [](Vm& vm) {
                      const auto memory = vm.monitor().command("query-memdev", Deadline::after(Seconds{60}));
                      REQUIRE(memory.size() == 1);
                      CHECK(memory[0].at("share") == true);
                      CHECK(memory[0].at("prealloc") == true);
                  });
}

}  // namespace vt::qemu

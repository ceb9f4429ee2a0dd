// SPDX-License-Identifier: GPL-2.0-or-later
// Firmware, TPMs, shared directories and further devices in real QEMUs, and what a machine keeps of them.
#include "runner/monitor/qmp.hpp"
#include "runner/process/process.hpp"
#include "runner/support/strings.hpp"
#include "runner/vm/errors.hpp"
#include "runner/vm/qemu/job_for_test.hpp"
#include "runner/vm/qemu/launch.hpp"
#include "runner/vm/qemu/qemu_vm.hpp"
#include "runner/vm/qemu/verbs/devices.hpp"

#include <csignal>
#include <fstream>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>
#include <poll.h>

namespace vt::qemu {

namespace {

namespace fs = std::filesystem;

bool have(std::initializer_list<const char*> programs) {
    for (const char* program : programs) {
        if (!process::find_program(program)) {
            MESSAGE(program << " is not installed; its tests are skipped");
            return false;
        }
    }
    return true;
}

Params paused(std::initializer_list<std::pair<std::string, std::string>> more) {
    Params params{{"qemu_binary", "qemu-system-x86_64"},
                  {"mem", "128"},
                  {"disable_kvm", "yes"},
                  {"monitors", "m1"},
                  {"display", "none"},
                  {"vga", "none"},
                  {"paused_after_start_vm", "yes"},
                  {"kill_vm_gracefully", "no"}};
    for (const auto& [key, value] : more) {
        params.set(key, value);
    }
    return params;
}

std::string differences(Vm& vm) {
    return join(devices_of(vm)->differences(Deadline::after(Seconds{60})), "\n");
}

/// The pid of the process whose command line has \p text.
pid_t process_with(const std::string& text) {
    for (const auto& entry : fs::directory_iterator("/proc")) {
        const auto name = entry.path().filename().native();
        if (name.find_first_not_of("0123456789") != std::string::npos) {
            continue;
        }
        try {
            if (read_file(entry.path() / "cmdline").find(text) != std::string::npos) {
                return std::stoi(name);
            }
        } catch (const SystemError&) {
        }
    }
    return 0;
}

}  // namespace

TEST_CASE("a TPM by swtpm: both versions, its memory is the VM's, and it goes with its machine") {
    if (!have({"qemu-system-x86_64", "swtpm", "swtpm_setup"})) {
        return;
    }
    const JobForTest job;
    for (const std::string version : {"2.0", "1.2"}) {
        CAPTURE(version);
        const auto vm = make_vm("vm" + version,
                                paused({{"machine_type", "q35"},
                                        {"tpms", "tpm0"},
                                        {"tpm_type", "emulator"},
                                        {"tpm_model", version == "2.0" ? "tpm-crb" : "tpm-tis"},
                                        {"tpm_version", version}}),
                                job.context());
        vm->create();
        const auto tpms = vm->monitor().command("query-tpm", Deadline::after(Seconds{60}));
        REQUIRE(tpms.size() == 1);
        CHECK(tpms[0].at("options").at("type") == "emulator");
        CHECK(differences(*vm) == "");
        const auto state = job.dir() / "vm-memory" / ("vm" + version) / "tpm-tpm0";
        CHECK(fs::exists(state / (version == "2.0" ? "tpm2-00.permall" : "tpm-00.permall")));
        const auto swtpm = process_with((vm->instance_dir() / "swtpm-tpm0").native());
        CHECK(swtpm > 0);
        CHECK(vm->needs_restart(vm->params()) == false);
        vm->destroy(false);
        CHECK(!ProcessId::of(swtpm).alive());
        CHECK(fs::exists(state));
    }
}

TEST_CASE("a TPM that dies, cannot start or is not there is named") {
    if (!have({"qemu-system-x86_64", "swtpm", "swtpm_setup"})) {
        return;
    }
    const JobForTest job;
    auto params = paused({{"tpms", "tpm0"}, {"tpm_type", "emulator"}, {"tpm_model", "tpm-tis"}});
    auto none = params;
    none.set("tpm_bin", "/no/such/swtpm");
    CHECK_THROWS_WITH_AS(make_vm("vm1", none, job.context())->create(), doctest::Contains("/no/such/swtpm"),
                         Error);
    auto broken = params;
    broken.set("tpm_bin_extra_options", "--nonsense");
    CHECK_THROWS_WITH_AS(make_vm("vm1", broken, job.context())->create(), doctest::Contains("nonsense"),
                         VMCreateError);
    auto twelve = params;
    twelve.set("tpm_version", "3.0");
    CHECK_THROWS_AS(make_vm("vm1", twelve, job.context())->create(), BadParam);

    const auto vm = make_vm("vm1", params, job.context());
    vm->create();
    ::kill(process_with((vm->instance_dir() / "swtpm-tpm0").native()), SIGKILL);
    const auto deadline = Deadline::after(Seconds{60});
    while (!vm->fate() && !deadline.expired()) {
        ::poll(nullptr, 0, 20);
    }
    REQUIRE(vm->fate());
    CHECK(vm->fate()->find("swtpm-tpm0") != std::string::npos);
    CHECK_THROWS_WITH_AS(vm->verify_alive(), doctest::Contains("swtpm-tpm0"), VMDeadError);
    vm->destroy(false);
}

TEST_CASE("UEFI firmware: variables of the VM's own, kept, restored, and Secure Boot's lock") {
    if (!have({"qemu-system-x86_64"})) {
        return;
    }
    if (!fs::exists("/usr/share/OVMF/OVMF_CODE_4M.ms.fd")) {
        MESSAGE("OVMF is not installed; its tests are skipped");
        return;
    }
    const JobForTest job;
    auto params = paused({{"machine_type", "q35"},
                          {"ovmf_path", "/usr/share/edk2/ovmf-elsewhere"},
                          {"ovmf_code_filename", "OVMF_CODE_4M.ms.fd"},
                          {"ovmf_vars_filename", "OVMF_VARS_4M.ms.fd"}});
    const auto vm = make_vm("vm1", params, job.context());
    vm->create();
    CHECK(differences(*vm) == "");
    CHECK(vm->needs_restart(params) == false);
    CHECK(vm->command_line().find("smm=on") != std::string::npos);
    const auto vars = job.dir() / "vm-memory/vm1/OVMF_VARS_4M.ms.fd";
    const auto fresh = read_file("/usr/share/OVMF/OVMF_VARS_4M.ms.fd");
    CHECK(read_file(vars) == fresh);
    vm->destroy(false);
    {
        std::fstream file(vars, std::ios::in | std::ios::out | std::ios::binary);
        file.seekp(-1, std::ios::end);
        file.put('V');
    }
    vm->create();
    CHECK(read_file(vars) != fresh);
    vm->destroy(false);
    params.set("restore_ovmf_vars", "yes");
    const auto again = make_vm("vm1", params, job.context());
    again->create();
    CHECK(read_file(vars) == fresh);
    again->destroy(false);
    params.set("ovmf_code_filename", "NO_CODE.fd");
    CHECK_THROWS_WITH_AS(make_vm("vm1", params, job.context())->create(), doctest::Contains("NO_CODE.fd"),
                         VMImageMissingError);
}

TEST_CASE("many kinds of devices at once start, and the model is QEMU's") {
    if (!have({"qemu-system-x86_64"})) {
        return;
    }
    const JobForTest job;
    fs::create_directory(job.dir() / "share");
    const auto params = paused({{"machine_type", "q35"},
                                {"smp", "4"},
                                {"mem", "256"},
                                {"maxmem_mem", "2G"},
                                {"slots_mem", "4"},
                                {"vga", "qxl"},
                                {"qxl_dev_nr", "2"},
                                {"display", "vnc"},
                                {"vnc_secret", "hidden,word"},
                                {"intel_iommu", "yes"},
                                {"iommu_aw_bits", "48"},
                                {"virtio_dev_ats", "on"},
                                {"9p_export_dir", (job.dir() / "share").native()},
                                {"9p_readonly", "yes"},
                                {"ivshmems", "shm0"},
                                {"soundcards", "hda,ac97,es1370"},
                                {"enable_pvpanic", "yes"},
                                {"vmcoreinfo", "yes"},
                                {"enable_watchdog", "yes"},
                                {"testdev", "yes"},
                                {"isa_debugexit", "yes"},
                                {"isa_debugexit_iobase", "0xf4"},
                                {"inputs", "i1 i2"},
                                {"input_dev_type_i1", "tablet"},
                                {"input_dev_type_i2", "keyboard"},
                                {"input_dev_bus_type_i2", "virtio"},
                                {"usbs", "usb1 usb2 usb3"},
                                {"usb_type_usb1", "ich9-usb-ehci1"},
                                {"usb_type_usb2", "qemu-xhci"},
                                {"usb_type_usb3", "piix3-usb-uhci"},
                                {"balloon", "b0"},
                                {"balloon_opt_free_page_reporting", "yes"},
                                {"virtio_rngs", "r0"},
                                {"backend_r0", "rng-random"},
                                {"backend_type_r0", "random"},
                                {"filename_random", "/dev/urandom"},
                                {"serials", "serial0 vc0 vc1 vp0 vp1 ring usbser pci2 par0 nul0 tcp0"},
                                {"serial_type_serial0", "isa-serial"},
                                {"serial_type_vc0", "virtconsole"},
                                {"serial_type_vc1", "virtconsole"},
                                {"serial_type_vp0", "virtserialport"},
                                {"virtio_port_name_prefix", "org.avocado."},
                                {"serial_type_vp1", "virtserialport"},
                                {"serial_bus_vp1", "<new>"},
                                {"serial_nr_vp1", "7"},
                                {"serial_type_ring", "virtserialport"},
                                {"chardev_backend_ring", "ringbuf"},
                                {"ringbuf_write_size_ring", "4096"},
                                {"serial_type_usbser", "usb-serial"},
                                {"serial_type_pci2", "pci-serial"},
                                {"serial_type_par0", "isa-parallel"},
                                {"chardev_backend_par0", "null"},
                                {"serial_type_nul0", "isa-serial"},
                                {"chardev_backend_nul0", "file"},
                                {"serial_type_tcp0", "isa-serial"},
                                {"chardev_backend_tcp0", "tcp_socket"}});
    const auto vm = make_vm("vm1", params, job.context());
    vm->create();
    CHECK(differences(*vm) == "");
    CHECK(vm->needs_restart(params) == false);
    const auto words = read_file("/proc/" + std::to_string(vm->get_pid()) + "/cmdline");
    CHECK(words.find("hidden") == std::string::npos);
    CHECK(vm->monitor().command("query-vnc", Deadline::after(Seconds{60})).at("auth") == "vnc");
    const auto devices = devices_of(*vm);
    CHECK(devices->find("vp1")->param("bus") == "virtio_serial_pci2.0");
    CHECK(devices->find("vp1")->param("nr").empty());
    CHECK(devices->find("vp1")->address.at == std::vector<int>{7});
    CHECK(devices->find("vp0")->param("name") == "org.avocado.2");
    CHECK(devices->find("vc1")->param("bus") != devices->find("vc0")->param("bus"));
    vm->destroy(false);
}

TEST_CASE("virtio-fs and a disk of the storage daemon: companions that look into the machine's memory") {
    if (!have({"qemu-system-x86_64", "qemu-storage-daemon", "qemu-img"})) {
        return;
    }
    if (!fs::exists("/usr/lib/qemu/virtiofsd") && !fs::exists("/usr/libexec/virtiofsd")) {
        MESSAGE("virtiofsd is not installed; its tests are skipped");
        return;
    }
    const JobForTest job;
    fs::create_directory(job.dir() / "share");
    process::Command create;
    create.argv = {"qemu-img", "create", "-q", "-f", "qcow2", (job.dir() / "served.qcow2").native(), "4M"};
    process::check(create, Deadline::after(Seconds{60}));
    const auto params = paused({{"filesystems", "fs0"},
                                {"fs_driver", "virtio-fs"},
                                {"fs_target", "shared"},
                                {"fs_source_dir", "share"},
                                {"fs_binary_extra_options", "-o sandbox=chroot"},
                                {"images", "served"},
                                {"image_name", "served"},
                                {"image_format", "qcow2"},
                                {"drive_format", "virtio"},
                                {"storage_type_served", "vhost-user-blk"}});
    const auto vm = make_vm("vm1", params, job.context());
    vm->create();
    CHECK(differences(*vm) == "");
    const auto daemon = process_with((vm->instance_dir() / "storage-served").native());
    CHECK(daemon > 0);
    vm->destroy(false);
    CHECK(!ProcessId::of(daemon).alive());
}

}  // namespace vt::qemu

// SPDX-License-Identifier: GPL-2.0-or-later
// Disks as real QEMUs open them: encrypted, in two files, in chains, behind servers.
#include "runner/monitor/qmp.hpp"
#include "runner/process/process.hpp"
#include "runner/storage/image.hpp"
#include "runner/support/strings.hpp"
#include "runner/vm/errors.hpp"
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

Params machine_with(const Params& more) {
    Params params{{"qemu_binary", "qemu-system-x86_64"},
                  {"mem", "64"},
                  {"disable_kvm", "yes"},
                  {"monitors", "m1"},
                  {"display", "none"},
                  {"vga", "none"},
                  {"paused_after_start_vm", "yes"},
                  {"image_format", "qcow2"},
                  {"image_size", "4M"},
                  {"drive_format", "virtio"}};
    more.for_each([&](std::string_view key, std::string_view value) {
        params.set(std::string(key), std::string(value));
    });
    return params;
}

Image image_of(const Params& params, const std::string& name, const JobForTest& job) {
    return Image::from_params(params.object_params("vm1").object_params(name), name, job.dir());
}

void create(const Params& params, const std::string& name, const JobForTest& job) {
    image_of(params, name, job).create(Deadline::after(Seconds{60}));
}

/// What QEMU says of the medium of the device \p name.
nlohmann::json medium(Vm& vm, const std::string& name) {
    for (const auto& block : vm.monitor().command("query-block", Deadline::after(Seconds{60}))) {
        if (block.value("qdev", "").find(name) != std::string::npos) {
            return block.value("inserted", nlohmann::json::object());
        }
    }
    return nlohmann::json::object();
}

}  // namespace

TEST_CASE(
    "encrypted disks and those in two files open, keys stand on no command line, and the model is QEMU's") {
    if (!have_qemu()) {
        return;
    }
    const JobForTest job;
    const auto params = machine_with({{"images", "luks q2 two base top late"},
                                      {"boot_drive_late", "no"},
                                      {"image_name_late", "late"},
                                      {"image_format_late", "luks"},
                                      {"image_secret_late", "secret four"},
                                      {"image_iter_time_late", "10"},
                                      {"image_name_luks", "l"},
                                      {"image_format_luks", "luks"},
                                      {"image_secret_luks", "se,cret one"},
                                      {"image_iter_time_luks", "10"},
                                      {"image_name_q2", "e"},
                                      {"image_encryption_q2", "luks"},
                                      {"image_secret_q2", "secret two"},
                                      {"image_iter_time_q2", "10"},
                                      {"image_name_two", "t"},
                                      {"enable_data_file_two", "yes"},
                                      {"image_name_base", "b"},
                                      {"image_format_base", "luks"},
                                      {"image_secret_base", "secret three"},
                                      {"image_iter_time_base", "10"},
                                      {"boot_drive_base", "no"},
                                      {"image_name_top", "over"},
                                      {"image_chain_top", "base top"},
                                      {"image_throttle_group_top", "limit"},
                                      {"throttle_groups", "limit"},
                                      {"throttle_group_parameters", R"({"iops-total": 400})"},
                                      {"image_copy_on_read_top", "yes"},
                                      {"iothreads", "t0 t1"},
                                      {"iothread_scheme", "roundrobin"},
                                      {"image_iothread", "auto"}});
    for (const char* name : {"luks", "q2", "two", "base", "top", "late"}) {
        create(params, name, job);
    }
    CHECK(std::filesystem::exists(job.dir() / "images/t.data_file"));
    CHECK(image_of(params, "q2", job).info().virtual_size == 4U << 20);
    CHECK(image_of(params, "top", job).exists());
    image_of(params, "q2", job).check(Deadline::after(Seconds{60}));
    auto wrong = params;
    wrong.set("image_secret_q2", "another");
    CHECK_THROWS_WITH_AS(make_vm("vm1", wrong, job.context())->create(),
                         doctest::Contains("Invalid password"), VMCreateError);

    const auto vm = make_vm("vm1", params, job.context());
    vm->create();
    for (const char* name : {"luks", "q2", "two", "top"}) {
        CAPTURE(name);
        CHECK(medium(*vm, name).at("image").at("virtual-size") == 4U << 20);
    }
    CHECK(medium(*vm, "luks").at("encrypted") == true);
    CHECK(medium(*vm, "top").at("backing_file_depth") >= 1);
    CHECK(join(devices_of(*vm)->differences(Deadline::after(Seconds{60})), "\n") == "");
    const auto words = read_file("/proc/" + std::to_string(vm->get_pid()) + "/cmdline");
    CHECK(words.find("se,cret") == std::string::npos);
    CHECK(words.find("secret two") == std::string::npos);
    const auto key = vm->instance_dir() / "secret-q2_encrypt0";
    CHECK((std::filesystem::status(key).permissions() & std::filesystem::perms(077)) ==
          std::filesystem::perms::none);
    // The same road for what comes later.
    const auto devices = devices_of(*vm);
    const auto made = devices->define_disk("late", params.object_params("vm1"));
    devices->plug(made, Deadline::after(Seconds{60}));
    CHECK(medium(*vm, "late").at("encrypted") == true);
    CHECK(join(devices->differences(Deadline::after(Seconds{60})), "\n") == "");
    vm->destroy(false);
    CHECK(!std::filesystem::exists(key));
}

TEST_CASE("a disk of another host's server: over a Unix socket, TCP, and with an error injected below") {
    if (!have_qemu() || !process::find_program("qemu-nbd")) {
        return;
    }
    const JobForTest job;
    auto params = machine_with({{"images", "own far"},
                                {"image_name_own", "own"},
                                {"enable_nbd_own", "yes"},
                                {"image_name_far", "far"},
                                {"enable_nbd_far", "yes"},
                                {"nbd_unix_socket_far", (job.dir() / "far.socket").native()},
                                {"drive_blkdebug_far", (job.dir() / "rules").native()}});
    auto local = params;
    local.set("enable_nbd_far", "no");
    create(local, "far", job);
    create(params, "own", job);
    write_file_atomically(job.dir() / "rules", "[inject-error]\nevent = \"write_aio\"\nerrno = \"28\"\n");
    process::Command serve;
    serve.argv = {"qemu-nbd", "--persistent", "--format=raw",
                  "--socket=" + (job.dir() / "far.socket").native(), (job.dir() / "far.qcow2").native()};
    process::Child server(serve);
    const auto deadline = Deadline::after(Seconds{60});
    while (!image_of(params, "far", job).exists() && !deadline.expired()) {
    }
    CHECK(image_of(params, "far", job).remote());
    const auto vm = make_vm("vm1", params, job.context());
    vm->create();
    CHECK(medium(*vm, "own").at("image").at("virtual-size") == 4U << 20);
    CHECK(medium(*vm, "far").at("image").at("virtual-size") == 4U << 20);
    CHECK(medium(*vm, "far").at("image").at("filename").get<std::string>().find("nbd") != std::string::npos);
    CHECK(join(devices_of(*vm)->differences(Deadline::after(Seconds{60})), "\n") == "");
    vm->destroy(false);
}

}  // namespace vt::qemu

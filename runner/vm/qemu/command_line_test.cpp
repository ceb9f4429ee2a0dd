// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/vm/qemu/command_line.hpp"

#include "runner/support/error.hpp"

#include <algorithm>

#include <doctest/doctest.h>

namespace vt::qemu {

namespace {

std::vector<std::string> argv_of(const Params& params, Placement placement = {}) {
    placement.instance_dir = "/run/vm";
    return command_line(MachineSpec::from_params(params, "vm1", "/data"), placement);
}

/// What follows \p option where it stands with a value that begins so; empty if nowhere.
std::string value_of(const std::vector<std::string>& argv, const std::string& option,
                     const std::string& beginning = {}) {
    for (std::size_t i = 0; i + 1 < argv.size(); ++i) {
        if (argv[i] == option && argv[i + 1].starts_with(beginning)) {
            return argv[i + 1];
        }
    }
    return {};
}

bool has(const std::vector<std::string>& argv, const std::string& word) {
    return std::find(argv.begin(), argv.end(), word) != argv.end();
}

}  // namespace

TEST_CASE("commas are doubled, NUL is refused") {
    CHECK(option_value("a,b=c") == "a,,b=c");
    CHECK(option_value("new\nline") == "new\nline");
    CHECK_THROWS_AS(option_value(std::string_view("a\0b", 3)), Error);
}

TEST_CASE("a hostile file name stays one file name") {
    const auto argv = argv_of({{"images", "image1"},
                               {"image_name", "x,read-only=off,y\n-device nonsense; rm -rf /"},
                               {"image_format", "raw"},
                               {"drive_format", "virtio"}});
    CHECK(value_of(argv, "-blockdev", "node-name=file_image1") ==
          "node-name=file_image1,driver=file,filename=/data/x,,read-only=off,,y\n-device nonsense; rm -rf "
          "/.raw");
}

TEST_CASE("hostile names and values do not make options") {
    const auto argv = argv_of({{"images", "i,id=evil"},
                               {"image_name", "x"},
                               {"drive_format", "virtio"},
                               {"nics", "n,netdev=evil"},
                               {"nic_model", "e1000,addr=3"},
                               {"mac", "9a,romfile=x"},
                               {"machine_type", "pc,accel=kvm"},
                               {"serials", "s,path=/etc"},
                               {"boot_order", "c,menu=on"},
                               {"kernel", "k"},
                               {"kernel_params", "a=b,c -daemonize"}});
    CHECK(value_of(argv, "-device", "virtio-blk-pci") ==
          "virtio-blk-pci,id=i,,id=evil,drive=drive_i,,id=evil");
    CHECK(value_of(argv, "-device", "e1000")
              .starts_with("e1000,,addr=3,id=n,,netdev=evil,netdev=netdev_n,,netdev=evil"));
    CHECK(value_of(argv, "-machine") == "pc,,accel=kvm");
    CHECK(value_of(argv, "-boot") == "order=c,,menu=on");
    CHECK(value_of(argv, "-append") == "a=b,c -daemonize");
    CHECK(!has(argv, "-daemonize"));
}

TEST_CASE("the accelerator and the processor model") {
    Placement kvm;
    kvm.kvm = true;
    const Params automatic{{"auto_cpu_model", "yes"}};
    CHECK(value_of(argv_of(automatic, kvm), "-accel") == "kvm");
    CHECK(value_of(argv_of(automatic, kvm), "-cpu") == "host");
    CHECK(value_of(argv_of(automatic), "-accel") == "tcg");
    CHECK(value_of(argv_of(automatic), "-cpu").empty());
    CHECK(value_of(argv_of({{"cpu_model", "host"}}), "-cpu") == "max");
    CHECK(value_of(argv_of({{"cpu_model", "Nehalem"}, {"cpu_model_flags", ",+avx,-sse4.2"}}), "-cpu") ==
          "Nehalem,+avx,-sse4.2");
    CHECK(value_of(argv_of({{"disable_kvm", "yes"}}, kvm), "-accel") == "tcg");
}

TEST_CASE("default devices and configuration files of the host stay away on request") {
    CHECK(has(argv_of({}), "-nodefaults"));
    CHECK(!has(argv_of({{"defaults", "yes"}}), "-nodefaults"));
    CHECK(!has(argv_of({{"defconfig", "yes"}}), "-no-user-config"));
    CHECK(has(argv_of({{"defconfig", "no"}}), "-no-user-config"));
}

TEST_CASE("user networking forwards to loopback only, and a bridge that is not there becomes it") {
    Placement placement;
    placement.forwarded["nic1"]["remote_shell"] = 5022;
    placement.macs["nic1"] = "9a:11:22:33:44:55";
    const Params params{
        {"nics", "nic1"},           {"nic_model", "virtio"},           {"nettype", "bridge"},
        {"redirs", "remote_shell"}, {"guest_port_remote_shell", "22"}, {"netdev_extra_params", "vhost=on"}};
    const auto argv = argv_of(params, placement);
    CHECK(value_of(argv, "-netdev") == "user,id=netdev_nic1,hostfwd=tcp:127.0.0.1:5022-:22");
    CHECK(value_of(argv, "-device", "virtio-net-pci") ==
          "virtio-net-pci,id=nic1,netdev=netdev_nic1,mac=9a:11:22:33:44:55");
    placement.taps["nic1"] = "t0";
    CHECK(value_of(argv_of(params, placement), "-netdev") ==
          "tap,id=netdev_nic1,ifname=t0,script=no,downscript=no,vhost=on");
}

TEST_CASE("buses of disks get their controllers once") {
    const auto argv = argv_of({{"images", "a b c d e"},
                               {"image_name", "x"},
                               {"drive_format_a", "scsi-hd"},
                               {"drive_format_b", "scsi-hd"},
                               {"drive_format_c", "ahci"},
                               {"drive_format_d", "usb2"},
                               {"drive_format_e", "ide"},
                               {"drive_index_e", "3"}});
    CHECK(std::count(argv.begin(), argv.end(), "virtio-scsi-pci,id=virtio_scsi_pci0") == 1);
    CHECK(has(argv, "ahci,id=ahci0"));
    CHECK(has(argv, "usb-ehci,id=usb_for_usb2"));
    CHECK(value_of(argv, "-device", "scsi-hd,id=b") == "scsi-hd,id=b,drive=drive_b,bus=virtio_scsi_pci0.0");
    CHECK(value_of(argv, "-device", "ide-hd,id=c") == "ide-hd,id=c,drive=drive_c,bus=ahci0.0");
    CHECK(value_of(argv, "-device", "usb-storage") == "usb-storage,id=d,drive=drive_d,bus=usb_for_usb2.0");
    CHECK(value_of(argv, "-device", "ide-hd,id=e") == "ide-hd,id=e,drive=drive_e,bus=ide.1,unit=1");
}

TEST_CASE("cache modes and native AIO") {
    const Params params{
        {"images", "a"}, {"image_name", "x"}, {"drive_format", "virtio"}, {"image_aio", "native"}};
    CHECK(value_of(argv_of(params), "-blockdev", "node-name=file_a") ==
          "node-name=file_a,driver=file,filename=/data/x.qcow2,aio=native,cache.direct=on");
    const Params through{
        {"images", "a"}, {"image_name", "x"}, {"drive_format", "virtio"}, {"drive_cache", "writethrough"}};
    CHECK(value_of(argv_of(through), "-device", "virtio-blk").ends_with(",write-cache=off"));
}

TEST_CASE("an overlay takes the writes in the image's place") {
    Placement placement;
    placement.overlays["a"] = "/run/vm/o.qcow2";
    const auto argv =
        argv_of({{"images", "a"}, {"image_name", "x"}, {"image_format", "raw"}, {"drive_format", "virtio"}},
                placement);
    CHECK(value_of(argv, "-blockdev", "node-name=file_a") ==
          "node-name=file_a,driver=file,filename=/run/vm/o.qcow2");
    CHECK(value_of(argv, "-blockdev", "node-name=drive_a") == "node-name=drive_a,driver=qcow2,file=file_a");
}

TEST_CASE("monitors and serial ports are sockets in the instance directory") {
    const auto argv = argv_of({{"monitors", "m1 h1"}, {"monitor_type_h1", "human"}, {"serials", "s1"}});
    CHECK(has(argv, "socket,id=qmp_id_m1,path=/run/vm/monitor-m1,server=on,wait=off"));
    CHECK(has(argv, "chardev=qmp_id_m1,mode=control"));
    CHECK(has(argv, "chardev=hmp_id_h1,mode=readline"));
    CHECK(has(argv, "isa-serial,id=s1,chardev=chardev_s1"));
}

TEST_CASE("equal parameters give equal command lines, other memory another one") {
    const Params params{{"images", "a"}, {"image_name", "x"}, {"nics", "n"}};
    CHECK(argv_of(params) == argv_of(params));
    Params changed = params;
    changed.set("mem", "333");
    CHECK(argv_of(params) != argv_of(changed));
}

TEST_CASE("an EHCI controller gets companions only for what is slow") {
    const Params fast{{"usbs", "usb1"},
                      {"usb_type", "ich9-usb-ehci1"},
                      {"usb_devices", "tab1"},
                      {"usbdev_type_tab1", "usb-tablet"}};
    CHECK(has(argv_of(fast), "ich9-usb-ehci1,id=usb1"));
    Params slow = fast;
    slow.set("usbdev_type_tab1", "usb-hub");
    CHECK(has(argv_of(slow), "ich9-usb-ehci1,id=usb1,addr=1d.7,multifunction=on"));
    CHECK(has(argv_of(slow),
              "ich9-usb-uhci2,id=usb1.1,multifunction=on,masterbus=usb1.0,firstport=2,addr=1d.1"));
}

TEST_CASE("displays stay on loopback") {
    CHECK(value_of(argv_of({}), "-vnc").starts_with("127.0.0.1:"));
    CHECK(value_of(argv_of({{"display", "spice"}}), "-spice").starts_with("addr=127.0.0.1,"));
    CHECK(value_of(argv_of({{"display", "none"}}), "-display") == "none");
}

}  // namespace vt::qemu

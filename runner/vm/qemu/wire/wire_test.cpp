// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/vm/qemu/wire/wire.hpp"

#include "runner/caps/capabilities.hpp"
#include "runner/support/error.hpp"
#include "runner/vm/qemu/build/builder.hpp"

#include <algorithm>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

// What QEMU is told where nothing is known of it: texts.
namespace vt::qemu {

namespace {

std::vector<std::string> argv_of(const Params& params, Placement placement = {}) {
    placement.instance_dir = "/run/vm";
    const auto spec = MachineSpec::from_params(params, "vm1", "/data");
    return argv(build_machine(spec, placement, Capabilities()), Capabilities());
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
    CHECK(value_of(argv, "-blockdev", "driver=file,node-name=file_image1") ==
          "driver=file,node-name=file_image1,filename=/data/x,,read-only=off,,y\n-device nonsense; rm -rf "
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
          "virtio-blk-pci,id=i,,id=evil,drive=drive_i,,id=evil,bus=pci.0,addr=0x2");
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
          "virtio-net-pci,id=nic1,netdev=netdev_nic1,mac=9a:11:22:33:44:55,bus=pci.0,addr=0x2");
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
    CHECK(std::count(argv.begin(), argv.end(), "virtio-scsi-pci,id=virtio_scsi_pci0,bus=pci.0,addr=0x2") ==
          1);
    CHECK(has(argv, "ahci,id=ahci0,bus=pci.0,addr=0x3"));
    CHECK(has(argv, "usb-ehci,id=usb_for_usb2,bus=pci.0,addr=0x4"));
    CHECK(value_of(argv, "-device", "scsi-hd,id=b") ==
          "scsi-hd,id=b,drive=drive_b,bus=virtio_scsi_pci0.0,scsi-id=1,lun=0");
    CHECK(value_of(argv, "-device", "ide-hd,id=c") == "ide-hd,id=c,drive=drive_c,bus=ahci0.0,unit=0");
    CHECK(value_of(argv, "-device", "usb-storage") ==
          "usb-storage,id=d,drive=drive_d,bus=usb_for_usb2.0,port=1");
    CHECK(value_of(argv, "-device", "ide-hd,id=e") == "ide-hd,id=e,drive=drive_e,bus=ide.1,unit=1");
}

TEST_CASE("cache modes and native AIO") {
    const Params params{
        {"images", "a"}, {"image_name", "x"}, {"drive_format", "virtio"}, {"image_aio", "native"}};
    CHECK(value_of(argv_of(params), "-blockdev", "driver=file") ==
          "driver=file,node-name=file_a,filename=/data/x.qcow2,aio=native,cache.direct=on");
    const Params through{
        {"images", "a"}, {"image_name", "x"}, {"drive_format", "virtio"}, {"drive_cache", "writethrough"}};
    CHECK(value_of(argv_of(through), "-device", "virtio-blk").find(",write-cache=off") != std::string::npos);
}

TEST_CASE("an overlay takes the writes in the image's place") {
    Placement placement;
    placement.overlays["a"] = "/run/vm/o.qcow2";
    const auto argv =
        argv_of({{"images", "a"}, {"image_name", "x"}, {"image_format", "raw"}, {"drive_format", "virtio"}},
                placement);
    CHECK(value_of(argv, "-blockdev", "driver=file") ==
          "driver=file,node-name=file_a,filename=/run/vm/o.qcow2");
    CHECK(value_of(argv, "-blockdev", "driver=qcow2") == "driver=qcow2,node-name=drive_a,file=file_a");
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
    CHECK(has(argv_of(fast), "ich9-usb-ehci1,id=usb1,bus=pci.0,addr=0x2"));
    Params slow = fast;
    slow.set("usbdev_type_tab1", "usb-hub");
    CHECK(has(argv_of(slow), "ich9-usb-ehci1,id=usb1,multifunction=on,bus=pci.0,addr=0x1d.0x7"));
    CHECK(has(
        argv_of(slow),
        "ich9-usb-uhci2,id=usb1.1,multifunction=on,masterbus=usb1.0,firstport=2,bus=pci.0,addr=0x1d.0x1"));
}

TEST_CASE("displays stay on loopback") {
    CHECK(value_of(argv_of({}), "-vnc").starts_with("127.0.0.1:"));
    CHECK(value_of(argv_of({{"display", "spice"}}), "-spice").starts_with("addr=127.0.0.1,"));
    CHECK(value_of(argv_of({{"display", "none"}}), "-display") == "none");
}

TEST_CASE("where the binary takes JSON: typed values; what cannot be typed is left to QEMU's parser") {
    const auto caps = Capabilities::parse(
        "qemu-capabilities 2\n"
        "device\tvirtio-blk-pci\tPCI\tpcie\tdrive:str serial:str bootindex:int32 num-queues:uint16 scsi:bool "
        "write-cache:OnOffAuto\n"
        "block\tfile\tdriver:enum node-name:string filename:string cache:object read-only:boolean\n"
        "block\tqcow2\tdriver:enum node-name:string file:alternate cache:object\n"
        "command\tdevice_add\tdriver\tjson-cli json-cli-hotplug\n"
        "command\tblockdev-add\t\t\n"
        "end\tend\n");
    Params params{{"images", "a"},    {"image_name", "x"},   {"drive_format", "virtio"},
                  {"bootindex", "1"}, {"drive_serial", "7"}, {"drive_cache", "none"}};
    const auto spec = [&] { return MachineSpec::from_params(params, "vm1", "/data"); };
    params.set("blk_extra_params", "num-queues=0x4,scsi=off,addr=0x9");
    auto words = argv(build_machine(spec(), {}, caps), caps);
    CHECK(value_of(words, "-device") ==
          R"({"addr":"0x9","bootindex":1,"bus":"pci.0","drive":"drive_a","driver":"virtio-blk-pci","id":"a",)"
          R"("num-queues":4,"scsi":false,"serial":"7","write-cache":"on"})");
    CHECK(
        value_of(words, "-blockdev") ==
        R"({"cache":{"direct":true,"no-flush":false},"driver":"file","filename":"/data/x.qcow2","node-name":"file_a"})");
    // Devices of the user's come as text, which QEMU makes before those in JSON.
    CHECK(value_of(argv(build_machine(spec(), {}, caps), caps, {"-device", "e1000"}), "-device")
              .starts_with("virtio-blk-pci,id=a,"));
    params.set("blk_extra_params", "num-queues=many");
    words = argv(build_machine(spec(), {}, caps), caps);
    CHECK(value_of(words, "-device").starts_with("virtio-blk-pci,id=a,"));
    CHECK(value_of(words, "-device").ends_with(",num-queues=many"));
    // A name that is no UTF-8 fits no JSON.
    params.set("image_name", "\xff");
    words = argv(build_machine(spec(), {}, caps), caps);
    CHECK(value_of(words, "-blockdev") ==
          "driver=file,node-name=file_a,filename=/data/\xff.qcow2,cache.direct=on,cache.no-flush=off");
}

TEST_CASE("a binary without block nodes gets drives") {
    const auto caps = Capabilities::parse("qemu-capabilities 2\ncommand\tdevice_add\tdriver\t\nend\tend\n");
    const auto spec = MachineSpec::from_params(
        {{"images", "a"}, {"image_name", "x"}, {"drive_format", "virtio"}, {"drive_cache", "none"}}, "vm1",
        "/data");
    const auto words = argv(build_machine(spec, {}, caps), caps);
    CHECK(value_of(words, "-drive") == "id=drive_a,if=none,format=qcow2,cache=none,file=/data/x.qcow2");
    CHECK(value_of(words, "-blockdev").empty());
}

TEST_CASE("QMP says of a node what the command line says") {
    const auto spec = MachineSpec::from_params({{"images", "a"},
                                                {"image_name", "x"},
                                                {"drive_format", "virtio"},
                                                {"nics", "n"},
                                                {"nic_model", "e1000"},
                                                {"serials", "s"},
                                                {"virtio_rngs", "r"},
                                                {"backend", "rng-random"},
                                                {"backend_type", "path"},
                                                {"filename_path", "/dev/urandom"}},
                                               "vm1", "/data");
    Placement placement;
    placement.instance_dir = "/run/vm";
    placement.forwarded["n"]["r"] = 5000;
    auto with_redir = spec;
    with_redir.nics[0].redirs["r"] = 22;
    const Capabilities caps;
    const auto machine = build_machine(with_redir, placement, caps);
    const auto added = [&](const char* qid) {
        const auto command = qmp_add(machine, *machine.find(qid), caps);
        return command.name + " " + command.json().dump();
    };
    CHECK(added("file_a") ==
          R"(blockdev-add {"driver":"file","filename":"/data/x.qcow2","node-name":"file_a"})");
    CHECK(added("a") ==
          R"(device_add {"addr":"0x2","bus":"pci.0","drive":"drive_a","driver":"virtio-blk-pci","id":"a"})");
    CHECK(added("netdev_n") ==
          R"(netdev_add {"hostfwd":[{"str":"tcp:127.0.0.1:5000-:22"}],"id":"netdev_n","type":"user"})");
    CHECK(added("backend-r") ==
          R"(object-add {"filename":"/dev/urandom","id":"backend-r","qom-type":"rng-random"})");
    CHECK(
        added("chardev_s") ==
        R"(chardev-add {"backend":{"data":{"addr":{"data":{"path":"/run/vm/serial-s"},"type":"unix"},"server":true,)"
        R"("wait":false},"type":"socket"},"id":"chardev_s"})");
    CHECK(qmp_del(*machine.find("a")).json().dump() == R"({"id":"a"})");
    CHECK(qmp_del(*machine.find("file_a")).json().dump() == R"({"node-name":"file_a"})");
    CHECK_THROWS_AS(qmp_add(machine, *machine.find("pc"), caps), ModelError);
}

TEST_CASE("places that users give: PCI slots, SCSI units, devices among extra arguments, bridges") {
    const auto argv = argv_of({{"images", "d1 b"},
                               {"image_name", "x"},
                               {"drive_format_d1", "virtio"},
                               {"drive_pci_addr_d1", "0x7"},
                               {"drive_format_b", "scsi-hd"},
                               {"drive_lun_b", "5"},
                               {"nics", "n"},
                               {"nic_model", "e1000"},
                               {"pci_controllers", "br1"},
                               {"type_br1", "pci-bridge"},
                               {"pci_bus_n", "br1"},
                               {"extra_params", "-device rtl8139,addr=0x3"}});
    CHECK(value_of(argv, "-device", "virtio-blk-pci").ends_with("bus=pci.0,addr=0x7"));
    CHECK(value_of(argv, "-device", "virtio-scsi-pci")
              .ends_with("addr=0x4"));  // 2 is the bridge, 3 the rtl8139
    CHECK(value_of(argv, "-device", "scsi-hd").ends_with("scsi-id=0,lun=5"));
    CHECK(value_of(argv, "-device", "e1000").find("bus=br1,addr=0x1") != std::string::npos);
    CHECK_THROWS_AS(argv_of({{"nics", "n"}, {"nic_model", "e1000"}, {"nic_pci_addr", "0"}}), AddressError);
    CHECK_THROWS_AS(argv_of({{"nics", "n"}, {"nic_model", "e1000"}, {"nic_pci_addr", "third"}}),
                    AddressError);
}

TEST_CASE(
    "layers of a disk: each is called by its type, the uppermost drive_NAME; threads and groups come first") {
    const auto argv = argv_of({{"images", "a b c"},
                               {"image_name", "x"},
                               {"drive_format", "virtio"},
                               {"throttle_groups", "g1"},
                               {"throttle_group_parameters_g1", R"({"iops-total": 40})"},
                               {"image_throttle_group_a", "g1"},
                               {"image_copy_on_read_a", "on"},
                               {"image_raw_device_b", "yes"},
                               {"image_name_b", "/dev/sdz"},
                               {"iothreads", "t1 t2"},
                               {"iothread_scheme", "roundrobin"},
                               {"iothread_poll_max_ns_t1", "0"},
                               {"image_iothread", "AUTO"}});
    CHECK(value_of(argv, "-object", "throttle-group") == "throttle-group,id=g1,x-iops-total=40");
    CHECK(value_of(argv, "-object", "iothread") == "iothread,id=t1,poll-max-ns=0");
    CHECK(value_of(argv, "-blockdev", "driver=qcow2") == "driver=qcow2,node-name=qcow2_a,file=file_a");
    CHECK(value_of(argv, "-blockdev", "driver=copy-on-read") ==
          "driver=copy-on-read,node-name=copy-on-read_a,file=qcow2_a");
    CHECK(value_of(argv, "-blockdev", "driver=throttle") ==
          "driver=throttle,node-name=drive_a,throttle-group=g1,file=copy-on-read_a");
    CHECK(value_of(argv, "-blockdev", "driver=host_device") ==
          "driver=host_device,node-name=host_device_b,filename=/dev/sdz");
    CHECK(value_of(argv, "-device", "virtio-blk-pci,id=a").find("iothread=t1") != std::string::npos);
    CHECK(value_of(argv, "-device", "virtio-blk-pci,id=b").find("iothread=t2") != std::string::npos);
    CHECK(value_of(argv, "-device", "virtio-blk-pci,id=c").find("iothread=t1") != std::string::npos);
    CHECK_THROWS_AS(argv_of({{"iothread_scheme", "magic"}}), BadParam);
    CHECK_THROWS_AS(argv_of({{"throttle_groups", "g"}, {"throttle_group_parameters", "much"}}), BadParam);
}

TEST_CASE("NUMA nodes with memory of their own, and their distances") {
    const auto argv = argv_of({{"guest_numa_nodes", "n0 n1"},
                               {"numa_cpus_n0", "0,2-3"},
                               {"numa_memdev_n0", "mem-m0"},
                               {"numa_mem_n1", "32"},
                               {"numa_dist_n0", "[[0, 10], [1, 21]]"},
                               {"mem_devs", "m0"},
                               {"size_mem_m0", "32M"},
                               {"use_mem_m0", "no"}});
    CHECK(value_of(argv, "-object") == "memory-backend-ram,id=mem-m0,size=32M");
    CHECK(value_of(argv, "-numa", "node,nodeid=0") == "node,nodeid=0,memdev=mem-m0,cpus=0,cpus=2-3");
    CHECK(value_of(argv, "-numa", "node,nodeid=1") == "node,nodeid=1,mem=32");
    CHECK(has(argv, "dist,src=0,dst=1,val=21"));
    CHECK_THROWS_AS(argv_of({{"guest_numa_nodes", "n0"}, {"numa_dist", "far"}}), BadParam);
}

}  // namespace vt::qemu

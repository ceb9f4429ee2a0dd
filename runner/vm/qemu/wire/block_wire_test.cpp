// SPDX-License-Identifier: GPL-2.0-or-later
// Command lines of disks that no test here can reach: what QEMU is told of servers, keys, rules.
#include "runner/caps/capabilities.hpp"
#include "runner/process/process.hpp"
#include "runner/support/file.hpp"
#include "runner/support/log.hpp"
#include "runner/support/strings.hpp"
#include "runner/vm/errors.hpp"
#include "runner/vm/qemu/build/builder.hpp"
#include "runner/vm/qemu/wire/wire.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

namespace vt::qemu {

namespace {

std::vector<std::string> argv_of(Params params, const Capabilities& caps) {
    params.set("images", "i");
    params.set("image_name", "x");
    params.set("drive_format", "virtio");
    Placement placement;
    placement.instance_dir = "/run/vm";
    return argv(build_machine(MachineSpec::from_params(params, "vm1", "/data"), placement, caps), caps);
}

/// The first block node of \p params as text and as JSON.
void check_node(const Params& params, const std::string& option, const std::string& text,
                const std::string& json) {
    const auto find = [&](const std::vector<std::string>& words) {
        for (std::size_t i = 0; i + 1 < words.size(); ++i) {
            if (words[i] == "-" + option) {
                return words[i + 1];
            }
        }
        return std::string();
    };
    CHECK(find(argv_of(params, Capabilities())) == text);
    if (!process::find_program("qemu-system-x86_64")) {
        MESSAGE("qemu-system-x86_64 is not installed; its tests are skipped");
        return;
    }
    static const TempDirectory cache("block-wire");
    static const auto caps = Capabilities::of("qemu-system-x86_64", cache.path());
    CHECK(nlohmann::json::parse(find(argv_of(params, caps))) == nlohmann::json::parse(json));
}

}  // namespace

TEST_CASE("block nodes of servers") {
    log::set_sink([](auto, auto, auto) {});
    check_node(
        {{"enable_nbd", "yes"}, {"nbd_server", "h"}, {"nbd_port", "9"}, {"nbd_reconnect_delay", "5"}},
        "blockdev",
        "driver=nbd,node-name=nbd_i,server.type=inet,server.host=h,server.port=9,reconnect-delay=5",
        R"({"driver":"nbd","node-name":"nbd_i","server":{"type":"inet","host":"h","port":"9"},"reconnect-delay":5})");
    check_node(
        {{"enable_ssh", "yes"},
         {"image_ssh_host", "h"},
         {"image_ssh_path", "/p"},
         {"image_ssh_host_key_check", "no"}},
        "blockdev",
        "driver=ssh,node-name=ssh_i,server.host=h,server.port=22,path=/p,host-key-check.mode=none",
        R"({"driver":"ssh","node-name":"ssh_i","server":{"host":"h","port":"22"},"path":"/p","host-key-check":{"mode":"none"}})");
    check_node({{"enable_nvme", "yes"}, {"nvme_pci_address", "0000:01:00.0"}, {"nvme_namespace", "2"}},
               "blockdev", "driver=nvme,node-name=nvme_i,device=0000:01:00.0,namespace=2",
               R"({"driver":"nvme","node-name":"nvme_i","device":"0000:01:00.0","namespace":2})");
    check_node(
        {{"enable_gluster", "yes"},
         {"gluster_volume_name", "v"},
         {"gluster_server", "g"},
         {"gluster_peers", R"([{"path": "/s"}])"},
         {"gluster_debug", "4"}},
        "blockdev",
        "driver=gluster,node-name=gluster_i,volume=v,path=x.qcow2,server.0.type=inet,server.0.host=g,"
        "server.0.port=24007,server.1.type=unix,server.1.path=/s,debug=4",
        R"({"driver":"gluster","node-name":"gluster_i","volume":"v","path":"x.qcow2","debug":4,"server":[)"
        R"({"type":"inet","host":"g","port":"24007"},{"type":"unix","path":"/s"}]})");
    log::set_sink({});
}

TEST_CASE("passwords and keys are objects that read files") {
    log::set_sink([](auto, auto, auto) {});
    check_node({{"enable_iscsi", "yes"},
                {"storage_type", "iscsi-direct"},
                {"portal_ip", "h"},
                {"target", "t"},
                {"chap_user", "u"},
                {"chap_passwd", "p"}},
               "object", "secret,id=i_access_secret0,file=/run/vm/secret-i_access_secret0",
               R"({"qom-type":"secret","id":"i_access_secret0","file":"/run/vm/secret-i_access_secret0"})");
    check_node(
        {{"enable_ceph", "yes"}, {"rbd_pool_name", "p"}, {"ceph_key", "Zm9v"}}, "object",
        "secret,id=i_access_secret0,file=/run/vm/secret-i_access_secret0,format=base64",
        R"({"qom-type":"secret","id":"i_access_secret0","file":"/run/vm/secret-i_access_secret0","format":"base64"})");
    check_node({{"enable_nbd", "yes"}, {"nbd_server", "h"}, {"nbd_client_tls_creds", "/tls"}}, "object",
               "tls-creds-x509,id=i_tls_creds,endpoint=client,dir=/tls",
               R"({"qom-type":"tls-creds-x509","id":"i_tls_creds","endpoint":"client","dir":"/tls"})");
    check_node({{"image_encryption", "luks"}, {"image_secret", "s"}}, "object",
               "secret,id=i_encrypt0,file=/run/vm/secret-i_encrypt0",
               R"({"qom-type":"secret","id":"i_encrypt0","file":"/run/vm/secret-i_encrypt0"})");
    log::set_sink({});
}

TEST_CASE("layers of a disk: rules for errors, limits, copies; what the user adds to each") {
    const auto words = argv_of({{"drive_blkdebug", "/rules"},
                                {"image_copy_on_read", "yes"},
                                {"throttle_groups", "g"},
                                {"image_throttle_group", "g"},
                                {"drv_extra_params", "discard=on,cache-size=1M,pr-manager=pr"},
                                {"num_queues", "4"},
                                {"logical_block_size", "4096"}},
                               Capabilities());
    std::string nodes;
    for (std::size_t i = 0; i + 1 < words.size(); ++i) {
        nodes += words[i] == "-blockdev" ? words[i + 1] + "\n" : "";
    }
    CHECK(nodes ==
          "driver=file,node-name=file_i,filename=/data/x.qcow2,discard=unmap,pr-manager=pr\n"
          "driver=blkdebug,node-name=blkdebug_i,config=/rules,image=file_i\n"
          "driver=qcow2,node-name=qcow2_i,file=blkdebug_i,discard=unmap,cache-size=1M\n"
          "driver=copy-on-read,node-name=copy-on-read_i,file=qcow2_i\n"
          "driver=throttle,node-name=drive_i,throttle-group=g,file=copy-on-read_i\n");
    CHECK(join(words, " ").find("num-queues=4") != std::string::npos);
    CHECK(join(words, " ").find("logical_block_size=4096") != std::string::npos);
}

TEST_CASE("SCSI host adapters: each kind, by number, a second when the first is full") {
    Params params{{"images", "a b c d e f g h i"}, {"image_name", "x"},
                  {"image_format", "raw"},         {"drive_format", "scsi"},
                  {"drive_format_a", "megasas"},   {"drive_format_b", "pvscsi"},
                  {"drive_format_i", "scsi-hd"},   {"drive_bus_i", "2"}};
    const auto spec = MachineSpec::from_params(params, "vm1", "/data");
    const auto machine = build_machine(spec, {}, Capabilities());
    CHECK(machine.find("a")->address.bus == "megasas0.0");
    CHECK(machine.find("b")->address.bus == "pvscsi0.0");
    CHECK(machine.find("c")->address.bus == "lsi53c895a0.0");
    CHECK(machine.find("h")->address.at == std::vector<int>{0, 5, 0});
    CHECK(machine.find("i")->address.bus == "virtio_scsi_pci2.0");
    CHECK(machine.find("virtio_scsi_pci0"));
    params.set("images", "c d e f g h j k l m");
    const auto full = build_machine(MachineSpec::from_params(params, "vm1", "/data"), {}, Capabilities());
    CHECK(full.find("l")->address.bus == "lsi53c895a1.0");
}

}  // namespace vt::qemu

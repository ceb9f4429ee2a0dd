// SPDX-License-Identifier: GPL-2.0-or-later
// Setups that need programs, with stand-ins for them.
#include "runner/env/lifecycle.hpp"
#include "runner/env/setup/small_host_for_test.hpp"
#include "runner/support/file.hpp"
#include "runner/support/strings.hpp"

#include <algorithm>
#include <cstdlib>

#include <doctest/doctest.h>
#include <unistd.h>

namespace vt {

namespace fs = std::filesystem;

namespace {

/// PATH with stand-ins before all else; each writes down how it was called.
class StandIns {
  public:
    explicit StandIns(const SmallHost& host) : dir_(host.job.dir() / "bin"), former_(std::getenv("PATH")) {
        fs::create_directories(dir_);
        ::setenv("PATH", (dir_.native() + ":" + former_).c_str(), 1);
    }
    ~StandIns() { ::setenv("PATH", former_.c_str(), 1); }
    StandIns(const StandIns&) = delete;
    StandIns& operator=(const StandIns&) = delete;

    void add(const std::string& name, const std::string& body = "") const {
        write_file_atomically(
            dir_ / name,
            fmt::format("#!/bin/sh\necho {} \"$@\" >> {}/calls\n{}\n", name, dir_.native(), body), 0755);
    }
    /// The calls since the last time.
    std::vector<std::string> calls() const {
        const auto file = dir_ / "calls";
        if (!fs::exists(file)) {
            return {};
        }
        auto lines = split(read_file(file), '\n');
        lines.pop_back();
        fs::remove(file);
        return lines;
    }

  private:
    fs::path dir_;
    std::string former_;
};

using Calls = std::vector<std::string>;

}  // namespace

TEST_CASE("kvm_probe_module_parameters: loaded anew with them, and later as before") {
    SmallHost host({{"kvm_probe_module_parameters", "nested=1"}});
    const StandIns programs(host);
    programs.add("modprobe");
    host.put("sys/module/kvm_amd/parameters/nested", "0\n");
    host.put("sys/module/kvm_amd/parameters/npt", "Y\n");
    const auto verdict = host.run([&](TestContext&, Env&) {
        CHECK(programs.calls() == Calls{"modprobe -r kvm_amd", "modprobe kvm_amd nested=1"});
    });
    INFO(verdict.reason);
    CHECK(verdict.passed());
    CHECK(programs.calls() == Calls{"modprobe -r kvm_amd", "modprobe kvm_amd nested=0 npt=Y"});

    host.context.params.set("kvm_probe_module_parameters", "npt=Y");  // it has that
    CHECK(host.run().passed());
    CHECK(programs.calls().empty());
    host.context.params.set("kvm_probe_module_force_load", "yes");
    programs.add("modprobe", "echo Module kvm_amd is in use >&2; exit 1");
    const auto refused = host.run();
    CHECK(refused.status == TestStatus::cancel);
    CHECK(refused.reason.find("kvm_amd is in use") != std::string::npos);
}

TEST_CASE("kvm_module_parameters: what uses the module goes first and comes back") {
    SmallHost host({{"kvm_module_parameters", "ignore_msrs=1"}, {"kvm_module_force_load", "yes"}});
    const StandIns programs(host);
    programs.add("modprobe");
    host.put("sys/module/kvm/holders/kvm_intel/x", "");
    host.put("sys/module/kvm_intel/parameters/nested", "Y\n");
    CHECK(host.run([&](TestContext&, Env&) {
                  CHECK(programs.calls() == Calls{"modprobe -r kvm_intel", "modprobe -r kvm",
                                                  "modprobe kvm ignore_msrs=1", "modprobe kvm_intel"});
              })
              .passed());
    CHECK(programs.calls() ==
          Calls{"modprobe -r kvm_intel", "modprobe -r kvm", "modprobe kvm", "modprobe kvm_intel nested=Y"});
}

TEST_CASE("network_proxies: in the environment of the test") {
    SmallHost host({{"network_proxies", "http_proxy: http://a:1; https_proxy: http://b:2"}});
    ::setenv("https_proxy", "http://former", 1);
    ::unsetenv("http_proxy");
    CHECK(host.run([](TestContext&, Env&) {
                  CHECK(std::string(std::getenv("http_proxy")) == "http://a:1");
                  CHECK(std::string(std::getenv("https_proxy")) == "http://b:2");
              })
              .passed());
    CHECK(std::getenv("http_proxy") == nullptr);
    CHECK(std::string(std::getenv("https_proxy")) == "http://former");
    ::unsetenv("https_proxy");
    CHECK(SmallHost({{"network_proxies", "http://a"}}).run().status == TestStatus::error);
}

TEST_CASE("firewalld: stopped for the test, and as before after it") {
    SmallHost host({{"firewalld_service", "disable"}});
    const StandIns programs(host);
    programs.add("firewall-cmd");
    programs.add("systemctl");
    CHECK(host.run([&](TestContext&, Env&) {
                  CHECK(programs.calls() == Calls{"firewall-cmd --state", "systemctl stop firewalld"});
              })
              .passed());
    CHECK(programs.calls() == Calls{"systemctl start firewalld"});
    host.context.params = Params{{"vms", ""}, {"images", ""}, {"firewalld_dhcp_workaround", "yes"}};
    programs.add("firewall-cmd", "case $1 in --query*) exit 1;; esac");
    CHECK(host.run().passed());
    CHECK(programs.calls() == Calls{"firewall-cmd --state", "firewall-cmd --query-service=dhcp",
                                    "firewall-cmd --add-service=dhcp", "firewall-cmd --remove-service=dhcp"});
}

TEST_CASE("what this runner does not do is said, and the test is not run without it") {
    for (const char* key : {"run_nested_guest_test", "setup_egd", "migration_setup", "setup_ssh",
                            "setup_libvirt_polkit", "enable_strace"}) {
        SmallHost host({{key, "yes"}});
        const auto verdict = host.run([](TestContext&, Env&) { FAIL("the test ran"); });
        CHECK(verdict.status == TestStatus::cancel);
        CHECK(verdict.reason.find(key) == 0);
    }
}

TEST_CASE("versions of virtiofsd, virtio-win and QEMU") {
    const auto status = [](const Params& params) { return SmallHost(params).run().status; };
    const auto pass = TestStatus::pass;
    const auto cancel = TestStatus::cancel;
    CHECK(status({{"required_virtiofsd", "[1.7, )"}, {"virtiofsd_ver_cmd", "echo virtiofsd 1.10.2"}}) ==
          pass);
    CHECK(status({{"required_virtiofsd", "[1.11, )"}, {"virtiofsd_ver_cmd", "echo virtiofsd 1.10.2"}}) ==
          cancel);
    CHECK(status({{"required_virtiofsd", "[1.11, )"}, {"virtiofsd_ver_cmd", "echo none"}}) == cancel);
    CHECK(status({{"required_virtiofsd", "[1.11, )"}}) == pass);
    CHECK(status({{"required_virtio_win", "[1.9.40, )"}, {"cdrom_virtio", "iso/virtio-win-1.9.39-0.iso"}}) ==
          cancel);
    CHECK(status({{"required_virtio_win", "[1.9.39, )"}, {"cdrom_virtio", "iso/virtio-win-1.9.39-0.iso"}}) ==
          pass);
    CHECK(status({{"required_virtio_win_prewhql", "(0.1.224, )"},
                  {"cdrom_virtio", "iso/virtio-win-prewhql-0.1-224.iso"}}) == cancel);
    CHECK(status({{"required_qemu", "[9.0, )"}, {"kvm_userspace_ver_cmd", "echo 9.1.0"}}) == pass);
}

TEST_CASE("shared directories: made, made anew, removed; none out of the data directory") {
    SmallHost host({{"vms", "vm1"},
                    {"start_vm", "no"},
                    {"filesystems", "fs1"},
                    {"fs_source_dir", "share"},
                    {"create_fs_source", "yes"},
                    {"remove_fs_source_on_error", "yes"}});
    host.context.params.set("vms", "vm1");
    const auto share = host.job.dir() / "share";
    CHECK(host.run([&](TestContext&, Env&) { write_file_atomically(share / "kept", ""); }).passed());
    CHECK(host.run([&](TestContext&, Env&) { CHECK(fs::exists(share / "kept")); }).passed());
    host.context.params.set("force_create_fs_source", "yes");
    CHECK(host.run([&](TestContext&, Env&) { CHECK(fs::is_empty(share)); }).passed());
    CHECK(!host.run([](TestContext&, Env&) { throw TestFail("no"); }).passed());
    CHECK(!fs::exists(share));

    const TempDirectory outside("vt-test-");
    write_file_atomically(outside.path() / "precious", "");
    host.context.params.set("fs_source_dir", outside.path().native());
    CHECK(host.run().status == TestStatus::error);
    CHECK(fs::exists(outside.path() / "precious"));
    host.context.params.set("fs_source_type", "block");
    CHECK(host.run().status == TestStatus::cancel);
}

TEST_CASE("storage_type = lvm: a volume in a file, which is gone afterwards") {
    SmallHost host(
        {{"storage_type", "lvm"}, {"image_name", "images/a-b"}, {"lv_size", "10M"}, {"remove_image", "no"}});
    const StandIns programs(host);
    for (const char* name : {"vgs", "lvs"}) {
        programs.add(name, "exit 1");
    }
    for (const char* name : {"vgcreate", "lvcreate", "vgremove", "lvremove"}) {
        programs.add(name);
    }
    programs.add("losetup", "[ \"$1\" != --find ] || echo /dev/loop77");
    const auto file = host.job.dir() / "images/lvm-a_b.img";
    const auto verdict = host.run([&](TestContext& test, Env&) {
        CHECK(test.params.get("image_name") == "/dev/vg_a_b/lv_a_b");
        CHECK(test.params.get("image_raw_device") == "yes");
        CHECK(fs::file_size(file) == std::uintmax_t{74} << 20);
        CHECK(programs.calls() == Calls{"vgs vg_a_b", "losetup --find",
                                        "losetup /dev/loop77 " + file.native(),
                                        "vgcreate -y vg_a_b /dev/loop77", "lvs vg_a_b/lv_a_b",
                                        "lvcreate -y -W n -L 10M -n lv_a_b vg_a_b"});
    });
    INFO(verdict.reason);
    CHECK(verdict.passed());
    CHECK(!fs::exists(file));
    CHECK(programs.calls() ==
          Calls{"lvremove -f -y vg_a_b/lv_a_b", "vgremove -f -y vg_a_b", "losetup --detach /dev/loop77"});
}

TEST_CASE("storage of servers that this host has no programs for") {
    SmallHost host({{"storage_type", "nfs"}, {"nfs_mount_dir", "/nowhere"}, {"nfs_mount_src", "a:/b"}});
    const StandIns programs(host);
    ::setenv("PATH", (host.job.dir() / "bin").c_str(), 1);
    for (const auto& [type, program] :
         {std::pair{"nfs", "mount.nfs"}, std::pair{"iscsi", "iscsiadm"}, std::pair{"lvm", "lvcreate"}}) {
        host.context.params.set("storage_type", type);
        const auto verdict = host.run();
        CHECK(verdict.status == TestStatus::cancel);
        CHECK(verdict.reason.find(std::string(program) + " is not installed") != std::string::npos);
    }
}

TEST_CASE("storage_type = nfs: mounted, its images there, and not there any more") {
    SmallHost host({{"storage_type", "nfs"},
                    {"nfs_mount_src", "server:/b"},
                    {"nfs_mount_options", "vers=4"},
                    {"image_name", "images/a"}});
    const StandIns programs(host);
    programs.add("mount");
    programs.add("mount.nfs");
    const auto place = host.job.dir() / "nfs";
    host.context.params.set("nfs_mount_dir", place.native());
    const auto verdict = host.run([&](TestContext& test, Env&) {
        CHECK(test.params.get("image_name") == (place / "a").native());
        CHECK(programs.calls() == Calls{"mount -t nfs server:/b " + place.native() + " -o vers=4"});
    });
    INFO(verdict.reason);
    CHECK(verdict.passed());
    CHECK(!fs::exists(place));
}

TEST_CASE("netdst = private: without dnsmasq the test is cancelled, else a bridge is made and unmade") {
    if (::geteuid() != 0 || ::access("/usr/sbin/ip", X_OK) != 0) {
        MESSAGE("making bridges takes root and ip(8); skipped");
        return;
    }
    const auto name = fmt::format("vtpb{}", ::getpid() % 100000);
    SmallHost host(
        {{"nics", "nic1"}, {"netdst", "private"}, {"priv_brname", name}, {"priv_subnet", "192.168.237"}});
    const StandIns programs(host);
    programs.add("dnsmasq", "exec sleep 1000");
    programs.add("iptables");
    host.put("proc/sys/net/ipv4/ip_forward", "0\n");
    const auto sysfs = fs::path("/sys/class/net") / name;
    const auto verdict = host.run([&](TestContext& test, Env&) {
        CHECK(fs::exists(sysfs / "bridge"));
        CHECK(test.params.get("netdst_nic1") == name);
        CHECK(host.get("proc/sys/net/ipv4/ip_forward") == "1");
        const auto calls = programs.calls();
        CHECK(std::count_if(calls.begin(), calls.end(),
                            [](const auto& call) { return call.starts_with("iptables -I"); }) == 13);
    });
    INFO(verdict.reason);
    CHECK(verdict.passed());
    CHECK(!fs::exists(sysfs));
    CHECK(host.get("proc/sys/net/ipv4/ip_forward") == "0");
    const auto calls = programs.calls();
    CHECK(std::count_if(calls.begin(), calls.end(),
                        [](const auto& call) { return call.starts_with("iptables -D"); }) == 13);
}

}  // namespace vt

// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/vm/qemu/build/machine_spec.hpp"

#include "runner/vm/errors.hpp"

#include <doctest/doctest.h>

namespace vt::qemu {

namespace {

MachineSpec spec(const Params& params) {
    return MachineSpec::from_params(params, "vm1", "/data");
}

}  // namespace

TEST_CASE("defaults of a machine without parameters") {
    const auto machine = spec({});
    CHECK(machine.machine_type == "pc");
    CHECK(machine.mem_mib == 1024);
    CHECK(machine.smp.cpus == 1);
    CHECK(machine.drives.empty());
    CHECK(machine.start_paused);
    CHECK(machine.accelerator.empty());
}

TEST_CASE("machine types: i440fx is pc, what stands before a colon is dropped") {
    CHECK(spec({{"machine_type", "i440fx"}}).machine_type == "pc");
    CHECK(spec({{"machine_type", "arm64-pci:virt"}}).machine_type == "virt");
    CHECK(spec({{"machine_type", "q35"}}).q35());
}

TEST_CASE("a key with the VM's name wins") {
    const Params params{{"mem", "512"}, {"mem_vm1", "2048"}, {"mem_vm2", "64"}};
    CHECK(spec(params).mem_mib == 2048);
}

TEST_CASE("the topology's missing levels: cores first") {
    const auto two = spec({{"smp", "2"}, {"vcpu_dies", "INVALID"}}).smp;
    CHECK(two.cpus == 2);
    CHECK(two.cores == 2);
    CHECK(two.sockets == 1);
    CHECK(two.threads == 1);
    CHECK(two.dies == 0);
    const auto given = spec({{"smp", "8"}, {"vcpu_cores", "2"}, {"vcpu_threads", "2"}}).smp;
    CHECK(given.sockets == 2);
    const auto most = spec({{"smp", "1"}, {"vcpu_maxcpus", "4"}, {"vcpu_sockets", "4"}}).smp;
    CHECK(most.maxcpus == 4);
    CHECK(most.cores == 1);
    CHECK_THROWS_AS(spec({{"smp", "4"}, {"vcpu_maxcpus", "2"}}), VMSMPTopologyInvalidError);
    CHECK_THROWS_AS(spec({{"smp", "-1"}}), BadParam);
    CHECK_THROWS_AS(spec({{"mem", "much"}}), BadParam);
}

TEST_CASE("disks: file, bus and boot order") {
    const Params params{
        {"images", "image1 stg"},    {"image_name", "images/a"},      {"image_format", "qcow2"},
        {"drive_format", "virtio"},  {"image_boot_image1", "yes"},    {"image_name_stg", "/abs/b"},
        {"image_format_stg", "raw"}, {"drive_format_stg", "scsi-hd"}, {"drive_cache_stg", "none"},
        {"drive_index_image1", "0"}, {"cdroms", "cd1 cd2"},           {"cdrom_cd2", "isos/x.iso"},
        {"cd_format", "ide"}};
    const auto machine = spec(params);
    REQUIRE(machine.drives.size() == 3);  // cd1 has no medium and so is none
    CHECK(machine.drives[0].file == "/data/images/a.qcow2");
    CHECK(machine.drives[0].bus == DriveBus::virtio_blk);
    CHECK(machine.drives[0].boot_index == 0);
    CHECK(machine.drives[1].file == "/abs/b.raw");
    CHECK(machine.drives[1].scsi_hba == "virtio-scsi-pci");
    CHECK(machine.drives[1].cache == "none");
    CHECK(machine.drives[2].cdrom);
    CHECK(machine.drives[2].device == "ide-cd");
    CHECK(machine.drives[2].file == "/data/isos/x.iso");
}

TEST_CASE("every bus that the configuration files know") {
    const auto bus = [](const char* format) {
        return spec({{"images", "i"}, {"image_name", "x"}, {"drive_format", format}}).drives.at(0);
    };
    CHECK(bus("ide").bus == DriveBus::ide);
    CHECK(bus("ahci").bus == DriveBus::ahci);
    CHECK(bus("virtio_blk").bus == DriveBus::virtio_blk);
    CHECK(bus("virtio_scsi").scsi_hba == "virtio-scsi-pci");
    CHECK(bus("lsi_scsi").scsi_hba == "lsi53c895a");
    CHECK(bus("usb2").usb_kind == "usb2");
    CHECK(bus("scsi").bus == DriveBus::scsi);
    CHECK(bus("sd").bus == DriveBus::sd);
    CHECK_THROWS_WITH_AS(bus("mfm"), doctest::Contains("drive_format \"mfm\" of i"),
                         VMDeviceNotSupportedError);
}

TEST_CASE("values that make no sense are refused by name") {
    CHECK_THROWS_AS(spec({{"images", "i"}}), MissingParam);
    CHECK_THROWS_WITH_AS(spec({{"images", "i"}, {"image_name", "x"}, {"drive_cache", "sometimes"}}),
                         doctest::Contains("drive_cache_i"), BadParam);
    CHECK_THROWS_WITH_AS(spec({{"monitors", "m"}, {"monitor_type", "telepathy"}}),
                         doctest::Contains("telepathy"), BadParam);
    CHECK_THROWS_AS(spec({{"display", "hologram"}}), BadParam);
    CHECK_THROWS_AS(spec({{"nics", "n"}, {"nettype", "pigeon"}}), VMUnknownNetTypeError);
    CHECK_THROWS_AS(spec({{"nics", "n"}, {"redirs", "r"}, {"guest_port_r", "70000"}}), BadParam);
}

TEST_CASE("NICs: redirections of the VM go to the first, the shell's port is always among them") {
    const Params params{{"nics", "nic1 nic2"}, {"nic_model", "virtio"},
                        {"nettype", "user"},   {"nettype_nic2", "bridge"},
                        {"redirs", "web"},     {"guest_port_web", "80"},
                        {"shell_port", "22"},  {"mac_nic2", "9a:00:00:00:00:01"}};
    const auto machine = spec(params);
    REQUIRE(machine.nics.size() == 2);
    CHECK(machine.nics[0].model == "virtio-net-pci");
    CHECK(machine.nics[0].redirs == std::map<std::string, std::uint16_t>{{"web", 80}, {"shell_port", 22}});
    CHECK(machine.nics[1].redirs.empty());
    CHECK(machine.nics[1].backend == Nic::Backend::bridge);
    CHECK(machine.nics[1].mac == "9a:00:00:00:00:01");
}

TEST_CASE("words of extra parameters: quotes as in a shell, but nothing is expanded") {
    CHECK(split_arguments("") == std::vector<std::string>{});
    CHECK(split_arguments("  -a  -b ") == std::vector<std::string>{"-a", "-b"});
    CHECK(split_arguments(R"(-name "a b" 'c "d"' e\ f "")") ==
          std::vector<std::string>{"-name", "a b", "c \"d\"", "e f", ""});
    CHECK(split_arguments("$(reboot) `x` $HOME ;") ==
          std::vector<std::string>{"$(reboot)", "`x`", "$HOME", ";"});
    CHECK_THROWS_AS(split_arguments("-a 'b"), Error);
}

}  // namespace vt::qemu

// SPDX-License-Identifier: GPL-2.0-or-later
// The statements that options and settings add to a test set: upstream's, in upstream's order (facts:
// avocado_vt.options).
#include "resolver/data_dir.hpp"
#include "resolver/host_programs.hpp"
#include "resolver/selection.hpp"
#include "runner/process/process.hpp"
#include "runner/support/strings.hpp"

#include <algorithm>
#include <fstream>

#include <fmt/core.h>
#include <sys/utsname.h>
#include <unistd.h>

namespace vt::resolver {

namespace fs = std::filesystem;
using cfg::Input;

namespace {

std::string default_machine_type() {
    struct utsname host = {};
    uname(&host);
    std::string_view machine = host.machine;
    if (machine == "x86_64" || machine == "i686") {
        return "i440fx";
    }
    return machine.starts_with("ppc64") ? "pseries" : "";
}

bool is_bridge(const std::string& interface) {
    std::error_code error;
    return interface.find('/') == std::string::npos &&
           fs::exists("/sys/class/net/" + interface + "/bridge", error);
}

void add_default_filters(const Selection& selection, std::vector<Input>& out) {
    for (std::string_view name : default_filter_names) {
        const auto& left_out = selection.default_filters;
        if (std::find(left_out.begin(), left_out.end(), name) != left_out.end()) {
            continue;
        }
        if (name == "multihost") {
            out.push_back(Input::no("multihost"));
        } else {
            out.push_back(
                Input::only(name == "image_backend" ? "(image_backend=filesystem)" : std::string(name)));
        }
    }
}

void add_network(const Selection& selection, std::vector<Input>& out) {
    std::string nettype = selection.nettype;
    if (nettype.empty()) {
        nettype = selection.type == "spice" ? "none" : network_of_host(selection);
    }
    if (nettype == "bridge") {
        out.push_back(Input::assign("nettype", "bridge"));
        out.push_back(Input::assign("netdst", selection.netdst));
    } else if (nettype == "user") {
        out.push_back(Input::assign("nettype", "user"));
    }
}

void add_general(const Selection& selection, const HostPrograms& programs, std::vector<Input>& out) {
    bool own_config = !selection.config.empty();
    if (!own_config) {
        if (selection.type != "spice") {
            out.push_back(Input::only(effective_guest_os(selection)));
        }
        if (!selection.arch.empty()) {
            out.push_back(Input::only(selection.arch));
        }
        std::string machine = effective_machine_type(selection);
        if (!machine.empty()) {
            out.push_back(Input::only(machine));
        }
        if (!selection.keep_guest_running) {
            out.push_back(Input::assign("kill_vm", "yes"));
        }
        if (selection.backup_image_before_test) {
            out.push_back(Input::assign("backup_image_before_testing", "yes"));
        }
        if (selection.restore_image_after_test) {
            out.push_back(Input::assign("restore_image_after_testing", "yes"));
        }
        if (!selection.mem.empty()) {
            out.push_back(Input::assign("mem", selection.mem));
        }
    }
    if (geteuid() != 0 || !process::find_program("tcpdump")) {
        out.push_back(Input::assign("run_tcpdump", "no"));
    }
    for (const std::string& word : split_words(selection.no_filter)) {
        out.push_back(Input::no(word));
    }
    for (const std::string& word : split_words(selection.only_filter)) {
        out.push_back(Input::only(word));
    }
    if (!own_config) {
        if (!programs.qemu_img.empty()) {
            out.push_back(Input::assign("qemu_img_binary", programs.qemu_img));
        }
        add_network(selection, out);
        if (selection.type_specific_only) {
            out.push_back(Input::only("(subtest=type_specific)"));
        }
    }
}

/// `only KNOWN`, else the variant for all others and the parameter it leaves open.
void add_choice(const std::string& value, const std::vector<std::string>& known,
                const std::string& other_variant, const std::string& parameter, std::vector<Input>& out) {
    if (std::find(known.begin(), known.end(), value) != known.end()) {
        out.push_back(Input::only(value));
        return;
    }
    out.push_back(Input::only(other_variant));
    out.push_back(Input::assign(parameter, value));
}

void add_programs(const HostPrograms& programs, std::vector<Input>& out) {
    for (const auto& [key, path] :
         {std::pair("qemu_binary", &programs.qemu), std::pair("qemu_img_binary", &programs.qemu_img),
          std::pair("qemu_io_binary", &programs.qemu_io), std::pair("qemu_dst_binary", &programs.qemu_dst)}) {
        if (!path->empty()) {
            out.push_back(Input::assign(key, *path));
        }
    }
}

void add_qemu(const Selection& selection, const HostPrograms& programs, std::vector<Input>& out) {
    bool own_config = !selection.config.empty();
    if (!own_config || !selection.qemu_bin.empty()) {
        add_programs(programs, out);
    }
    if (selection.accel == "tcg") {
        out.push_back(Input::assign("disable_kvm", "yes"));
    }
    if (!own_config) {
        if (!selection.monitor.empty()) {
            out.push_back(Input::assign("monitor_type", selection.monitor));
        }
        std::string smp =
            selection.smp.substr(std::min(selection.smp.find_first_not_of('0'), selection.smp.size()));
        add_choice(smp == "1" ? "up" : smp == "2" ? "smp2" : smp, {"up", "smp2"}, "up", "smp", out);
        add_choice(selection.image_type, {"qcow2", "raw", "qed", "vmdk"}, "raw", "image_format", out);
        add_choice(selection.nic_model, {"virtio_net", "e1000", "rtl8139", "spapr-vlan"}, "nic_custom",
                   "nic_model", out);
        out.push_back(Input::only(selection.disk_bus));
        if (selection.vhost == "force") {
            out.push_back(Input::assign("netdev_extra_params", "\",vhostforce=on\""));
        }
        if (selection.vhost != "off") {
            out.push_back(Input::assign("vhost", "on"));
        }
    }
    out.push_back(Input::assign("malloc_perturb", selection.malloc_perturb));
    if (!own_config && selection.sandbox == "off") {
        out.push_back(Input::assign("qemu_sandbox", "off"));
    }
    if (!own_config && selection.defconfig == "no") {
        out.push_back(Input::assign("defconfig", "no"));
    }
}

void add_libvirt(const Selection& selection, std::vector<Input>& out) {
    if (selection.connect_uri.empty()) {
        out.push_back(Input::only("qemu"));
        return;
    }
    for (const char* driver : {"qemu", "lxc", "xen"}) {
        if (selection.connect_uri.find(driver) != std::string::npos) {
            out.push_back(Input::only(driver));
        }
    }
}

}  // namespace

std::string network_of_host(const Selection& selection) {
    return geteuid() == 0 && is_bridge(selection.netdst) ? "bridge" : "user";
}

bool chooses_guest(const Selection& selection) {
    return !selection.guest_os.empty() || !selection.arch.empty() ||
           effective_machine_type(selection) != default_machine_type();
}

std::string effective_machine_type(const Selection& selection) {
    return selection.machine_type.empty() ? default_machine_type() : selection.machine_type;
}

std::string effective_guest_os(const Selection& selection) {
    if (!selection.guest_os.empty()) {
        return selection.guest_os;
    }
    std::string noted = DataDirNotes::load({selection.data_dir}).default_guest;
    return noted.empty() ? std::string(upstream_guest) : noted;
}

std::vector<Input> inputs(const Selection& selection) {
    validate(selection);
    std::vector<Input> result;
    fs::path cfg_dir = DataDir{selection.data_dir}.backend_cfg(selection.type);
    if (!selection.config.empty()) {
        result.push_back(Input::file(selection.config.string()));
    } else if (!selection.default_filters.empty()) {
        result.push_back(Input::file((cfg_dir / "tests-shared.cfg").string()));
        add_default_filters(selection, result);
    } else {
        result.push_back(Input::file((cfg_dir / "tests.cfg").string()));
    }
    HostPrograms programs = find_host_programs(selection.qemu_bin, selection.qemu_dst_bin);
    if (selection.type != "lvsb") {
        add_general(selection, programs, result);
    }
    if (selection.type == "qemu" || selection.type == "openvswitch") {
        add_qemu(selection, programs, result);
    } else if (selection.type == "libvirt") {
        add_libvirt(selection, result);
    }
    for (const auto& [key, value] : selection.extra_params) {
        result.push_back(Input::assign(key, value));
    }
    return result;
}

}  // namespace vt::resolver

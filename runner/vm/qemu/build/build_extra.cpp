// SPDX-License-Identifier: GPL-2.0-or-later
// Firmware, IOMMUs, TPMs, shared directories and memory, vsocks.
#include "runner/caps/capabilities.hpp"
#include "runner/support/file.hpp"
#include "runner/support/strings.hpp"
#include "runner/vm/errors.hpp"
#include "runner/vm/qemu/build/builder.hpp"
#include "runner/vm/qemu/build/companion.hpp"

#include <fmt/core.h>

namespace vt::qemu {

namespace {

Props props_of(const std::vector<std::pair<std::string, std::string>>& pairs) {
    Props props;
    for (const auto& [name, value] : pairs) {
        props.set(name, value);
    }
    return props;
}

}  // namespace

/// Two flash chips: code, which nobody writes, and variables. Upstream's node names.
Props Builder::add_firmware() {
    Props machine_props;
    if (!spec.firmware || placement.firmware_code.empty()) {
        return machine_props;
    }
    const auto chip = [&](const std::string& name, const std::filesystem::path& file, bool readonly) {
        Node protocol;
        protocol.form = Form::blockdev;
        protocol.driver = "file";
        protocol.qid = "file_" + name;
        protocol.props = {{"filename", file.native()}, {"auto-read-only", true}, {"discard", "unmap"}};
        const auto below = add(std::move(protocol))->qid;
        Node format;
        format.form = Form::blockdev;
        format.driver = "raw";
        format.qid = "drive_" + name;
        format.props = {{"read-only", readonly}, {"file", below}};
        format.needs = {below};
        return add(std::move(format))->qid;
    };
    const std::string kind = spec.arch == "aarch64" ? "aavmf" : "ovmf";
    machine_props.set("pflash0", chip(kind + "_code", placement.firmware_code, true));
    if (!placement.firmware_vars.empty()) {
        machine_props.set("pflash1", chip(kind + "_vars", placement.firmware_vars, false));
    }
    if (spec.firmware->secure && spec.q35()) {
        machine_props.set("smm", true);
        option("global", {{"driver", "cfi.pflash01"}, {"property", "secure"}, {"value", "on"}});
    }
    return machine_props;
}

/// Before all PCI devices, whose addresses it translates.
void Builder::add_iommus() {
    for (const auto& iommu : spec.iommus) {
        if (iommu.driver == "intel-iommu") {
            device("intel-iommu", "intel_iommu0", props_of(iommu.properties), iommu.extra);
        } else {
            device(virtio("virtio-iommu"), "virtio_iommu0", props_of(iommu.properties), iommu.extra,
                   {BusKind::none, machine.has_pcie() ? "pcie.0" : "", {}});
        }
    }
}

NodePtr Builder::client_chardev(const std::string& id, const std::filesystem::path& socket,
                                const std::string& origin) {
    Node node;
    node.form = Form::chardev;
    node.driver = "socket";
    node.qid = id;
    node.origin = origin;
    node.props = {{"path", socket.native()}};
    return add(std::move(node));
}

void Builder::add_tpm(const Tpm& tpm) {
    Props back_end{{"", tpm.type}};
    std::vector<std::string> needs;
    const std::string id = fmt::format("{}_{}", tpm.type, tpm.name);
    back_end.set("id", id);
    if (tpm.type == "emulator") {
        const auto socket = companion_socket(placement.instance_dir, "swtpm-" + tpm.name);
        needs = {client_chardev("char_" + tpm.name, socket, tpm.name)->qid};
        back_end.set("chardev", needs.front());
    } else {
        back_end.set_text("path", tpm.device_path);
    }
    const auto made_node = option("tpmdev", std::move(back_end));
    made_node->needs = needs;
    Props props{{"tpmdev", id}};
    for (const auto& [name, value] : tpm.model_properties) {
        props.set(name, value);
    }
    device(tpm.model, fmt::format("{}_{}", tpm.model, tpm.name), std::move(props), {}, {}, {made_node->qid},
           tpm.name);
}

void Builder::add_shared_fs(const SharedFs& fs) {
    const auto socket =
        fs.socket.empty() ? companion_socket(placement.instance_dir, "virtiofsd-" + fs.name) : fs.socket;
    const auto chardev = client_chardev("char_virtiofs_" + fs.name, socket, fs.name);
    Props props{{"chardev", chardev->qid}, {"tag", fs.tag}};
    for (const auto& [name, value] : fs.properties) {
        props.set(name, value);
    }
    device(virtio("vhost-user-fs"), "vufs_virtiofs_" + fs.name, std::move(props), {}, {}, {chardev->qid},
           fs.name);
}

void Builder::add_plan9(const Plan9& share) {
    Props props{{"", share.driver}, {"id", "local1"}};
    if (share.driver == "proxy") {
        props.set("socket", share.socket);
    } else {
        props.set("path", share.source);
    }
    if (share.driver == "local") {
        props.set("security_model", share.security_model);
    }
    if (share.immediate) {
        props.set("writeout", "immediate");
    }
    if (share.readonly) {
        props.set("readonly", true);
    }
    const auto back_end = option("fsdev", std::move(props));
    device(virtio("virtio-9p"), "p9_0", {{"fsdev", "local1"}, {"mount_tag", "autotest_tag"}}, {}, {},
           {back_end->qid});
}

void Builder::add_ivshmem(const Ivshmem& shared) {
    Node memory;
    memory.form = Form::object;
    memory.driver = shared.path.empty() ? "memory-backend-ram" : "memory-backend-file";
    memory.qid = "mem-" + shared.name;
    memory.origin = shared.name;
    memory.props = {{"size", shared.size}, {"share", true}};
    memory.props.set_text("mem-path", shared.path);
    const auto back_end = add(std::move(memory));
    device("ivshmem-plain", shared.name, {{"memdev", back_end->qid}}, {}, {}, {back_end->qid}, shared.name);
}

void Builder::add_extra_devices() {
    for (const auto& tpm : spec.tpms) {
        add_tpm(tpm);
    }
    for (const auto& fs : spec.shared_filesystems) {
        add_shared_fs(fs);
    }
    if (spec.plan9) {
        add_plan9(*spec.plan9);
    }
    for (const auto& shared : spec.ivshmems) {
        add_ivshmem(shared);
    }
    for (const auto& vsock : spec.vsocks) {
        const auto cid = placement.vsock_cids.find(vsock);
        if (cid == placement.vsock_cids.end()) {
            throw VMDeviceError(fmt::format("vsock {} has no address: the host has none to give", vsock));
        }
        device(virtio("vhost-vsock"), vsock, {{"guest-cid", std::int64_t{cid->second}}}, {}, {}, {}, vsock);
    }
    if (spec.test_device) {
        device("pc-testdev", "testdev0");
    }
    if (spec.smartcard) {
        Node chardev;
        chardev.form = Form::chardev;
        chardev.driver = spec.smartcard_chardev.empty() ? "spicevmc" : spec.smartcard_chardev;
        chardev.qid = "smartcard_chardev";
        chardev.props.set_text("name", chardev.driver == "spicevmc" ? "smartcard" : "");
        const auto back_end = add(std::move(chardev));
        device("usb-ccid", "ccid0");
        device("ccid-card-passthru", "smartcard0", {{"chardev", back_end->qid}}, {}, {}, {back_end->qid});
    }
}

/// Passwords of displays go by a file, as all secrets.
std::string Builder::add_display_secret() {
    Node node;
    node.form = Form::object;
    node.driver = "secret";
    node.qid = "display_secret";
    node.props = {
        {"file", ImageSecret{"display_secret", "", false}.file_in(placement.instance_dir).native()}};
    return add(std::move(node))->qid;
}

void write_secrets(const MachineSpec& spec, const std::filesystem::path& instance_dir) {
    for (const auto& drive : spec.drives) {
        write_secrets(drive, instance_dir);
    }
    if (!spec.display.secret.empty()) {
        write_secret({"display_secret", spec.display.secret, false}, instance_dir);
    }
}

}  // namespace vt::qemu

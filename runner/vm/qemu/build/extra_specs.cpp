// SPDX-License-Identifier: GPL-2.0-or-later
// Firmware, TPMs, shared directories, serial ports, IOMMUs and other single devices of the parameters.
#include "runner/vm/qemu/build/extra_specs.hpp"

#include "runner/support/strings.hpp"
#include "runner/vm/errors.hpp"

#include <array>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

namespace vt::qemu {

namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

bool yes(const Params& params, std::string_view key) {
    return params.get(key) == "yes";
}

/// Values that are there, by QEMU's names for them.
Pairs present(const Params& view, std::initializer_list<std::pair<const char*, const char*>> keys) {
    Pairs pairs;
    for (const auto& [key, name] : keys) {
        if (auto value = view.get(key); !value.empty()) {
            pairs.emplace_back(name, std::move(value));
        }
    }
    return pairs;
}

/// {"queue-size": 1024} as properties.
Pairs properties_of(const Params& view, const std::string& key) {
    Pairs pairs;
    const auto text = view.get(key, "{}");
    const auto object = nlohmann::json::parse(text, nullptr, false);
    if (!object.is_object()) {
        throw BadParam(key, text, "properties of the device as JSON, {\"queue-size\": 1024}");
    }
    for (const auto& [name, value] : object.items()) {
        pairs.emplace_back(name, value.is_string() ? value.get<std::string>() : value.dump());
    }
    return pairs;
}

std::optional<Firmware> firmware_from_params(const Params& params) {
    for (const std::string kind : {"ovmf", "aavmf"}) {
        const auto dir = params.get(kind + "_path");
        const auto code = params.get(kind + "_code_filename");
        if (dir.empty() || code.empty()) {
            continue;
        }
        Firmware firmware;
        firmware.code = std::filesystem::path(dir) / code;
        if (const auto vars = params.get(kind + "_vars_filename"); !vars.empty()) {
            firmware.vars = std::filesystem::path(dir) / vars;
        }
        firmware.restore = yes(params, "restore_" + kind + "_vars");
        firmware.secure = code.find("secboot") != std::string::npos ||
                          code.find(".ms.") != std::string::npos ||
                          code.find("snakeoil") != std::string::npos;
        return firmware;
    }
    return std::nullopt;
}

std::vector<Tpm> tpms_from_params(const Params& params) {
    std::vector<Tpm> tpms;
    for (const auto& name : params.objects("tpms")) {
        const Params view = params.object_params(name);
        Tpm tpm{name,
                view.get("tpm_type"),
                view.get("tpm_model", "tpm-crb"),
                view.get("tpm_version", "2.0"),
                view.get("tpm_bin", "swtpm"),
                view.get("tpm_setup_bin", "swtpm_setup"),
                view.get("tpm_bin_extra_options"),
                view.get("tpm_setup_bin_extra_options"),
                view.get("tpm_device_path"),
                view.get_boolean("tpm_overwrite"),
                properties_of(view, "tpm_model_props")};
        if (tpm.type != "emulator" && tpm.type != "passthrough") {
            throw BadParam("tpm_type_" + name, tpm.type, "emulator (needs swtpm) or passthrough");
        }
        if (tpm.version != "2.0" && tpm.version != "1.2") {
            throw BadParam("tpm_version_" + name, tpm.version, "1.2 or 2.0");
        }
        tpms.push_back(std::move(tpm));
    }
    return tpms;
}

/// The first place where a distribution has it; the last one if nowhere, for the message.
std::string virtiofsd_binary(const Params& view) {
    if (const auto given = view.get("fs_binary"); !given.empty()) {
        return given;
    }
    std::error_code error;
    for (const char* path :
         {"/usr/libexec/virtiofsd", "/usr/lib/qemu/virtiofsd", "/usr/libexec/qemu/virtiofsd"}) {
        if (std::filesystem::exists(path, error)) {
            return path;
        }
    }
    return "/usr/libexec/virtiofsd";
}

std::vector<SharedFs> filesystems_from_params(const Params& params, const std::filesystem::path& data_dir) {
    std::vector<SharedFs> found;
    for (const auto& name : params.objects("filesystems")) {
        const Params view = params.object_params(name);
        if (const auto driver = view.get("fs_driver", "virtio-fs"); driver != "virtio-fs") {
            throw BadParam("fs_driver_" + name, driver, "virtio-fs");
        }
        SharedFs fs;
        fs.name = name;
        fs.tag = view.get("fs_target", name);
        if (yes(view, "fs_source_user_config")) {
            fs.socket = view.get("fs_source_user_sock_path");
            if (fs.socket.empty()) {
                throw BadParam("fs_source_user_sock_path_" + name, "",
                               "the socket of the virtiofsd that you started");
            }
        } else {
            const auto source = view.get("fs_source_dir");
            if (source.empty()) {
                throw BadParam("fs_source_dir_" + name, "", "the directory that the guest is to see");
            }
            fs.source = std::filesystem::path(view.get("fs_source_base_dir", data_dir.native())) / source;
            fs.binary = virtiofsd_binary(view);
            fs.log_level = view.get("fs_log_level");
            fs.extra = view.get("fs_binary_extra_options");
        }
        fs.properties = properties_of(view, "fs_driver_props");
        found.push_back(std::move(fs));
    }
    return found;
}

std::optional<Plan9> plan9_from_params(const Params& params) {
    if (params.get("9p_export_dir").empty()) {
        return std::nullopt;
    }
    Plan9 share{params.get("9p_fs_driver", "local"),     params.get("9p_export_dir"),
                params.get("9p_security_model", "none"), params.get("9p_socket_name"),
                yes(params, "9p_immediate_writeout"),    yes(params, "9p_readonly")};
    if (share.driver == "proxy" && share.socket.empty()) {
        throw VMImageMissingError(
            "9p_fs_driver = proxy needs 9p_socket_name, the socket of virtfs-proxy-helper");
    }
    return share;
}

std::vector<Iommu> iommus_from_params(const Params& params) {
    std::vector<Iommu> found;
    if (yes(params, "intel_iommu")) {
        Iommu intel{"intel-iommu",
                    present(params, {{"iommu_caching_mode", "caching-mode"},
                                     {"iommu_eim", "eim"},
                                     {"iommu_x_buggy_eim", "x-buggy-eim"},
                                     {"iommu_version", "version"},
                                     {"iommu_x_scalable_mode", "x-scalable-mode"},
                                     {"iommu_dma_drain", "dma-drain"},
                                     {"iommu_pt", "pt"},
                                     {"iommu_aw_bits", "aw-bits"}}),
                    ""};
        intel.properties.insert(intel.properties.begin(),
                                {{"intremap", params.get("iommu_intremap", "on")},
                                 {"device-iotlb", params.get("iommu_device_iotlb", "on")}});
        found.push_back(std::move(intel));
    }
    if (yes(params, "virtio_iommu")) {
        found.push_back({"virtio-iommu", {}, params.get("virtio_iommu_extra_params")});
    }
    return found;
}

std::string default_serial(const Params& params) {
    const auto arch = params.get("vm_arch_name", "x86_64");
    return arch.starts_with("ppc") ? "spapr-vty" : arch == "s390x" ? "sclpconsole" : "isa-serial";
}

}  // namespace

std::vector<Serial> serials_from_params(const Params& params) {
    std::vector<Serial> serials;
    int virtio_ports = 0, registers = 0;
    for (const auto& name : params.objects("serials")) {
        const Params view = params.object_params(name);
        Serial serial;
        serial.name = name;
        serial.type = view.get("serial_type", default_serial(params));
        serial.properties = view.get("serial_extra_params");
        serial.backend = view.get("chardev_backend", "unix_socket");
        serial.path = view.get("chardev_path");
        serial.chardev_properties = present(view, {{"chardev_host", "host"},
                                                   {"chardev_port", "port"},
                                                   {"chardev_ipv4", "ipv4"},
                                                   {"chardev_ipv6", "ipv6"},
                                                   {"chardev_to", "to"},
                                                   {"chardev_abstract", "abstract"},
                                                   {"chardev_tight", "tight"},
                                                   {"chardev_server", "server"},
                                                   {"chardev_wait", "wait"},
                                                   {"chardev_name", "name"},
                                                   {"chardev_debug", "debug"},
                                                   {"ringbuf_write_size", "size"}});
        if (serial.type.starts_with("virt")) {
            const auto prefix = view.get("virtio_port_name_prefix");
            serial.port_name =
                view.get("serial_name", prefix.empty() ? name : prefix + std::to_string(virtio_ports));
            ++virtio_ports;
        }
        serial.bus = view.get("serial_bus");
        serial.number = view.get("serial_nr");
        serial.reg = view.get("serial_reg");
        if (serial.type == "spapr-vty" && serial.reg.empty()) {
            serial.reg = fmt::format("{:#x}", 0x30000000 + 0x1000 * registers++);
        }
        serial.bus_properties = view.get("virtio_serial_extra_params");
        static constexpr std::string_view known =
            " unix_socket tcp_socket udp file pipe pty null ringbuf spicevmc spiceport serial parallel tty "
            "parport vc ";
        if (known.find(" " + serial.backend + " ") == std::string_view::npos) {
            throw BadParam("chardev_backend_" + name, serial.backend, "one of" + std::string(known));
        }
        serials.push_back(std::move(serial));
    }
    return serials;
}

Pairs spice_from_params(const Params& params) {
    Pairs pairs;
    params.for_each([&](std::string_view key, std::string_view value) {
        static constexpr std::array<std::string_view, 4> elsewhere = {"spice_password", "spice_extra_params",
                                                                      "spice_gen_x509", "spice_x509_secure"};
        static constexpr std::string_view known =
            " port addr tls_port tls_ciphers x509_dir x509_key_file x509_cacert_file x509_cert_file "
            "x509_key_password image_compression jpeg_wan_compression zlib_glz_wan_compression "
            "streaming_video agent_mouse playback_compression ipv4 ipv6 seamless_migration ";
        if (!key.starts_with("spice_") || value.empty() ||
            std::find(elsewhere.begin(), elsewhere.end(), key) != elsewhere.end()) {
            return;
        }
        const auto name = std::string(key.substr(6));
        if (known.find(" " + name + " ") != std::string_view::npos) {
            pairs.emplace_back(replace_all(name, "_", "-"), std::string(value));
        } else if (name == "secure_channels" || name == "plaintext_channels") {
            for (const auto& channel : split(std::string(value), ',')) {
                pairs.emplace_back(name == "secure_channels" ? "tls-channel" : "plaintext-channel", channel);
            }
        }
    });
    if (yes(params, "disable_copy_paste")) {
        pairs.emplace_back("disable-copy-paste", "on");
    }
    return pairs;
}

void read_extra_devices(const Params& params, const std::filesystem::path& data_dir, MachineSpec& spec) {
    spec.firmware = firmware_from_params(params);
    spec.tpms = tpms_from_params(params);
    spec.shared_filesystems = filesystems_from_params(params, data_dir);
    spec.plan9 = plan9_from_params(params);
    spec.vsocks = params.objects("vsocks");
    spec.iommus = iommus_from_params(params);
    for (const auto& name : params.objects("ivshmems")) {
        const Params view = params.object_params(name);
        spec.ivshmems.push_back({name, view.get("ivshmem_size", "1M"), view.get("ivshmem_path")});
    }
    spec.virtio_properties = present(params, {{"virtio_dev_iommu_platform", "iommu_platform"},
                                              {"virtio_dev_ats", "ats"},
                                              {"virtio_dev_aer", "aer"},
                                              {"virtio_dev_disable_legacy", "disable-legacy"},
                                              {"virtio_dev_disable_modern", "disable-modern"}});
    for (auto& [name, value] : spec.virtio_properties) {
        value = value == "yes" ? "on" : value == "no" ? "off" : value;
    }
    spec.debug_exit_iobase = params.get("isa_debugexit_iobase");
    spec.debug_exit_iosize = params.get("isa_debugexit_iosize");
    spec.run_as = params.get("user_runas");
    spec.timestamps = params.get("msg_timestamp");
    spec.memory_lock = params.get("realtime_mlock");
    spec.machine_compat = params.get("qemu_compat");
    spec.test_device = yes(params, "testdev");
    spec.smartcard = yes(params, "smartcard");
    spec.smartcard_chardev = params.get("smartcard_chardev");
    spec.sandbox_properties = present(params, {{"qemu_sandbox_elevateprivileges", "elevateprivileges"},
                                               {"qemu_sandbox_obsolete", "obsolete"},
                                               {"qemu_sandbox_resourcecontrol", "resourcecontrol"},
                                               {"qemu_sandbox_spawn", "spawn"}});
    spec.audio_driver = params.get("qemu_audio_drv");
}

}  // namespace vt::qemu

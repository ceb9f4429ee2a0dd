// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/vm/qemu/build/companion.hpp"

#include "runner/support/strings.hpp"

#include <fmt/core.h>

namespace vt::qemu {

namespace {

std::string option_text(const std::string& text) {
    return replace_all(text, ",", ",,");
}

void append(std::vector<std::string>& words, std::string_view more) {
    for (auto& word : split_arguments(more)) {
        words.push_back(std::move(word));
    }
}

Companion swtpm(const Tpm& tpm, const Placement& placement) {
    Companion companion;
    companion.name = "swtpm-" + tpm.name;
    companion.socket = companion_socket(placement.instance_dir, companion.name);
    companion.package = "swtpm, swtpm-tools";
    const auto found = placement.tpm_state.find(tpm.name);
    const auto state =
        found == placement.tpm_state.end() ? placement.instance_dir / companion.name : found->second;
    companion.argv = {tpm.binary,   "socket",
                      "--ctrl",     fmt::format("type=unixio,path={},mode=0600", companion.socket.native()),
                      "--tpmstate", fmt::format("dir={},mode=0600", state.native()),
                      "--terminate"};
    std::vector<std::string> setup{tpm.setup_binary, "--tpm-state",
                                   state.native(),   "--createek",
                                   "--lock-nvram",   tpm.overwrite ? "--overwrite" : "--not-overwrite"};
    if (tpm.version == "2.0") {
        companion.argv.emplace_back("--tpm2");
        setup.emplace_back("--tpm2");
    }
    append(companion.argv, tpm.extra);
    append(setup, tpm.setup_extra);
    companion.before.push_back(std::move(setup));
    return companion;
}

Companion virtiofsd(const SharedFs& fs, const Placement& placement) {
    Companion companion;
    companion.name = "virtiofsd-" + fs.name;
    companion.socket = companion_socket(placement.instance_dir, companion.name);
    companion.package = "virtiofsd (qemu-system-common on Debian 12)";
    companion.argv = {fs.binary, "--socket-path=" + companion.socket.native()};
    // QEMU's own, in C, lies in QEMU's directory; the one in Rust has its options otherwise.
    if (fs.binary.find("qemu/") != std::string::npos) {
        companion.argv.insert(companion.argv.end(), {"-o", "source=" + option_text(fs.source.native())});
    } else {
        companion.argv.push_back("--shared-dir=" + fs.source.native());
    }
    if (!fs.log_level.empty()) {
        companion.argv.push_back("--log-level=" + fs.log_level);
    }
    append(companion.argv, fs.extra);
    return companion;
}

Companion nbd_server(const Drive& drive, const Placement& placement) {
    Companion companion;
    companion.name = "nbd-" + drive.name;
    companion.socket = nbd_socket(placement.instance_dir, drive.name);
    companion.package = "qemu-utils (Debian), qemu-img (Fedora)";
    // The bytes as they lie in the file; what they mean is the machine's business, keys included.
    companion.argv = {"qemu-nbd", "--persistent", "--shared=8", "--format=raw",
                      "--socket=" + companion.socket.native()};
    if (drive.readonly) {
        companion.argv.emplace_back("--read-only");
    }
    companion.argv.push_back(drive.image.file.native());
    return companion;
}

Companion storage_daemon(const Drive& drive, const Placement& placement) {
    Companion companion;
    companion.name = "storage-" + drive.name;
    companion.socket = companion_socket(placement.instance_dir, companion.name);
    companion.package = "qemu-system-common (Debian), qemu-img (Fedora)";
    auto node = fmt::format("driver={},node-name=disk,file=file", option_text(drive.format));
    if (drive.image.encryption) {
        const auto& key = drive.image.encryption->key;
        companion.argv = {"qemu-storage-daemon", "--object",
                          fmt::format("secret,id={},file={}", option_text(key.id),
                                      option_text(key.file_in(placement.instance_dir).native()))};
        node += (drive.format == "luks" ? ",key-secret=" : ",encrypt.format=luks,encrypt.key-secret=") +
                option_text(key.id);
    } else {
        companion.argv = {"qemu-storage-daemon"};
    }
    companion.argv.insert(companion.argv.end(),
                          {"--blockdev",
                           fmt::format("driver={},node-name=file,filename={}", drive.image.driver,
                                       option_text(drive.image.file.native())),
                           "--blockdev", node, "--export",
                           fmt::format("type=vhost-user-blk,id=export,node-name=disk,addr.type=unix,addr."
                                       "path={},writable={},num-queues={}",
                                       option_text(companion.socket.native()), drive.readonly ? "off" : "on",
                                       drive.num_queues.empty() ? "1" : drive.num_queues)});
    return companion;
}

}  // namespace

std::filesystem::path companion_socket(const std::filesystem::path& instance_dir,
                                       const std::string& companion) {
    return instance_dir / companion;
}

std::vector<Companion> companions_of(const MachineSpec& spec, const Placement& placement) {
    std::vector<Companion> companions;
    for (const auto& tpm : spec.tpms) {
        if (tpm.type == "emulator") {
            companions.push_back(swtpm(tpm, placement));
        }
    }
    for (const auto& fs : spec.shared_filesystems) {
        if (fs.socket.empty()) {
            companions.push_back(virtiofsd(fs, placement));
        }
    }
    for (const auto& drive : spec.drives) {
        if (drive.bus == DriveBus::vhost_user_blk) {
            companions.push_back(storage_daemon(drive, placement));
        } else if (drive.image.own_server) {
            companions.push_back(nbd_server(drive, placement));
        }
    }
    return companions;
}

}  // namespace vt::qemu

// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/vm/qemu/companions.hpp"

#include "runner/process/process.hpp"
#include "runner/support/file.hpp"
#include "runner/support/log.hpp"
#include "runner/support/strings.hpp"
#include "runner/vm/errors.hpp"
#include "runner/vm/qemu/launch.hpp"

#include <cerrno>
#include <cstdint>
#include <cstring>

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/ioctl.h>

namespace vt::qemu {

namespace fs = std::filesystem;

namespace {

// Of <linux/vhost.h>, which is no C++.
constexpr unsigned long set_owner = _IO(0xAF, 0x01);
constexpr unsigned long set_guest_cid = _IOW(0xAF, 0x60, std::uint64_t);

/// The firmware's template, also where another distribution puts it.
fs::path firmware_file(const fs::path& wanted, const char* parameter) {
    std::error_code error;
    if (fs::exists(wanted, error)) {
        return wanted;
    }
    for (const char* dir :
         {"/usr/share/OVMF", "/usr/share/edk2/ovmf", "/usr/share/AAVMF", "/usr/share/edk2/aarch64"}) {
        if (const auto other = fs::path(dir) / wanted.filename(); fs::exists(other, error)) {
            log::info("There is no firmware {}; {} is taken instead", wanted.native(), other.native());
            return other;
        }
    }
    throw VMImageMissingError(fmt::format(
        "the firmware {} of parameter {} is missing; install ovmf (Debian) or edk2-ovmf (Fedora), or "
        "name another",
        wanted.native(), parameter));
}

bool throw_away(const MachineSpec& spec, const Placement& placement) {
    return !spec.drives.empty() && placement.overlays.contains(spec.drives.front().name);
}

/// Where the VM's things lie that outlive it.
fs::path memory_dir(const MachineSpec& spec, const fs::path& data_dir) {
    return data_dir / "vm-memory" / replace_all(spec.vm_name, "/", "_");
}

void place_firmware(const MachineSpec& spec, Placement& placement, const fs::path& data_dir) {
    const Firmware& firmware = *spec.firmware;
    placement.firmware_code = firmware_file(firmware.code, "ovmf_code_filename");
    if (firmware.vars.empty()) {
        return;
    }
    const auto fresh = firmware_file(firmware.vars, "ovmf_vars_filename");
    const auto kept = memory_dir(spec, data_dir) / fresh.filename();
    std::error_code error;
    if (throw_away(spec, placement)) {
        placement.firmware_vars = placement.instance_dir / "firmware-vars";
        fs::copy_file(!firmware.restore && fs::exists(kept, error) ? kept : fresh, placement.firmware_vars,
                      fs::copy_options::overwrite_existing);
        return;
    }
    placement.firmware_vars = kept;
    if (firmware.restore || !fs::exists(kept, error)) {
        fs::create_directories(kept.parent_path());
        // By another name first: half a copy would be taken for the VM's memory.
        const auto part = kept.native() + ".part";
        fs::copy_file(fresh, part, fs::copy_options::overwrite_existing);
        fs::permissions(part, fs::perms::owner_read | fs::perms::owner_write);
        fs::rename(part, kept);
    }
}

/// What a companion printed last.
std::string last_words(const fs::path& log) {
    const auto text = read_file(log);
    // Whoever does not understand an option says that first and all that it understands afterwards.
    return std::string(trim(text.size() <= 1000 ? text : text.substr(0, text.find('\n'))));
}

void prepare(const Companion& companion, const fs::path& log, const Deadline& deadline) {
    for (const auto& words : companion.before) {
        process::Command command;
        command.argv = words;
        command.merge_stderr = true;
        if (!process::find_program(words.front())) {
            throw process::NotFoundError(
                fmt::format("{} is not there; install {}", words.front(), companion.package));
        }
        const auto done = process::run(command, deadline);
        write_file_atomically(log.native() + ".setup", done.out, 0600);
        if (!done.status.ok()) {
            throw VMCreateError(fmt::format(
                "{} failed ({}): {}", words.front(), done.status.text(),
                trim(std::string_view(done.out).substr(done.out.size() < 500 ? 0 : done.out.size() - 500))));
        }
    }
}

}  // namespace

void place_memory(const MachineSpec& spec, Placement& placement, const fs::path& data_dir) {
    if (spec.firmware) {
        place_firmware(spec, placement, data_dir);
    }
    for (const auto& tpm : spec.tpms) {
        if (tpm.type != "emulator") {
            continue;
        }
        auto& state = placement.tpm_state[tpm.name];
        state = throw_away(spec, placement) ? placement.instance_dir / ("tpm-state-" + tpm.name)
                                            : memory_dir(spec, data_dir) / ("tpm-" + tpm.name);
        fs::create_directories(state.parent_path());
        make_private_directory(state);
    }
}

void place_vsocks(const MachineSpec& spec, Placement& placement, std::vector<PortLease>& leases) {
    constexpr std::uint16_t first = 43000, last = 43999;  // any but the reserved ones below 3 would do
    for (const auto& vsock : spec.vsocks) {
        const UniqueFd device(::open("/dev/vhost-vsock", O_RDWR | O_CLOEXEC));
        if (!device) {
            throw VMDeviceError(
                fmt::format("vsock {} of VM {} needs /dev/vhost-vsock ({}); load the module vhost_vsock",
                            vsock, spec.vm_name, std::strerror(errno)));
        }
        ::ioctl(device.get(), set_owner);
        for (;;) {
            leases.push_back(PortLease::take(first, last));
            const std::uint64_t cid = leases.back().port();
            if (::ioctl(device.get(), set_guest_cid, &cid) == 0) {
                placement.vsock_cids[vsock] = static_cast<std::uint32_t>(cid);
                break;
            }
            if (errno != EADDRINUSE) {
                throw VMDeviceError(fmt::format("vsock {} of VM {} gets no address: {}", vsock, spec.vm_name,
                                                std::strerror(errno)));
            }
        }
    }
}

std::vector<process::GuardedProcess> start_companions(process::Guardian& guardian, const std::string& process,
                                                      const std::vector<Companion>& companions,
                                                      const fs::path& log_dir, const std::string& vm,
                                                      const Deadline& deadline) {
    std::vector<process::GuardedProcess> running;
    for (const auto& companion : companions) {
        const auto log = log_dir / fmt::format("{}-{}.log", companion.name, vm);
        if (!process::find_program(companion.argv.front())) {
            throw process::NotFoundError(fmt::format("{}, which VM {} needs, is not there; install {}",
                                                     companion.argv.front(), vm, companion.package));
        }
        prepare(companion, log, deadline);
        const UniqueFd output(::open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600));
        if (!output) {
            throw SystemError("make " + log.native(), errno);
        }
        process::GuardedStart start;
        start.name = process + "-" + companion.name;
        start.command.argv = companion.argv;
        start.command.environment["LC_ALL"] = "C";
        start.output = output.get();
        start.companion_of = process;
        log::debug("Running {} for VM {}:\n{}", companion.name, vm, shell_quote(companion.argv));
        running.push_back(guardian.start(start));
        if (!wait_for_socket(companion.socket, running.back().pidfd(), deadline)) {
            const auto words = last_words(log);
            throw VMCreateError(fmt::format("{}, which VM {} needs, ended at once{}", companion.argv.front(),
                                            vm, words.empty() ? ", without a word" : ": " + words));
        }
    }
    return running;
}

}  // namespace vt::qemu

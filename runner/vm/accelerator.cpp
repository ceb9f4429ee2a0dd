// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/vm/accelerator.hpp"

#include "runner/process/process.hpp"
#include "runner/support/file.hpp"
#include "runner/support/file_lock.hpp"
#include "runner/support/log.hpp"
#include "runner/support/strings.hpp"

#include <array>

#include <fmt/core.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>
#include <unistd.h>

namespace vt {

namespace fs = std::filesystem;

namespace {

constexpr int answer = 0x31;  ///< what the guest writes; QEMU exits with (answer << 1) | 1

/// A boot sector that adds up a few numbers in a loop (so that jumps, flags and memory work, too) and writes
/// the result to the debug-exit port, then halts.
std::string boot_sector() {
    static constexpr std::array<unsigned char, 23> code = {
        0x31, 0xc0,              // xor ax, ax
        0x8e, 0xd8,              // mov ds, ax
        0xb9, 0x07, 0x00,        // mov cx, 7
        0x01, 0xc8,              // add ax, cx        (7 + 6 + … + 1 = 28)
        0xe2, 0xfc,              // loop -4
        0xa3, 0x00, 0x05,        // mov [0x500], ax
        0x02, 0x06, 0x00, 0x05,  // add al, [0x500]   (56)
        0x2c, 0x07,              // sub al, 7         (49 = 0x31)
        0xe6, 0xf4,              // out 0xf4, al
        0xf4,                    // hlt
    };
    std::string sector(512, '\0');
    std::copy(code.begin(), code.end(), sector.begin());
    sector[510] = '\x55';
    sector[511] = '\xaa';
    return sector;
}

std::string stat_text(const fs::path& path) {
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0) {
        return "missing";
    }
    return fmt::format("{}:{}:{}:{:o}:{}:{}:{}", info.st_dev, info.st_ino, info.st_size, info.st_mode,
                       info.st_uid, info.st_gid, S_ISCHR(info.st_mode) ? 0 : info.st_mtim.tv_sec);
}

/// Everything that could change the answer.
std::string cache_key(const fs::path& qemu) {
    std::string boot_id;
    try {
        boot_id = trim(read_file("/proc/sys/kernel/random/boot_id"));
    } catch (const Error&) {
        boot_id = "unknown";
    }
    return fmt::format("{} {} boot {} kvm {} uid {}", qemu.native(), stat_text(qemu), boot_id,
                       stat_text("/dev/kvm"), ::geteuid());
}

Accelerator run_probe(const fs::path& qemu, Seconds limit) {
    const TempDirectory dir("avocado-vt-probe");
    const fs::path disk = dir.path() / "boot.img";
    write_file_atomically(disk, boot_sector());
    process::Command command;
    command.argv = {
        qemu,
        "-nodefaults",
        "-no-user-config",
        "-machine",
        "pc",
        "-accel",
        "kvm",
        "-m",
        "16",
        "-display",
        "none",
        "-device",
        "isa-debug-exit,iobase=0xf4,iosize=0x04",
        "-drive",
        fmt::format("file={},format=raw,if=ide,snapshot=on", replace_all(disk.native(), ",", ",,")),
        "-no-reboot"};
    try {
        const auto done = process::run(command, Deadline::after(limit));
        if (done.status.signal == 0 && done.status.code == (answer << 1 | 1)) {
            return {Accelerator::Kind::kvm, "KVM ran a test guest", false};
        }
        const auto words = trim(done.err);
        return {Accelerator::Kind::tcg,
                fmt::format("KVM did not run a test guest: QEMU ended with {}{}{}", done.status.text(),
                            words.empty() ? "" : ": ", words.substr(0, words.find('\n'))),
                false};
    } catch (const TimeoutError&) {
        return {
            Accelerator::Kind::tcg,
            fmt::format(
                "/dev/kvm is there, but a test guest of twelve instructions did not finish within {:.0f} s",
                limit.count()),
            false};
    }
}

Accelerator probe(const fs::path& qemu, Seconds limit) {
    if (::access("/dev/kvm", F_OK) != 0) {
        return {Accelerator::Kind::tcg, "this host has no /dev/kvm", false};
    }
    if (::access("/dev/kvm", R_OK | W_OK) != 0) {
        return {Accelerator::Kind::tcg, "/dev/kvm may not be opened by this user (group kvm)", false};
    }
    return run_probe(qemu, limit);
}

std::optional<Accelerator> read_cache(const fs::path& file, const std::string& key) {
    std::string text;
    try {
        text = read_file(file, 65536);
    } catch (const Error&) {
        return std::nullopt;
    }
    const auto json = nlohmann::json::parse(text, nullptr, false);
    if (!json.is_object() || json.value("key", nlohmann::json()) != key || !json.contains("kvm") ||
        !json["kvm"].is_boolean() || !json.contains("reason") || !json["reason"].is_string()) {
        return std::nullopt;
    }
    return Accelerator{json["kvm"].get<bool>() ? Accelerator::Kind::kvm : Accelerator::Kind::tcg,
                       json["reason"].get<std::string>(), true};
}

}  // namespace

Accelerator probe_accelerator(const fs::path& qemu_name, const fs::path& cache_dir, Seconds limit) {
    const auto found = process::find_program(qemu_name.native());
    if (!found) {
        throw process::NotFoundError(
            fmt::format("QEMU ({}) is not there; install qemu-system-x86, or name it by --vt-qemu-bin",
                        qemu_name.native()));
    }
    std::error_code error;
    const fs::path qemu = fs::canonical(*found, error);
    const std::string key = cache_key(error ? *found : qemu);
    const fs::path file = cache_dir / "accelerator.json";
    if (auto cached = read_cache(file, key)) {
        return *cached;
    }
    // Tasks that start together probe once: the others wait for the answer.
    std::optional<FileLock> lock;
    try {
        lock = FileLock::take(cache_dir / "accelerator.lock", FileLock::Mode::exclusive, "accelerator probe",
                              Deadline::after(limit * 3));
        if (auto cached = read_cache(file, key)) {
            return *cached;
        }
    } catch (const TimeoutError& late) {
        log::debug("{}", late.what());
    }
    const Accelerator result = probe(qemu, limit);
    log::info("Accelerator: {} ({})", result.name(), result.reason);
    try {
        write_file_atomically(
            file,
            nlohmann::json{{"key", key}, {"kvm", result.kvm()}, {"reason", to_valid_utf8(result.reason)}}
                .dump(),
            0600);
    } catch (const SystemError& failed) {
        log::warning("The accelerator probe's answer could not be kept: {}", failed.what());
    }
    return result;
}

}  // namespace vt

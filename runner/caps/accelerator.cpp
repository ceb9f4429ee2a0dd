// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/caps/accelerator.hpp"

#include "runner/process/process.hpp"
#include "runner/support/file.hpp"
#include "runner/support/file_lock.hpp"
#include "runner/support/log.hpp"
#include "runner/support/runtime_dirs.hpp"
#include "runner/support/scratch.hpp"
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

/// A boot sector that goes into 64-bit mode with page tables of its own, as any guest of today does, adds up
/// 20 million numbers and writes the lowest byte of the sum to the debug-exit port. A KVM without real help
/// from the processor either stops on the way or does not get through the numbers in time.
// clang-format off
constexpr std::array<unsigned char, 148> boot_code = {
    0xfa,                                                  // cli
    0x31, 0xc0,                                            // xor ax, ax
    0x8e, 0xd8,                                            // mov ds, ax
    0x8e, 0xc0,                                            // mov es, ax
    0x66, 0xbf, 0x00, 0x10, 0x00, 0x00,                    // mov edi, 0x1000
    0x0f, 0x22, 0xdf,                                      // mov cr3, edi
    0x66, 0x31, 0xc0,                                      // xor eax, eax
    0x66, 0xb9, 0x00, 0x0c, 0x00, 0x00,                    // mov ecx, 0xc00
    0xfc,                                                  // cld
    0x66, 0xf3, 0xab,                                      // rep stosd
    0x66, 0xc7, 0x06, 0x00, 0x10, 0x03, 0x20, 0x00, 0x00,  // mov dword [0x1000], 0x2003
    0x66, 0xc7, 0x06, 0x00, 0x20, 0x03, 0x30, 0x00, 0x00,  // mov dword [0x2000], 0x3003
    0x66, 0xc7, 0x06, 0x00, 0x30, 0x83, 0x00, 0x00, 0x00,  // mov dword [0x3000], 0x83: a page of 2 MiB
    0x66, 0xb8, 0x20, 0x00, 0x00, 0x00,                    // mov eax, 0x20: PAE
    0x0f, 0x22, 0xe0,                                      // mov cr4, eax
    0x66, 0xb9, 0x80, 0x00, 0x00, 0xc0,                    // mov ecx, 0xc0000080: EFER
    0x0f, 0x32,                                            // rdmsr
    0x66, 0x0d, 0x00, 0x01, 0x00, 0x00,                    // or eax, 0x100: long mode
    0x0f, 0x30,                                            // wrmsr
    0x0f, 0x01, 0x16, 0x90, 0x7c,                          // lgdt [0x7c90]
    0x0f, 0x20, 0xc0,                                      // mov eax, cr0
    0x66, 0x0d, 0x01, 0x00, 0x00, 0x80,                    // or eax, 0x80000001: protection, paging
    0x0f, 0x22, 0xc0,                                      // mov cr0, eax
    0xea, 0x67, 0x7c, 0x08, 0x00,                          // jmp 8:0x7c67
    0xb9, 0x00, 0x2d, 0x31, 0x01,                          // mov ecx, 20000000, the first in 64 bits
    0x31, 0xc0,                                            // xor eax, eax
    0x01, 0xc8,                                            // add eax, ecx
    0xff, 0xc9,                                            // dec ecx
    0x75, 0xfa,                                            // jnz -6
    0x04, 0xb1,                                            // add al, 0xb1: makes the sum 0x31
    0xe6, 0xf4,                                            // out 0xf4, al
    0xf4,                                                  // hlt
    0x0f, 0x1f, 0x80, 0x00, 0x00, 0x00, 0x00,              // to a multiple of 8
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,        // descriptors: none,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x9a, 0x20, 0x00,        // 64-bit code;
    0x0f, 0x00, 0x80, 0x7c,                                // their limit and address
};
// clang-format on

std::string boot_sector() {
    std::string sector(512, '\0');
    std::copy(boot_code.begin(), boot_code.end(), sector.begin());
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
    return fmt::format("probe 2 {} {} boot {} kvm {} uid {}", qemu.native(), stat_text(qemu), boot_id,
                       stat_text("/dev/kvm"), ::geteuid());
}

Accelerator run_probe(const fs::path& qemu, Seconds limit) {
    const ScratchDirectory dir(RuntimeDirs::make().journal(), "avocado-vt-probe-");
    const fs::path disk = dir.path() / "boot.img";
    write_file_atomically(disk, boot_sector());
    process::Command command;
    // The processor model is the one that guests get where the parameters leave it to us.
    command.argv = split_words(
        "-nodefaults -no-user-config -no-reboot -machine pc -accel kvm -cpu host -m 16 -display none "
        "-device isa-debug-exit,iobase=0xf4,iosize=0x04 -drive");
    command.argv.insert(command.argv.begin(), qemu);
    command.argv.push_back(
        fmt::format("file={},format=raw,if=ide,snapshot=on", replace_all(disk.native(), ",", ",,")));
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
        return {Accelerator::Kind::tcg,
                fmt::format("/dev/kvm is there, but a small test guest did not finish within {:.0f} s",
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
    Accelerator result = probe(qemu, limit);
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

// SPDX-License-Identifier: GPL-2.0-or-later
// The answers are kept by the binary's digest. A binary of tens of megabytes is not read at each start: a
// second, tiny file says which digest belongs to the file as the file system describes it.
#include "runner/caps/capabilities.hpp"
#include "runner/process/process.hpp"
#include "runner/support/file.hpp"
#include "runner/support/file_lock.hpp"
#include "runner/support/log.hpp"
#include "runner/support/runtime_dirs.hpp"
#include "runner/support/scratch.hpp"
#include "runner/support/strings.hpp"

#include <array>
#include <cstdlib>

#include <fmt/core.h>
#include <sys/stat.h>

namespace vt {

namespace fs = std::filesystem;

namespace {

std::string stat_text(const fs::path& path) {
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0) {
        return "missing";
    }
    return fmt::format("{}:{}:{}:{}.{}:{}.{}", info.st_dev, info.st_ino, info.st_size, info.st_mtim.tv_sec,
                       info.st_mtim.tv_nsec, info.st_ctim.tv_sec, info.st_ctim.tv_nsec);
}

/// Devices come and go with QEMU's modules, too; a package that brings one touches their directory. QEMU
/// looks into $QEMU_MODULE_DIR first.
std::string modules_text() {
    std::string text;
    if (const char* own = std::getenv("QEMU_MODULE_DIR"); own != nullptr && own[0] != '\0') {
        text += fmt::format(" {}={}", own, stat_text(own));
    }
    for (const char* dir : {"/usr/lib/x86_64-linux-gnu/qemu", "/usr/lib/aarch64-linux-gnu/qemu",
                            "/usr/lib64/qemu-kvm", "/usr/lib64/qemu", "/usr/lib/qemu"}) {
        std::error_code error;
        if (fs::is_directory(dir, error)) {
            text += fmt::format(" {}={}", dir, stat_text(dir));
        }
    }
    return text;
}

std::optional<Capabilities> read(const fs::path& file) {
    std::string text;
    try {
        text = read_file(file);
    } catch (const Error&) {
        return std::nullopt;
    }
    try {
        return Capabilities::parse(std::move(text));
    } catch (const CapabilitiesError& error) {
        log::debug("{}: {}", file.native(), error.what());
        return std::nullopt;
    }
}

/// Where the answers of \p key are, if they are.
std::optional<Capabilities> look_up(const fs::path& dir, const fs::path& index, const std::string& key) {
    try {
        const auto lines = split(read_file(index, 65536), '\n');
        // A name from a file is a name only, never a way to another place.
        if (lines.size() >= 2 && lines[0] == key && lines[1].find('/') == std::string::npos) {
            return read(dir / lines[1]);
        }
    } catch (const Error&) {
    }
    return std::nullopt;
}

void keep(const fs::path& file, const std::string& text) {
    try {
        write_file_atomically(file, text, 0600);
    } catch (const SystemError& failed) {
        log::warning("What QEMU can do could not be kept and will be asked again: {}", failed.what());
    }
}

}  // namespace

Capabilities Capabilities::of(const fs::path& qemu_name, const fs::path& cache_dir, Seconds limit) {
    const auto found = process::find_program(qemu_name.native());
    if (!found) {
        throw process::NotFoundError(
            fmt::format("QEMU ({}) is not there; install qemu-system-x86, or name it by --vt-qemu-bin",
                        qemu_name.native()));
    }
    std::error_code error;
    fs::path qemu = fs::canonical(*found, error);
    if (error) {
        qemu = *found;
    }
    const std::string key = fmt::format("1 {} {}{}", qemu.native(), stat_text(qemu), modules_text());
    const fs::path index = cache_dir / fmt::format("qemu-{}.key", content_digest(qemu.native()));
    if (auto cached = look_up(cache_dir, index, key)) {
        return *cached;
    }
    // Tasks that start together ask once: the others wait for the answer.
    std::optional<FileLock> lock;
    try {
        lock = FileLock::take(cache_dir / "qemu-capabilities.lock", FileLock::Mode::exclusive,
                              "QEMU's capabilities", Deadline::after(limit * 2));
        if (auto cached = look_up(cache_dir, index, key)) {
            return *cached;
        }
    } catch (const TimeoutError& late) {
        log::debug("{}", late.what());
    }
    // The modules count as part of the binary, and so does the name: a multi-call program answers to it.
    const std::string name = fmt::format(
        "qemu-{}.caps",
        content_digest(content_digest(read_file(qemu)) + qemu.filename().native() + modules_text()));
    if (auto cached = read(cache_dir / name)) {
        keep(index, key + "\n" + name + "\n");
        return *cached;
    }
    const ScratchDirectory scratch(RuntimeDirs::make().journal(), "avocado-vt-caps-");
    std::string text = ask(qemu, scratch.path(), Deadline::after(limit));
    auto capabilities = parse(text);
    log::info("QEMU {} ({}) was asked what it can do: {} devices, {} commands", capabilities.version(),
              qemu.native(), capabilities.names("device").size(), capabilities.names("command").size());
    keep(cache_dir / name, text);
    keep(index, key + "\n" + name + "\n");
    return capabilities;
}

}  // namespace vt

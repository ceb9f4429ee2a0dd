// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/harness/block/settings.hpp"

#include "runner/process/process.hpp"
#include "runner/support/file.hpp"
#include "runner/support/install_dirs.hpp"
#include "runner/support/strings.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <random>

#include <fmt/format.h>
#include <sys/utsname.h>

namespace vt::block {
namespace fs = std::filesystem;
namespace {

std::string variable(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? std::string() : std::string(value);
}

std::string machine_of_host() {
    utsname host{};
    ::uname(&host);
    const std::string machine = host.machine;
    return machine.find("ppc64") != std::string::npos ? "ppc64" : machine;
}

/// Machine types of QEMUs that have no default one (as `check` has them).
std::string machine_option(const fs::path& qemu) {
    static const std::array<std::pair<const char*, const char*>, 8> machines{
        {{"arm", "virt"},
         {"aarch64", "virt"},
         {"avr", "mega2560"},
         {"m68k", "virt"},
         {"riscv32", "virt"},
         {"riscv64", "virt"},
         {"rx", "gdbsim-r5f562n8"},
         {"tricore", "tricore_testboard"}}};
    for (const auto& [architecture, machine] : machines) {
        if (qemu.filename() == std::string("qemu-system-") + architecture) {
            return std::string(" -machine ") + machine;
        }
    }
    return {};
}

void complete_one(fs::path& program, const char* from, const std::string& name, bool required) {
    const bool chosen = !program.empty() || !variable(from).empty();
    const std::string wanted = !program.empty() ? program.string() : chosen ? variable(from) : name;
    const auto found = process::find_program(wanted);
    if (found) {
        program = fs::absolute(*found);
        return;
    }
    if (chosen) {
        throw SetupError(
            fmt::format("{} is not an executable program; {} or the option named it", wanted, from));
    }
    if (required) {
        throw SetupError(
            fmt::format("there is no {} on PATH, and {} names none; block tests need it (Debian: "
                        "qemu-utils, qemu-system-x86)",
                        wanted, from));
    }
    program.clear();
}

std::map<std::string, std::string> format_variables(const Settings& settings) {
    static const std::array<std::string, 4> special{"bochs", "cloop", "dmg", "vvfat"};
    const bool generic = std::find(special.begin(), special.end(), settings.format) == special.end();
    std::map<std::string, std::string> variables{{"IMGFMT", settings.format},
                                                 {"IMGPROTO", settings.protocol},
                                                 {"IMGFMT_GENERIC", generic ? "true" : "false"},
                                                 {"IMGOPTSSYNTAX", "false"}};
    auto options = settings.image_options;
    const auto add = [&](const std::string& key, const std::string& value) {
        if (options.find(key) == std::string::npos) {
            options += (options.empty() ? "" : ",") + key + value;
        }
    };
    if (settings.format == "luks") {
        variables["IMGOPTSSYNTAX"] = "true";
        variables["IMGKEYSECRET"] = "123456";
        add("iter-time=", "10");
    } else if (settings.format == "vmdk") {
        add("zeroed_grain=", "on");
    }
    if (!options.empty()) {
        variables["IMGOPTS"] = options;
    }
    return variables;
}

}  // namespace

void Programs::complete() {
    complete_one(qemu, "QEMU_PROG", "qemu-system-" + machine_of_host(), true);
    complete_one(qemu_img, "QEMU_IMG_PROG", "qemu-img", true);
    complete_one(qemu_io, "QEMU_IO_PROG", "qemu-io", true);
    complete_one(qemu_nbd, "QEMU_NBD_PROG", "qemu-nbd", false);
    complete_one(storage_daemon, "QSD_PROG", "qemu-storage-daemon", false);
    if (python.empty()) {
        python = variable("AVOCADO_VT_PYTHON");
    }
    if (python.empty() || !fs::exists(python)) {
        python = "/usr/bin/python3";
    }
}

const std::vector<std::string>& known_formats() {
    static const std::vector<std::string> names{"raw",   "bochs", "cloop", "parallels", "qcow",
                                                "qcow2", "qed",   "vdi",   "vpc",       "vhdx",
                                                "vmdk",  "luks",  "dmg",   "vvfat"};
    return names;
}

const std::vector<std::string>& known_protocols() {
    static const std::vector<std::string> names{"file", "rbd", "nbd", "ssh", "nfs", "fuse"};
    return names;
}

std::string qemu_options(const Settings& settings, const Facts& facts, const fs::path& firmware) {
    std::string options = "-nodefaults -display none";
    if (facts.qtest) {
        options += " -accel qtest";
    } else {
        options += " -accel tcg" + (firmware.empty() ? std::string(" -S") : " -bios " + firmware.string());
    }
    return options + (settings.machine.empty() ? machine_option(settings.programs.qemu)
                                               : " -machine " + settings.machine);
}

std::map<std::string, std::string> environment(const Settings& settings, const Facts& facts,
                                               const Place& place, const fs::path& source) {
    auto variables = format_variables(settings);
    const auto& programs = settings.programs;
    const bool x86 = programs.qemu.filename() == "qemu-system-x86_64" ||
                     programs.qemu.filename() == "qemu-system-i386" || programs.qemu.filename() == "kvm";
    fs::path firmware;
    if (!facts.qtest && x86) {
        firmware = place.sock_dir / "idle.bin";
        write_idle_firmware(firmware);
    }
    std::string io = fmt::format("--cache {} --aio {}{}", settings.cache(), settings.aio_mode,
                                 settings.misalign ? " --misalign" : "");
    variables["QEMU_IO_OPTIONS_NO_FMT"] = io;
    variables["QEMU_IO_OPTIONS"] = settings.format == "luks" ? io : io + " -f " + settings.format;
    variables["TEST_DIR"] = place.test_dir;
    variables["OUTPUT_DIR"] = place.test_dir;
    variables["SOCK_DIR"] = place.sock_dir;
    const auto samples = variable("SAMPLE_IMG_DIR");
    variables["SAMPLE_IMG_DIR"] = samples.empty() ? (source / "sample_images").string() : samples;
    variables["QEMU_PROG"] = programs.qemu;
    variables["QEMU_IMG_PROG"] = programs.qemu_img;
    variables["QEMU_IO_PROG"] = programs.qemu_io;
    variables["QEMU_NBD_PROG"] = programs.qemu_nbd.empty() ? "qemu-nbd" : programs.qemu_nbd.string();
    variables["QSD_PROG"] =
        programs.storage_daemon.empty() ? "qemu-storage-daemon" : programs.storage_daemon.string();
    variables["QEMU_OPTIONS"] = qemu_options(settings, facts, firmware);
    variables["QEMU_DEFAULT_MACHINE"] = settings.machine.empty() ? facts.default_machine : settings.machine;
    variables["CACHEMODE"] = settings.cache();
    variables["CACHEMODE_IS_DEFAULT"] = settings.cache_mode ? "false" : "true";
    variables["AIOMODE"] = settings.aio_mode;
    variables["PYTHON"] = programs.python;
    if (variable("MALLOC_PERTURB_").empty()) {
        variables["MALLOC_PERTURB_"] = std::to_string(1 + std::random_device{}() % 254);
    }
    if (settings.gdb) {
        const auto options = variable("GDB_OPTIONS");
        variables["GDB_OPTIONS"] = options.empty() ? "localhost:12345" : options;
    }
    if (settings.valgrind) {
        variables["VALGRIND_QEMU"] = "y";
    }
    if (settings.print) {
        variables["PRINT_QEMU"] = "y";
    }
    const auto inherited = variable("PYTHONPATH");
    const auto theirs = source.string() + ":" + (source / "../../python").lexically_normal().string();
    const auto ours = InstallDirs::find().python().string();
    variables["PYTHONPATH"] = (settings.module == "theirs" ? theirs : ours + ":" + theirs) +
                              (inherited.empty() ? "" : ":" + inherited);
    variables["PYTHONDONTWRITEBYTECODE"] = "1";
    variables["VT_IOTESTS_FACTS"] = facts.cache;
    variables["VT_IOTESTS_API"] = settings.api;
    variables["VT_IOTESTS_LOG_DIR"] = place.log_dir;
    variables["VT_IOTESTS_QTEST"] = facts.qtest ? "1" : "0";
    return variables;
}

void write_idle_firmware(const fs::path& file) {
    // cli; hlt; jmp to itself, at the reset vector's end of the last 64 KiB; hlt all over.
    constexpr std::size_t size = 65536;
    constexpr std::size_t reset_vector = size - 16;
    std::string image(size, '\xf4');
    image.replace(reset_vector, 4, "\xfa\xf4\xeb\xfd");
    write_file_atomically(file, image, 0600);
}

}  // namespace vt::block

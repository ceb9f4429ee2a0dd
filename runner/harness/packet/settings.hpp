// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// What the environment says about how daemons under test are run: the variables of VPP's framework.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

namespace vt::packet {

/// How a person looks into the daemon.
enum class Debug {
    none,
    core,       ///< cores are looked into
    gdb,        ///< the test waits until a gdb is attached
    gdbserver,  ///< the daemon runs under gdbserver
};

/// Reads an environment variable; nothing if it is not set.
using Lookup = std::function<std::optional<std::string>(const std::string& name)>;
/// The process's own environment.
std::optional<std::string> from_process(const std::string& name);

/// The settings.
struct Settings {
    bool step = false;          ///< STEP: Enter before each command
    Debug debug = Debug::none;  ///< DEBUG
    bool cache_output = true;   ///< CACHE_OUTPUT: what it prints is logged at the end, not at once
    std::optional<std::uint64_t> core_size;  ///< COREDUMP_SIZE in bytes; nothing: unlimited
    std::filesystem::path failed_dir;  ///< FAILED_DIR: where failed tests' directories get a link; or empty
    bool extended = false;             ///< EXTENDED_TESTS
    std::string program = "vpp";       ///< VPP_BIN
    std::string plugin_path;           ///< VPP_PLUGIN_PATH and EXTERN_PLUGINS, with a colon between; or empty

    /// Throws Error for a DEBUG or COREDUMP_SIZE that means nothing.
    static Settings read(const Lookup& lookup = from_process);
};

/// "core", "gdb", "gdbserver" in any case; empty: none. Throws Error for other words.
Debug debug_of(const std::string& word);
/// True for y, yes and 1 in any case.
bool is_yes(const std::string& word);

/// The CPU on which the fewest processes called \p process_name run; one of them at random.
int least_used_cpu(const std::string& process_name, const std::filesystem::path& proc = "/proc");

}  // namespace vt::packet

// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// What block tests are run with: format, protocol, caches, programs; and the environment of a script, which
/// is where scripts look for all of it.
///
/// The variables are those of `check` in QEMU's tests/qemu-iotests, and what `check` takes from its caller's
/// environment (QEMU_PROG, QEMU_IMG_PROG, …) is taken from there too. Those that begin with VT_IOTESTS_ are
/// for our own `iotests` module.
#pragma once

#include "runner/support/deadline.hpp"
#include "runner/support/error.hpp"

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace vt::block {

/// A program, format or option that is not there; what() says what is wanted and where it was looked for.
class SetupError : public Error {
  public:
    using Error::Error;
};

/// The programs under test, as absolute paths; empty: there is none here.
struct Programs {
    std::filesystem::path qemu;
    std::filesystem::path qemu_img;
    std::filesystem::path qemu_io;
    std::filesystem::path qemu_nbd;
    std::filesystem::path storage_daemon;
    std::filesystem::path python;  ///< for scripts in Python: the one whose extension modules ours are

    /// Completes what is empty: from QEMU_PROG, QEMU_IMG_PROG, QEMU_IO_PROG, QEMU_NBD_PROG, QSD_PROG, else by
    /// name on PATH. Throws SetupError if QEMU, qemu-img or qemu-io cannot be found, or a named one is not
    /// there.
    void complete();
};

/// What a run is set to.
struct Settings {
    std::string format = "raw";
    std::string protocol = "file";
    std::string image_options;              ///< `-o`
    std::optional<std::string> cache_mode;  ///< absent: writeback, as the default
    std::string aio_mode = "threads";
    std::string machine;  ///< machine type; empty: QEMU's default
    bool misalign = false;
    bool debug = false;
    bool print = false;     ///< QEMU's output goes to the script's
    bool gdb = false;       ///< QEMU runs below gdbserver
    bool valgrind = false;  ///< QEMU runs below valgrind
    Programs programs;
    std::string module = "ours";  ///< whose `iotests` a script imports: "ours", "theirs" (its folder's)
    std::string api;              ///< "6.1", "7.2"; empty: as the script uses it
    Seconds timeout{900};         ///< for one script

    /// "writeback" or what was chosen.
    std::string cache() const { return cache_mode.value_or("writeback"); }
};

/// What the programs say of themselves (QEMU by its capabilities); asked once and kept in the user's cache
/// directory.
struct Facts {
    bool qtest = false;                      ///< QEMU has the accelerator of that name
    std::string default_machine;             ///< its alias where it has one: "pc"
    std::string drive_formats;               ///< the text of `-drive format=help`
    std::vector<std::string> image_formats;  ///< of qemu-img
    std::filesystem::path cache;             ///< a JSON file with formats and devices, for the scripts

    /// Asks the programs, unless \p cache_dir has their answers. Throws SetupError.
    static Facts of(const Programs& programs, const std::filesystem::path& cache_dir);
    bool has_image_format(const std::string& format) const;
};

/// Where one script's things lie.
struct Place {
    std::filesystem::path test_dir;
    std::filesystem::path sock_dir;
    std::filesystem::path log_dir;  ///< QMP traffic; empty: none is kept
};

/// Formats and protocols in the words of `check`.
const std::vector<std::string>& known_formats();
const std::vector<std::string>& known_protocols();

/// The variables of \p script's environment, to be added to the caller's. \p source: the folder of the tests,
/// which has sample_images and, two above it, python.
std::map<std::string, std::string> environment(const Settings& settings, const Facts& facts,
                                               const Place& place, const std::filesystem::path& source);

/// The options that every QEMU of a script gets: with the qtest accelerator where there is one, else with a
/// machine that executes nothing. \p firmware is a file for that (see write_idle_firmware()), empty for none.
std::string qemu_options(const Settings& settings, const Facts& facts, const std::filesystem::path& firmware);

/// Writes firmware for x86 that halts the processor for ever, so that a machine can run (QEMU says "running",
/// as it does under the qtest accelerator) without a guest. Throws SystemError.
void write_idle_firmware(const std::filesystem::path& file);

}  // namespace vt::block

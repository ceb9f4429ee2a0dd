// SPDX-License-Identifier: GPL-2.0-or-later
#include "resolver/data_dir.hpp"

#include "runner/support/error.hpp"
#include "runner/support/file.hpp"
#include "runner/support/home.hpp"
#include "runner/support/log.hpp"

#include <nlohmann/json.hpp>
#include <unistd.h>

namespace vt::resolver {

using nlohmann::json;
namespace fs = std::filesystem;

bool DataDir::bootstrapped(std::string_view type) const {
    // Bootstrap makes it for each type it is asked for; the tests.cfg of all types come along with any of
    // them.
    std::error_code error;
    return fs::is_regular_file(backend_cfg(type) / "subtests.cfg", error);
}

DataDirNotes DataDirNotes::load(const DataDir& dir) {
    DataDirNotes notes;
    std::error_code error;
    if (!fs::exists(dir.notes_file(), error)) {
        return notes;
    }
    try {
        json object = json::parse(read_file(dir.notes_file(), std::size_t{4} << 20));
        notes.default_guest = object.value("default_guest", "");
        notes.installed = object.value("installed", std::map<std::string, std::string>());
        notes.assets = object.value("assets", std::map<std::string, std::string>());
    } catch (const std::exception& problem) {
        log::warning("Passing over the notes in {}: {}", dir.notes_file().string(), problem.what());
        return {};
    }
    return notes;
}

void DataDirNotes::save(const DataDir& dir) const {
    json object = {{"default_guest", default_guest}, {"installed", installed}, {"assets", assets}};
    write_file_atomically(dir.notes_file(), object.dump(1) + "\n");
}

fs::path default_data_dir(const fs::path& override_dir) {
    if (!override_dir.empty()) {
        return fs::absolute(override_dir).lexically_normal();
    }
    // As Avocado: the system's directory if it can be written to, else the user's.
    fs::path system = "/var/lib/avocado/data";
    if (access(system.c_str(), W_OK | X_OK) == 0) {
        return system / "avocado-vt";
    }
    fs::path home = home_directory();
    if (home.empty()) {
        throw Error(
            "HOME is not set, this user has no home directory, and /var/lib/avocado/data cannot be written "
            "to: "
            "say with --data-dir where the data directory is");
    }
    return home / "avocado" / "data" / "avocado-vt";
}

}  // namespace vt::resolver

// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/bootstrap/config_set.hpp"

#include "runner/support/file.hpp"
#include "runner/support/log.hpp"

#include <algorithm>
#include <map>

namespace vt::bootstrap {

namespace fs = std::filesystem;

namespace {

/// The *.cfg files directly in \p dir by name.
std::vector<fs::path> cfg_files(const fs::path& dir) {
    std::vector<fs::path> files;
    std::error_code error;
    for (fs::directory_iterator entry(dir, error), end; !error && entry != end; entry.increment(error)) {
        std::error_code ignored;
        if (entry->path().extension() == ".cfg" && entry->is_regular_file(ignored)) {
            files.push_back(entry->path());
        }
    }
    std::sort(files.begin(), files.end());
    return files;
}

}  // namespace

std::vector<ConfigFile> config_files(const fs::path& share, const std::string& type,
                                     const resolver::DataDir& dir,
                                     const std::vector<providers::Provider>& providers) {
    std::map<fs::path, fs::path> source_of;
    if (type != "lvsb") {
        for (const fs::path& file : cfg_files(share / "shared")) {
            source_of[dir.backend_cfg(type) / file.filename()] = file;
        }
    }
    for (const std::string& each : providers::known_types()) {
        for (const fs::path& file : cfg_files(share / "backends" / each / "cfg")) {
            source_of[dir.backend_cfg(each) / file.filename()] = file;
        }
    }
    for (const providers::Provider& provider : providers) {
        const providers::Section* section = provider.section(type);
        if (section == nullptr) {
            continue;
        }
        for (const std::string& name : section->configs) {
            fs::path file = section->subdir / "cfg" / name;
            if (std::error_code error; fs::is_regular_file(file, error)) {
                source_of[dir.backend_cfg(type) / file.filename()] = file;
            } else if (fs::exists(provider.root, error)) {
                log::warning("Provider {} promises a config file that is not there: {}", provider.name,
                             file.string());
            }
        }
    }
    std::vector<ConfigFile> files;
    files.reserve(source_of.size());
    for (const auto& [target, source] : source_of) {
        files.push_back({target, read_file(source)});
    }
    return files;
}

bool write_if_changed(const fs::path& path, const std::string& content) {
    std::error_code error;
    if (fs::is_regular_file(path, error) && read_file(path) == content) {
        return false;
    }
    write_file_atomically(path, content);
    return true;
}

ConfigSetReport install_config_files(const std::vector<ConfigFile>& files, bool replace_edited,
                                     const resolver::DataDir& dir, resolver::DataDirNotes& notes) {
    ConfigSetReport report;
    for (const ConfigFile& file : files) {
        std::string key = file.target.lexically_relative(dir.path).string();
        std::string digest = resolver::content_digest(file.content);
        fs::create_directories(file.target.parent_path());
        std::error_code error;
        if (fs::exists(file.target, error)) {
            std::string present = read_file(file.target);
            if (present == file.content) {
                notes.installed[key] = digest;
                continue;
            }
            auto noted = notes.installed.find(key);
            bool edited =
                noted == notes.installed.end() || noted->second != resolver::content_digest(present);
            if (edited && !replace_edited) {
                report.kept.push_back(file.target);
                continue;
            }
        }
        write_file_atomically(file.target, file.content);
        notes.installed[key] = digest;
        report.written.push_back(file.target);
    }
    return report;
}

}  // namespace vt::bootstrap

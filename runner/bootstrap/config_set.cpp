// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/bootstrap/config_set.hpp"

#include "runner/bootstrap/import_config.hpp"
#include "runner/process/process.hpp"
#include "runner/support/file.hpp"
#include "runner/support/log.hpp"
#include "runner/support/strings.hpp"

#include <algorithm>
#include <cctype>
#include <map>

#include <fmt/core.h>

namespace vt::bootstrap {

namespace fs = std::filesystem;

namespace {

/// The files of one extension directly in \p dir by name.
std::vector<fs::path> files_in(const fs::path& dir, const char* extension = ".cfg") {
    std::vector<fs::path> files;
    std::error_code error;
    for (fs::directory_iterator entry(dir, error), end; !error && entry != end; entry.increment(error)) {
        std::error_code ignored;
        if (entry->path().extension() == extension && entry->is_regular_file(ignored)) {
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
        for (const fs::path& from : {share / "shared", imported_dir(dir.path) / "cfg"}) {
            for (const fs::path& file : files_in(from)) {
                source_of[dir.backend_cfg(type) / file.filename()] = file;
            }
        }
    }
    // Upstream's definitions say no more of what is shipped as well.
    for (const fs::path& from : {imported_dir(dir.path) / "downloads", share / "shared" / "downloads"}) {
        for (const fs::path& file : files_in(from, ".ini")) {
            source_of[dir.path / "downloads" / file.filename()] = file;
        }
    }
    for (const std::string& each : providers::known_types()) {
        for (const fs::path& file : files_in(share / "backends" / each / "cfg")) {
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
            std::string present = fs::is_regular_file(file.target, error) ? read_file(file.target) : "";
            if (present == file.content) {
                notes.installed[key] = digest;
                continue;
            }
            auto noted = notes.installed.find(key);
            bool installed = noted != notes.installed.end();
            bool edited = !installed || noted->second != resolver::content_digest(present) ||
                          fs::is_symlink(file.target);
            if (edited && !replace_edited) {
                report.kept.push_back({file.target, file.content, installed});
                continue;
            }
        }
        write_file_atomically(file.target, file.content);
        notes.installed[key] = digest;
        report.written.push_back(file.target);
    }
    return report;
}

std::vector<std::string> difference(const KeptFile& file, std::size_t limit) {
    process::Command command;
    command.argv = {"diff",    "-u",
                    "--label", "the new default",
                    "--label", file.path.filename().string(),
                    "-",       file.path.string()};
    command.input = file.content;
    std::vector<std::string> lines;
    try {
        lines = split(process::run(command, Deadline::after(Seconds{10})).out, '\n');
    } catch (const Error& error) {
        log::debug("{}", error.what());
        return {};
    }
    if (!lines.empty() && lines.back().empty()) {
        lines.pop_back();
    }
    if (lines.size() > limit) {
        std::size_t left = lines.size() - limit;
        lines.resize(limit);
        lines.push_back(fmt::format("... and {} lines more", left));
    }
    return lines;
}

void remove_half_written(const fs::path& dir) {
    // write_file_atomically() adds a dot and six letters or digits to the name.
    constexpr std::size_t suffix = 7;
    std::error_code error;
    for (fs::directory_iterator entry(dir, error), end; !error && entry != end; entry.increment(error)) {
        std::string name = entry->path().filename().string();
        if (name.size() <= suffix || name[name.size() - suffix] != '.') {
            continue;
        }
        std::string_view random = std::string_view(name).substr(name.size() - suffix + 1);
        std::string stem = fs::path(name).stem().string();
        bool ours = stem.ends_with(".cfg") || stem.ends_with(".ini") || stem.ends_with(".json");
        bool letters =
            std::all_of(random.begin(), random.end(), [](unsigned char c) { return std::isalnum(c) != 0; });
        if (ours && letters) {
            std::error_code ignored;
            fs::remove(entry->path(), ignored);
        }
    }
}

}  // namespace vt::bootstrap

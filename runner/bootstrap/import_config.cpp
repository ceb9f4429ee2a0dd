// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/bootstrap/import_config.hpp"

#include "runner/bootstrap/bootstrap.hpp"
#include "runner/guest_build/guest_libraries.hpp"
#include "runner/support/file.hpp"
#include "runner/support/log.hpp"

#include <functional>
#include <optional>

#include <fmt/core.h>

namespace vt::bootstrap {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t max_files = 20000;
constexpr std::size_t max_bytes = std::size_t{1} << 20;  // of one file
constexpr int max_depth = 16;
constexpr const char* work_prefix = "importing-";

/// Where a file of the package's `shared/` goes below imported/; nothing if it is not taken.
std::optional<fs::path> place_for(const fs::path& in_shared) {
    auto below = [&](const char* dir) {
        fs::path rest = in_shared.lexically_relative(dir);
        return rest.empty() || *rest.begin() == ".." ? fs::path() : rest;
    };
    std::string extension = in_shared.extension().string();
    if (fs::path guest = below("cfg/guest-os"); !guest.empty() && extension == ".cfg") {
        return "guest-os" / guest;
    }
    if (in_shared == "cfg/cdkeys.cfg" || in_shared == "cfg/virtio-win.cfg") {
        return in_shared;
    }
    if (in_shared.parent_path() == "downloads" && extension == ".ini") {
        return in_shared;
    }
    return std::nullopt;
}

/// The `shared` directory of the package that \p dir is or contains.
std::optional<fs::path> shared_dir(const fs::path& dir) {
    std::vector<fs::path> candidates = {dir, dir / "shared", dir / "virttest/shared"};
    for (const char* lib : {"lib", "lib64"}) {
        std::error_code error;
        for (fs::directory_iterator python(dir / lib, error), end; !error && python != end;
             python.increment(error)) {
            candidates.push_back(python->path() / "site-packages/virttest/shared");
            candidates.push_back(python->path() / "dist-packages/virttest/shared");
        }
    }
    for (const fs::path& candidate : candidates) {
        if (std::error_code error; fs::is_directory(candidate / "cfg/guest-os", error)) {
            return candidate;
        }
    }
    return std::nullopt;
}

void copy_tree(const fs::path& shared, const fs::path& target) {
    std::size_t count = 0;
    for (fs::recursive_directory_iterator entry(shared), end; entry != end; ++entry) {
        std::string name = entry->path().filename().string();
        if (entry.depth() >= max_depth || name.starts_with('.')) {
            entry.disable_recursion_pending();
        }
        auto place = place_for(entry->path().lexically_relative(shared));
        if (!place || !entry->is_regular_file()) {
            continue;
        }
        if (++count > max_files) {
            throw BootstrapError(fmt::format("{} has more than {} config files", shared.string(), max_files));
        }
        std::string text = read_file(entry->path(), max_bytes);
        fs::create_directories((target / *place).parent_path());
        write_file_atomically(target / *place, text);
    }
}

void unpack_wheel(const fs::path& wheel, const fs::path& target) {
    unpack_zip(wheel, target, [](const std::string& path) -> std::optional<std::string> {
        fs::path in_shared = fs::path(path).lexically_relative("virttest/shared");
        auto place = in_shared.empty() || *in_shared.begin() == ".." ? std::nullopt : place_for(in_shared);
        return place ? std::optional(place->string()) : std::nullopt;
    });
}

std::size_t count_files(const fs::path& dir) {
    std::size_t count = 0;
    std::error_code error;
    for (fs::recursive_directory_iterator entry(dir, error), end; !error && entry != end;
         entry.increment(error)) {
        count += entry->is_regular_file() ? 1 : 0;
    }
    return count;
}

}  // namespace

fs::path imported_dir(const fs::path& data_dir) {
    return data_dir / "imported";
}

void finish_import(const fs::path& data_dir) {
    std::vector<fs::path> works;
    std::error_code error;
    for (fs::directory_iterator entry(data_dir, error), end; !error && entry != end; entry.increment(error)) {
        if (entry->path().filename().string().starts_with(work_prefix)) {
            works.push_back(entry->path());
        }
    }
    for (const fs::path& work : works) {
        if (fs::exists(work / "before") && !fs::exists(imported_dir(data_dir))) {
            fs::rename(work / "before", imported_dir(data_dir));
        }
        fs::remove_all(work);
    }
}

ImportReport import_config(const fs::path& source, const fs::path& data_dir) {
    ImportReport report;
    report.source = source.string();
    TempDirectory work(work_prefix, data_dir);
    fs::path fresh = work.path() / "imported";
    fs::create_directories(fresh);
    std::error_code error;
    if (fs::is_regular_file(source, error)) {
        unpack_wheel(source, fresh);
    } else if (auto shared = shared_dir(source)) {
        report.source = shared->string();
        copy_tree(*shared, fresh);
    }
    report.guests = count_files(fresh / "guest-os");
    report.assets = count_files(fresh / "downloads");
    if (report.guests == 0) {
        throw BootstrapError(fmt::format(
            "option --vt-import-config: {} has no guest definitions; wanted is an installed Avocado-VT (a "
            "directory with virttest/shared/cfg/guest-os) or its wheel, avocado_framework_plugin_vt-….whl",
            source.string()));
    }
    fs::path target = imported_dir(data_dir);
    if (fs::exists(target)) {
        fs::rename(target, work.path() / "before");
    }
    fs::rename(fresh, target);
    return report;
}

}  // namespace vt::bootstrap

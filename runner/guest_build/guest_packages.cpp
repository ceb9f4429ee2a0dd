// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/guest_build/guest_packages.hpp"

#include "runner/guest_build/guest_image.hpp"
#include "runner/guest_build/guest_libraries.hpp"
#include "runner/guest_build/guest_tools.hpp"
#include "runner/support/file.hpp"
#include "runner/support/log.hpp"
#include "runner/support/strings.hpp"

#include <algorithm>
#include <map>
#include <optional>

#include <fmt/core.h>
#include <unistd.h>

namespace vt::bootstrap {
namespace {

namespace fs = std::filesystem;
using Say = std::function<void(const std::string&)>;

/// Where apt looks: the host's lists or ours, and the options that make it so.
struct PackageSource {
    std::string name;
    std::vector<std::string> options;
    bool needs_update = false;
};

std::vector<std::string> common_options() {
    std::vector<std::string> options{"-q", "-o", "Dir::State::status=/dev/null", "-o", "Acquire::Retries=3"};
    if (::geteuid() == 0) {
        // Else apt warns that its own user may not write here.
        options.insert(options.end(), {"-o", "APT::Sandbox::User=root"});
    }
    return options;
}

std::vector<std::string> own_lists(const fs::path& state) {
    return {"-o", "Dir::State=" + state.string(), "-o", "Dir::Cache=" + (state / "cache").string()};
}

std::vector<PackageSource> package_sources(const fs::path& cache_dir) {
    const auto refreshed = cache_dir / "apt";
    make_private_directory(refreshed / "lists" / "partial");
    make_private_directory(refreshed / "cache" / "archives" / "partial");
    // The binary caches beside the lists belong to root; ours are kept here.
    return {
        {"the host's package lists", {"-o", "Dir::Cache=" + (refreshed / "cache").string()}, false},
        {"fresh lists from the host's package sources", own_lists(refreshed), true},
    };
}

process::Command apt(const std::string& program, const PackageSource& source,
                     const std::vector<std::string>& arguments) {
    process::Command command;
    command.argv = {program};
    const auto common = common_options();
    command.argv.insert(command.argv.end(), common.begin(), common.end());
    command.argv.insert(command.argv.end(), source.options.begin(), source.options.end());
    command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
    command.environment["LC_ALL"] = "C.UTF-8";
    return command;
}

std::map<std::string, PackageRecord> show(const PackageSource& source, const std::vector<std::string>& names,
                                          const Deadline& deadline) {
    std::vector<std::string> arguments{"--no-all-versions", "show"};
    arguments.insert(arguments.end(), names.begin(), names.end());
    // Names that it does not know make it fail, but it shows the others.
    const auto completed = process::run(apt(find_tool("apt-cache"), source, arguments), deadline);
    std::map<std::string, PackageRecord> records;
    for (auto& record : parse_package_records(completed.out)) {
        records.emplace(record.name, std::move(record));
    }
    return records;
}

std::string all_names(const PackageChoice& choice) {
    return join(choice.names, " or ");
}

/// The packages to get from \p source; throws GuestImageError if it lacks one.
std::vector<PackageRecord> choose(const GuestRecipe& recipe, const PackageSource& source,
                                  const Deadline& deadline) {
    std::vector<std::string> names;
    for (const auto& choice : recipe.packages) {
        names.insert(names.end(), choice.names.begin(), choice.names.end());
    }
    const auto known = show(source, names, deadline);
    std::vector<PackageRecord> chosen;
    for (const auto& choice : recipe.packages) {
        const auto name = std::find_if(choice.names.begin(), choice.names.end(),
                                       [&](const auto& candidate) { return known.count(candidate) > 0; });
        if (name == choice.names.end()) {
            throw GuestImageError(fmt::format("{} lack the package {}", source.name, all_names(choice)));
        }
        auto record = known.at(*name);
        if (choice.is_kernel) {
            const auto real = std::find_if(
                record.depends.begin(), record.depends.end(),
                [](const std::string& dependency) { return dependency.starts_with("linux-image-"); });
            const auto found = real == record.depends.end() ? std::map<std::string, PackageRecord>()
                                                            : show(source, {*real}, deadline);
            if (found.empty()) {
                throw GuestImageError(
                    fmt::format("{} lack the kernel that {} stands for", source.name, *name));
            }
            // Ubuntu keeps the modules in a package of their own.
            record = found.begin()->second;
            const auto modules = std::find_if(
                record.depends.begin(), record.depends.end(),
                [](const std::string& dependency) { return dependency.starts_with("linux-modules-"); });
            if (modules != record.depends.end()) {
                for (auto& [unused, extra] : show(source, {*modules}, deadline)) {
                    chosen.push_back(extra);
                }
            }
        }
        chosen.push_back(record);
    }
    return chosen;
}

/// The file of \p record among \p files, its content checked.
std::optional<fs::path> find_download(const PackageRecord& record, const std::vector<fs::path>& files) {
    const auto prefix = record.name + "_";
    for (const auto& file : files) {
        if (file.filename().string().starts_with(prefix) && sha256_file(file) == record.sha256) {
            return file;
        }
    }
    return std::nullopt;
}

std::vector<fs::path> deb_files(const fs::path& dir) {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(dir)) {
        if (entry.is_regular_file() && entry.path().extension() == ".deb") {
            files.push_back(entry.path());
        }
    }
    return files;
}

std::vector<FetchedPackage> fetch_from(const PackageSource& source, const GuestRecipe& recipe,
                                       const fs::path& cache_dir, const Say& say, const Deadline& deadline) {
    if (source.needs_update) {
        say(fmt::format("Fetching package lists ({})", source.name));
        // A source that does not answer makes it fail; what matters is whether the packages are found.
        process::run(apt(find_tool("apt-get"), source, {"update"}), deadline);
    }
    const auto chosen = choose(recipe, source, deadline);
    const auto dir = cache_dir / "packages";
    make_private_directory(dir);
    std::vector<std::string> wanted{"download"};
    for (const auto& record : chosen) {
        if (!find_download(record, deb_files(dir))) {
            wanted.push_back(record.name + "=" + record.version);
        }
    }
    if (wanted.size() > 1) {
        say(fmt::format("Downloading {} packages for the guest ({})", wanted.size() - 1, source.name));
        auto command = apt(find_tool("apt-get"), source, wanted);
        command.working_dir = dir;
        process::check(command, deadline);
    }
    std::vector<FetchedPackage> fetched;
    for (const auto& record : chosen) {
        const auto file = find_download(record, deb_files(dir));
        if (!file) {
            throw GuestImageError(fmt::format("the package {} {} was downloaded, but its SHA-256 is not {}",
                                              record.name, record.version, record.sha256));
        }
        fetched.push_back({record, *file});
    }
    return fetched;
}

}  // namespace

std::vector<PackageRecord> parse_package_records(std::string_view text) {
    std::vector<PackageRecord> records;
    PackageRecord record;
    const auto finish = [&] {
        if (!record.name.empty() && !record.version.empty() && !record.sha256.empty()) {
            records.push_back(record);
        }
        record = {};
    };
    for (const auto& line : split(text, '\n')) {
        const auto colon = line.find(": ");
        if (line.empty()) {
            finish();
        }
        if (colon == std::string::npos || line.starts_with(" ")) {
            continue;
        }
        const auto key = std::string_view(line).substr(0, colon);
        const auto value = trim(std::string_view(line).substr(colon + 2));
        if (key == "Package") {
            record.name = value;
        } else if (key == "Version") {
            record.version = value;
        } else if (key == "SHA256") {
            record.sha256 = value;
        } else if (key == "Depends") {
            for (const auto& dependency : split(value, ',')) {
                const auto words = split_words(dependency);
                if (!words.empty()) {
                    record.depends.push_back(words.front());
                }
            }
        }
    }
    finish();
    return records;
}

std::vector<FetchedPackage> fetch_packages(const GuestRecipe& recipe, const fs::path& cache_dir,
                                           const Say& say, const Deadline& deadline) {
    std::vector<std::string> reasons;
    for (const auto& source : package_sources(cache_dir)) {
        try {
            return fetch_from(source, recipe, cache_dir, say, deadline);
        } catch (const TimeoutError&) {
            throw;
        } catch (const process::NotFoundError&) {
            throw;
        } catch (const Error& error) {
            log::warning("guest image: {}; trying the next package source", error.what());
            reasons.emplace_back(error.what());
        }
    }
    throw GuestImageError("the guest's packages cannot be had: " + join(reasons, "; ") +
                          "; check the network and the host's package sources");
}

}  // namespace vt::bootstrap

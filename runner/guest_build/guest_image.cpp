// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/guest_build/guest_image.hpp"

#include "runner/guest_build/guest_disk.hpp"
#include "runner/guest_build/guest_kernel.hpp"
#include "runner/guest_build/guest_libraries.hpp"
#include "runner/guest_build/guest_packages.hpp"
#include "runner/guest_build/guest_recipe.hpp"
#include "runner/guest_build/guest_rootfs.hpp"
#include "runner/guest_build/guest_tools.hpp"
#include "runner/support/file.hpp"
#include "runner/support/file_lock.hpp"
#include "runner/support/log.hpp"
#include "runner/support/runtime_dirs.hpp"
#include "runner/support/scratch.hpp"

#include <algorithm>
#include <chrono>
#include <map>

#include <fmt/core.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

namespace vt::bootstrap {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using Say = std::function<void(const std::string&)>;

constexpr const char* disk_name = "jeos-mini-x86_64.qcow2";
constexpr const char* kernel_name = "vmlinux";
constexpr const char* initrd_name = "initrd";
constexpr const char* record_name = "recipe.json";

/// Where a guest's four files lie; in the cache all in one directory.
struct Places {
    fs::path disk;
    fs::path kernel;
    fs::path initrd;
    fs::path record;

    static Places in_data_dir(const fs::path& data_dir) {
        const auto images = data_dir / "images";
        const auto boot = images / "jeos-mini";
        return {images / disk_name, boot / kernel_name, boot / initrd_name, boot / record_name};
    }
    static Places in_cache(const fs::path& dir) {
        return {dir / disk_name, dir / kernel_name, dir / initrd_name, dir / record_name};
    }
};

/// recipe.json: what was built of what.
struct BuildRecord {
    std::string digest;
    std::map<std::string, std::string> checksums;  ///< by the names above; the disk's is the fresh disk's
};

/// The record at \p path; nothing if there is none, or if it is not one.
std::optional<BuildRecord> read_record(const fs::path& path) {
    std::error_code failed;
    if (!fs::exists(path, failed)) {
        return std::nullopt;
    }
    try {
        const auto object = json::parse(read_file(path, std::size_t{1} << 20));
        return BuildRecord{object.at("digest").get<std::string>(),
                           object.at("sha256").get<std::map<std::string, std::string>>()};
    } catch (const std::exception& error) {
        log::warning("guest image: {} is unreadable ({}); the guest is made anew", path.string(),
                     error.what());
        return std::nullopt;
    }
}

bool has_checksum(const BuildRecord& record, const char* name, const fs::path& file) {
    std::error_code failed;
    const auto found = record.checksums.find(name);
    return found != record.checksums.end() && fs::is_regular_file(file, failed) &&
           sha256_file(file) == found->second;
}

/// The record of a guest of \p digest that lies whole at \p places. The disk's content is compared only if \p
/// fresh: once in use it changes.
std::optional<BuildRecord> whole_guest(const Places& places, const std::string& digest, bool fresh) {
    auto record = read_record(places.record);
    if (!record || record->digest != digest) {
        return std::nullopt;
    }
    std::error_code failed;
    const bool disk_is_there =
        fresh ? has_checksum(*record, disk_name, places.disk) : fs::is_regular_file(places.disk, failed);
    if (!disk_is_there || !has_checksum(*record, kernel_name, places.kernel) ||
        !has_checksum(*record, initrd_name, places.initrd)) {
        return std::nullopt;
    }
    return record;
}

GuestImage guest_at(const Places& places, const GuestRecipe& recipe, bool installed_now) {
    return {places.disk, places.kernel, places.initrd, recipe.kernel_arguments, recipe.digest, installed_now};
}

void write_record(const Places& places, const GuestRecipe& recipe,
                  const std::vector<FetchedPackage>& packages) {
    json object;
    object["digest"] = recipe.digest;
    object["kernel_arguments"] = recipe.kernel_arguments;
    for (const auto& package : packages) {
        object["packages"][package.record.name] = package.record.version;
    }
    object["sha256"] = {{disk_name, sha256_file(places.disk)},
                        {kernel_name, sha256_file(places.kernel)},
                        {initrd_name, sha256_file(places.initrd)}};
    write_file_atomically(places.record, object.dump(2) + "\n");
}

/// Builds the guest in \p work and leaves its files in \p places.
void build(const GuestRecipe& recipe, const std::vector<FetchedPackage>& packages, const fs::path& work,
           const Places& places, const Say& say, const Deadline& deadline) {
    say(fmt::format("Unpacking {} packages", packages.size()));
    const auto tree = unpack_packages(recipe, packages, work / "packages", deadline);

    say(fmt::format("Taking the kernel {} out of its bzImage and repacking it", tree.kernel_version));
    const auto bzimage = read_file(tree.kernel);
    const auto vmlinux = slim_vmlinux(extract_vmlinux(bzimage));
    if (!has_pvh_entry(vmlinux)) {
        log::warning(
            "guest image: kernel {} has no PVH entry, so QEMU will not take it for a direct kernel boot",
            tree.kernel_version);
    }
    write_file_atomically(places.kernel, vmlinux);
    write_file_atomically(work / "vmlinuz", repack_bzimage(bzimage, vmlinux));

    say("Writing the initramfs");
    make_initramfs_tree(recipe, tree, work / "initramfs", deadline);
    write_initramfs(work / "initramfs", {{"dev/console", 5, 1}, {"dev/null", 1, 3}}, places.initrd);

    say("Laying out the root file system");
    make_rootfs(recipe, tree, work / "rootfs", deadline);

    say("Writing the disk");
    make_disk(recipe, {work / "vmlinuz", places.initrd, work / "rootfs"}, work, places.disk, deadline);
    write_record(places, recipe, packages);
}

/// Packages that this build did not use are of an older recipe or release.
void forget_other_packages(const fs::path& cache_dir, const std::vector<FetchedPackage>& packages) {
    for (const auto& entry : fs::directory_iterator(cache_dir / "packages")) {
        const bool used = std::any_of(packages.begin(), packages.end(),
                                      [&](const auto& package) { return package.file == entry.path(); });
        if (!used) {
            fs::remove(entry.path());
        }
    }
}

/// Removes what begins with \p prefix in \p dir: left by a process that was killed, for who holds the lock.
void remove_leftovers(const fs::path& dir, const std::string& prefix) {
    std::vector<fs::path> found;
    for (const auto& entry : fs::directory_iterator(dir)) {
        if (entry.path().filename().string().starts_with(prefix)) {
            found.push_back(entry.path());
        }
    }
    for (const auto& path : found) {
        fs::remove_all(path);
    }
}

/// The cached guest of \p recipe, built if need be.
Places cached_guest(const GuestRecipe& recipe, const fs::path& cache_dir, bool no_downloads, const Say& say,
                    const Deadline& deadline) {
    const auto home = cache_dir / ("built-" + recipe.digest.substr(0, 16));
    auto places = Places::in_cache(home);
    if (whole_guest(places, recipe.digest, true)) {
        say("Taking the guest from the cache " + home.string());
        return places;
    }
    if (no_downloads) {
        throw GuestImageError(
            "the guest image must be built, which downloads packages, and downloads were forbidden; run "
            "vt-bootstrap without --vt-no-downloads once");
    }
    check_host_tools();
    const auto started = std::chrono::steady_clock::now();
    const auto packages = fetch_packages(recipe, cache_dir, say, deadline);
    remove_leftovers(cache_dir, "building-");
    const ScratchDirectory work(RuntimeDirs::make().journal(), "building-", cache_dir);
    const auto fresh = work.path() / "guest";
    make_private_directory(fresh);
    build(recipe, packages, work.path(), Places::in_cache(fresh), say, deadline);
    fs::remove_all(home);
    fs::rename(fresh, home);
    forget_other_packages(cache_dir, packages);
    say(fmt::format("Built the guest in {:.1f} s, {} MiB",
                    Seconds(std::chrono::steady_clock::now() - started).count(),
                    fs::file_size(places.disk) >> 20));
    return places;
}

/// Copies \p from over \p to, so that others see the old file or the new one whole.
void copy_atomically(const fs::path& from, const fs::path& to) {
    try {
        ScratchFile part(RuntimeDirs::make().journal(), to.string() + ".part");
        fs::copy_file(from, part.path(), fs::copy_options::overwrite_existing);
        fs::permissions(part.path(), fs::perms::owner_read | fs::perms::owner_write | fs::perms::group_read |
                                         fs::perms::others_read);
        part.move_to(to);
    } catch (const fs::filesystem_error& error) {
        throw GuestImageError(
            fmt::format("cannot copy the guest to {}: {}", to.string(), error.code().message()));
    }
}

/// Makes way for the disk of the guest at \p from; false if the disk at \p to is of the same build and stays.
bool disk_must_come(const Places& from, const Places& to) {
    if (!fs::exists(to.disk)) {
        return true;
    }
    const auto installed = read_record(to.record);
    const auto built = read_record(from.record);
    if (!installed) {
        auto aside = fs::path(to.disk.string() + ".orig");
        for (int number = 2; fs::exists(aside); ++number) {
            aside = fs::path(fmt::format("{}.orig{}", to.disk.string(), number));
        }
        log::warning("guest image: {} is not of our making; it is kept as {}", to.disk.string(),
                     aside.string());
        fs::rename(to.disk, aside);
    } else if (built && installed->checksums == built->checksums) {
        log::info("guest image: {} is of this build and stays as it is", to.disk.string());
        return false;
    } else {
        log::warning("guest image: {} is replaced, for its recipe has changed", to.disk.string());
    }
    return true;
}

void install(const Places& from, const Places& to, const Say& say) {
    fs::create_directories(to.kernel.parent_path());
    for (const auto& target : {to.kernel, to.initrd, to.disk, to.record}) {
        remove_leftovers(target.parent_path(), target.filename().string() + ".part");
    }
    const bool with_disk = disk_must_come(from, to);
    say("Installing the guest as " + to.disk.string());
    copy_atomically(from.kernel, to.kernel);
    copy_atomically(from.initrd, to.initrd);
    if (with_disk) {
        // The record comes last and vouches for the others; without one, a disk counts as the user's.
        copy_atomically(from.disk, to.disk);
    }
    copy_atomically(from.record, to.record);
}

}  // namespace

std::optional<GuestImage> find_guest_image(const fs::path& recipe_dir, const fs::path& data_dir) {
    const auto recipe = load_guest_recipe(recipe_dir);
    const auto places = Places::in_data_dir(data_dir);
    if (!whole_guest(places, recipe.digest, false)) {
        return std::nullopt;
    }
    return guest_at(places, recipe, false);
}

GuestImage build_guest_image(const GuestImageRequest& request, const Deadline& deadline) {
    if (auto found = find_guest_image(request.recipe_dir, request.data_dir)) {
        return *found;
    }
    const Say say =
        request.progress ? request.progress : [](const std::string& step) { log::info("{}", step); };
    const auto recipe = load_guest_recipe(request.recipe_dir);
    const auto cache_dir = fs::absolute(request.cache_dir) / "guest-image";
    make_private_directory(cache_dir);
    const auto lock = FileLock::take(cache_dir / "lock", FileLock::Mode::exclusive,
                                     fmt::format("building the guest image (pid {})", ::getpid()), deadline);
    // Somebody else may have done it while we waited.
    if (auto found = find_guest_image(request.recipe_dir, request.data_dir)) {
        return *found;
    }
    const auto places = Places::in_data_dir(fs::absolute(request.data_dir));
    try {
        install(cached_guest(recipe, cache_dir, request.no_downloads, say, deadline), places, say);
    } catch (const fs::filesystem_error& error) {
        throw GuestImageError(fmt::format("cannot build the guest image: {}", error.what()));
    } catch (const process::CommandError& error) {
        throw GuestImageError(fmt::format("cannot build the guest image: {}", error.what()));
    }
    return guest_at(places, recipe, true);
}

}  // namespace vt::bootstrap

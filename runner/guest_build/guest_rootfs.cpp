// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/guest_build/guest_rootfs.hpp"

#include "runner/guest_build/guest_image.hpp"
#include "runner/guest_build/guest_libraries.hpp"
#include "runner/guest_build/guest_modules.hpp"
#include "runner/guest_build/guest_tools.hpp"
#include "runner/support/file.hpp"
#include "runner/support/strings.hpp"

#include <algorithm>
#include <array>

#include <fmt/core.h>

namespace vt::bootstrap {
namespace {

namespace fs = std::filesystem;

constexpr std::array merged{"bin", "sbin", "lib", "lib64"};

void link_merged(const fs::path& root) {
    for (const char* name : merged) {
        fs::create_directories(root / "usr" / name);
        fs::create_symlink(std::string("usr/") + name, root / name);
    }
}

/// The place of a package's file in a merged-/usr tree, nothing for what no guest needs.
std::optional<std::string> merged_place(const std::string& path) {
    for (const char* bulk : {"usr/share/doc/", "usr/share/man/", "usr/share/locale/", "usr/share/info/",
                             "usr/share/lintian/", "usr/share/bug/", "usr/lib/debug/", "boot/System.map"}) {
        if (path.starts_with(bulk)) {
            return std::nullopt;
        }
    }
    for (const char* name : merged) {
        if (path == name) {
            return std::nullopt;
        }
        if (path.starts_with(std::string(name) + "/")) {
            return "usr/" + path;
        }
    }
    return path;
}

/// True for a file below one of \p unused, directories below usr/lib/modules/VERSION/kernel.
bool is_unused_module(const std::string& path, const std::vector<std::string>& unused) {
    constexpr std::string_view modules = "usr/lib/modules/";
    const auto kernel = path.starts_with(modules) ? path.find("/kernel/", modules.size()) : std::string::npos;
    if (kernel == std::string::npos) {
        return false;
    }
    const auto below = std::string_view(path).substr(kernel + std::string_view("/kernel/").size());
    return std::any_of(unused.begin(), unused.end(),
                       [&](const auto& directory) { return below.starts_with(directory); });
}

/// The only entry of \p dir whose name begins with \p prefix.
fs::path only_entry(const fs::path& dir, const std::string& prefix) {
    fs::path found;
    std::error_code failed;
    for (const auto& entry : fs::directory_iterator(dir, failed)) {
        if (entry.path().filename().string().starts_with(prefix)) {
            if (!found.empty()) {
                throw GuestImageError(fmt::format("the guest's packages hold more than one kernel: {} and {}",
                                                  found.string(), entry.path().string()));
            }
            found = entry.path();
        }
    }
    if (found.empty()) {
        throw GuestImageError(
            fmt::format("the guest's packages hold no kernel: {} has no {}*", dir.string(), prefix));
    }
    return found;
}

/// Newer kernels' packages hold compressed modules, which busybox loads slowly or not at all.
void decompress_modules(const fs::path& modules) {
    for (const auto& entry : fs::recursive_directory_iterator(modules)) {
        const auto& path = entry.path();
        const auto name = path.filename().string();
        const auto end = name.find(".ko.");
        if (entry.is_regular_file() && end != std::string::npos) {
            write_file_atomically(path.parent_path() / name.substr(0, end + 3), decompress(read_file(path)));
            fs::remove(path);
        }
    }
}

void install_modules(const PackageTree& tree, const std::vector<std::string>& wanted, const fs::path& root,
                     const Deadline& deadline) {
    const auto below = fs::path("lib/modules") / tree.kernel_version;
    const ModuleIndex index(read_file(tree.root / below / "modules.dep"));
    link_modules(tree.root / below, index.closure(wanted), root / below);
    run_tool({"depmod", "-b", root.string(), tree.kernel_version}, {}, deadline);
    // busybox reads the texts.
    for (const auto& entry : fs::directory_iterator(root / below)) {
        if (entry.path().extension() == ".bin") {
            fs::remove(entry.path());
        }
    }
}

void put_text(const fs::path& root, const std::string& path, const std::string& text) {
    fs::create_directories((root / path).parent_path());
    fs::remove(root / path);
    write_file_atomically(root / path, text, text.starts_with("#!") ? 0755 : 0644);
}

void take_files(const GuestRecipe& recipe, const PackageTree& tree, const fs::path& root) {
    std::vector<fs::path> found;
    for (const auto& entry : fs::recursive_directory_iterator(tree.root)) {
        const auto path = entry.path().lexically_relative(tree.root);
        const bool wanted = (entry.is_symlink() || entry.is_regular_file()) &&
                            std::any_of(recipe.files.begin(), recipe.files.end(), [&](const auto& pattern) {
                                return matches_path(pattern, path.string());
                            });
        if (wanted) {
            found.push_back(path);
        }
    }
    for (const auto& path : found) {
        fs::create_directories((root / path).parent_path());
        fs::rename(tree.root / path, root / path);
    }
}

void link_applets(const fs::path& root, const Deadline& deadline) {
    const auto listing =
        process::check({{(root / "usr/bin/busybox").string(), "--list-full"}, {}, {}, {}, false}, deadline);
    for (const auto& applet : split_words(listing.out)) {
        const auto path = merged_place(applet).value_or(applet);
        if (path.starts_with("/") || path.find("..") != std::string::npos) {
            throw GuestImageError(fmt::format("busybox lists an applet at {}", path));
        }
        fs::create_directories((root / path).parent_path());
        if (!fs::exists(fs::symlink_status(root / path))) {
            fs::create_symlink("/usr/bin/busybox", root / path);
        }
    }
}

/// The dynamic linker among the guest's libraries; on a merged tree some links to it are absolute and lead to
/// the host's.
fs::path guest_linker(const fs::path& root) {
    for (const char* place :
         {"usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2", "usr/lib64/ld-linux-x86-64.so.2"}) {
        if (fs::is_regular_file(fs::symlink_status(root / place))) {
            return root / place;
        }
    }
    throw GuestImageError("the guest's packages hold no dynamic linker");
}

void make_host_keys(const fs::path& root, const Deadline& deadline) {
    fs::create_directories(root / "etc/dropbear");
    for (const std::string type : {"ed25519", "ecdsa", "rsa"}) {
        process::Command command;
        command.argv = {guest_linker(root).string(),
                        "--library-path",
                        (root / "usr/lib/x86_64-linux-gnu").string(),
                        (root / "usr/bin/dropbearkey").string(),
                        "-t",
                        type,
                        "-f",
                        (root / "etc/dropbear" / ("dropbear_" + type + "_host_key")).string()};
        process::check(command, deadline);
    }
}

}  // namespace

PackageTree unpack_packages(const GuestRecipe& recipe, const std::vector<FetchedPackage>& packages,
                            const fs::path& dir, const Deadline& deadline) {
    PackageTree tree;
    tree.root = dir;
    link_merged(dir);
    const auto place = [&](const std::string& path) {
        auto merged_path = merged_place(path);
        return merged_path && !is_unused_module(*merged_path, recipe.unused_modules) ? merged_path
                                                                                     : std::nullopt;
    };
    for (const auto& package : packages) {
        unpack_deb(package.file, dir, place);
        if (deadline.expired()) {
            throw TimeoutError(fmt::format("the guest's packages were not unpacked after {:.0f} s",
                                           deadline.total().count()));
        }
    }
    const auto modules = only_entry(dir / "usr/lib/modules", "");
    tree.kernel_version = modules.filename().string();
    tree.kernel = only_entry(dir / "boot", "vmlinuz-");
    decompress_modules(modules);
    run_tool({"depmod", "-b", dir.string(), tree.kernel_version}, {}, deadline);
    return tree;
}

void make_rootfs(const GuestRecipe& recipe, const PackageTree& tree, const fs::path& dir,
                 const Deadline& deadline) {
    link_merged(dir);
    for (const char* name : {"dev", "proc", "sys", "run", "root", "tmp", "mnt", "media", "home", "opt", "srv",
                             "var/log", "var/tmp", "var/empty", "usr/local/bin", "usr/local/sbin"}) {
        fs::create_directories(dir / name);
    }
    const auto sticky = fs::perms::all | fs::perms::sticky_bit;
    fs::permissions(dir / "tmp", sticky);
    fs::permissions(dir / "var/tmp", sticky);
    fs::permissions(dir / "root", fs::perms::owner_all);
    install_modules(tree, recipe.modules, dir, deadline);
    take_files(recipe, tree, dir);
    link_applets(dir, deadline);
    for (const auto& [path, text] : recipe.rootfs) {
        put_text(dir, path, text);
    }
    const auto shadow =
        fmt::format("root:{}:19000:0:99999:7:::\ndaemon:*:19000:0:99999:7:::\nnobody:*:19000:0:99999:7:::\n",
                    hash_password(guest_image_password));
    write_file_atomically(dir / "etc/shadow", shadow, 0600);
    fs::create_symlink("../run/resolv.conf", dir / "etc/resolv.conf");
    fs::create_symlink("../proc/mounts", dir / "etc/mtab");
    fs::create_symlink("../run", dir / "var/run");
    make_host_keys(dir, deadline);
}

void make_initramfs_tree(const GuestRecipe& recipe, const PackageTree& tree, const fs::path& dir,
                         const Deadline& deadline) {
    for (const char* name : {"bin", "dev", "proc", "sys", "root", "lib"}) {
        fs::create_directories(dir / name);
    }
    fs::copy_file(tree.root / "usr/bin/busybox", dir / "bin/busybox");
    for (const char* applet : {"sh", "modprobe"}) {
        fs::create_symlink("busybox", dir / "bin" / applet);
    }
    put_text(dir, "init", recipe.initramfs_init);
    install_modules(tree, recipe.initramfs_modules, dir, deadline);
}

}  // namespace vt::bootstrap

// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/guest_build/guest_recipe.hpp"

#include "runner/guest_build/guest_disk.hpp"
#include "runner/guest_build/guest_image.hpp"
#include "runner/guest_build/guest_modules.hpp"
#include "runner/guest_build/guest_packages.hpp"
#include "runner/support/file.hpp"
#include "runner/support/install_dirs.hpp"

#include <doctest/doctest.h>

using namespace vt::bootstrap;
namespace fs = std::filesystem;

namespace {

fs::path shipped_recipe() {
    // Not by __FILE__: a compiler cache may hold an object that another checkout made.
    return vt::InstallDirs::find().config_share() / "guest-image";
}

void copy_recipe(const fs::path& to) {
    fs::copy(shipped_recipe(), to, fs::copy_options::recursive);
}

}  // namespace

TEST_CASE("the shipped recipe is whole") {
    const auto recipe = load_guest_recipe(shipped_recipe());
    CHECK(recipe.digest.size() == 64);
    CHECK(recipe.packages.size() > 10);
    CHECK(recipe.packages.front().is_kernel);
    CHECK(recipe.kernel_arguments.find("console=ttyS0") != std::string::npos);
    CHECK(recipe.syslinux_config.find('@') == std::string::npos);
    CHECK(recipe.initramfs_init.find("@ROOT_LABEL@") == std::string::npos);
    CHECK(recipe.rootfs.at("etc/init.d/rcS").starts_with("#!"));
}

TEST_CASE("the digest follows every text, and nothing else") {
    const vt::TempDirectory dir("guest-recipe-");
    copy_recipe(dir.path() / "a");
    const auto before = load_guest_recipe(dir.path() / "a").digest;
    CHECK(before == load_guest_recipe(shipped_recipe()).digest);
    vt::write_file_atomically(dir.path() / "a/rootfs/etc/motd~", "an editor's copy");
    CHECK(load_guest_recipe(dir.path() / "a").digest == before);
    vt::write_file_atomically(dir.path() / "a/rootfs/etc/motd", "hello");
    CHECK(load_guest_recipe(dir.path() / "a").digest != before);
}

TEST_CASE("a recipe that is not there or lacks a part is an error that says so") {
    const vt::TempDirectory dir("guest-recipe-");
    CHECK_THROWS_AS(load_guest_recipe(dir.path() / "none"), GuestImageError);
    CHECK_THROWS_AS(load_guest_recipe(dir.path()), GuestImageError);
}

TEST_CASE("package choices") {
    const auto choice = parse_package_choice("kernel: linux-image-amd64 | linux-image-generic");
    CHECK(choice.is_kernel);
    CHECK(choice.names == std::vector<std::string>{"linux-image-amd64", "linux-image-generic"});
    CHECK_FALSE(parse_package_choice("libc6").is_kernel);
    for (const char* bad : {"", "-o", "a b", "Dir::Etc", "x", "libc6 |"}) {
        CHECK_THROWS_AS(parse_package_choice(bad), GuestImageError);
    }
}

TEST_CASE("paths match patterns") {
    CHECK(matches_path("usr/bin/bash", "usr/bin/bash"));
    CHECK_FALSE(matches_path("usr/bin/bash", "usr/bin/bashbug"));
    CHECK(matches_path("usr/lib/*.so.*", "usr/lib/libz.so.1.2"));
    CHECK_FALSE(matches_path("usr/lib/*.so.*", "usr/lib/gconv/x.so.1"));
    CHECK(matches_path("usr/share/**", "usr/share/a/b"));
    CHECK_FALSE(matches_path("usr/share/**", "usr/sharp"));
}

TEST_CASE("package records are read, broken ones left out") {
    const auto records = parse_package_records(
        "Package: a\nVersion: 1\nDepends: libc6 (>= 2.36), b | c\nSHA256: 12\nDescription: x\n Package: "
        "no\n\n"
        "Package: broken\nVersion: 2\n\nPackage: d\nVersion: 3\nSHA256: 34");
    REQUIRE(records.size() == 2);
    CHECK(records[0].depends == std::vector<std::string>{"libc6", "b"});
    CHECK(records[1].name == "d");
    CHECK(parse_package_records("").empty());
}

TEST_CASE("modules come with what they need") {
    const ModuleIndex index(
        "kernel/drivers/block/virtio_blk.ko: kernel/drivers/virtio/virtio.ko "
        "kernel/drivers/virtio/virtio_ring.ko\n"
        "kernel/drivers/virtio/virtio.ko: kernel/drivers/virtio/virtio_ring.ko\n"
        "kernel/drivers/virtio/virtio_ring.ko:\n"
        "kernel/fs/ext4/ext4.ko:\n");
    CHECK(index.closure({"virtio-blk"}).size() == 3);
    CHECK(index.closure({"drivers/virtio/"}).size() == 2);
    CHECK(index.closure({"fs/", "no_such"}).size() == 1);
    CHECK_THROWS_AS(ModuleIndex("kernel/a.ko"), GuestImageError);
    CHECK_THROWS_AS(ModuleIndex("/etc/passwd.ko:"), GuestImageError);
    CHECK_THROWS_AS(ModuleIndex("kernel/a.ko: ../../x.ko"), GuestImageError);
}

TEST_CASE("a master boot record has the table that firmware reads") {
    constexpr std::uint64_t mib = 1 << 20;
    const auto record =
        master_boot_record("code", 0x01020304, {{mib, 2 * mib, 0x0e, true}, {3 * mib, mib, 0x83, false}});
    REQUIRE(record.size() == 512);
    CHECK(record.substr(0, 4) == "code");
    CHECK(record.substr(440, 4) == "\x04\x03\x02\x01");
    CHECK(record.substr(446, 16) ==
          std::string("\x80\xfe\xff\xff\x0e\xfe\xff\xff\x00\x08\x00\x00\x00\x10\x00\x00", 16));
    CHECK(record.substr(462, 16) ==
          std::string("\x00\xfe\xff\xff\x83\xfe\xff\xff\x00\x18\x00\x00\x00\x08\x00\x00", 16));
    CHECK(record.substr(510) == "\x55\xaa");
}

TEST_CASE("partitions that a table cannot hold are refused") {
    constexpr std::uint64_t mib = 1 << 20;
    CHECK_THROWS_AS(master_boot_record(std::string(441, 'x'), 0, {}), GuestImageError);
    CHECK_THROWS_AS(master_boot_record("", 0, {{100, mib, 1, false}}), GuestImageError);
    CHECK_THROWS_AS(master_boot_record("", 0, {{0, mib, 1, false}}), GuestImageError);
    CHECK_THROWS_AS(master_boot_record("", 0, {{mib, 0, 1, false}}), GuestImageError);
    CHECK_THROWS_AS(master_boot_record("", 0, {{mib, 2 * mib, 1, false}, {2 * mib, mib, 1, false}}),
                    GuestImageError);
    CHECK_THROWS_AS(master_boot_record("", 0, {{mib, std::uint64_t{1} << 41, 1, false}}), GuestImageError);
    CHECK_THROWS_AS(master_boot_record("", 0, std::vector<Partition>(5, {mib, mib, 1, false})),
                    GuestImageError);
}

TEST_CASE("without a guest there is none, and without downloads none is made") {
    const vt::TempDirectory dir("guest-none-");
    CHECK_FALSE(find_guest_image(shipped_recipe(), dir.path()).has_value());
    GuestImageRequest request;
    request.recipe_dir = shipped_recipe();
    request.data_dir = dir.path() / "data";
    request.cache_dir = dir.path() / "cache";
    request.no_downloads = true;
    CHECK_THROWS_AS(build_guest_image(request, vt::Deadline::after(vt::Seconds(10))), GuestImageError);
    CHECK_FALSE(fs::exists(request.data_dir));
}

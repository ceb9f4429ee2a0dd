// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/guest_build/guest_disk.hpp"

#include "runner/guest_build/guest_image.hpp"
#include "runner/guest_build/guest_tools.hpp"
#include "runner/support/file.hpp"

#include <algorithm>

#include <fmt/core.h>
#include <unistd.h>

namespace vt::bootstrap {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t mib = std::uint64_t{1} << 20;
constexpr std::uint64_t sector = 512;
constexpr std::uint64_t disk_size = 1024 * mib;
constexpr Partition boot_partition{1 * mib, 63 * mib, 0x0e, true};
constexpr Partition root_partition{64 * mib, 960 * mib, 0x83, false};
constexpr std::uint32_t disk_id = 0x4a654f53;

void put_le32(std::string& bytes, std::size_t offset, std::uint64_t value) {
    for (std::size_t i = 0; i < 4; ++i) {
        bytes[offset + i] = static_cast<char>((value >> (8 * i)) & 0xff);
    }
}

void check_partition(const Partition& partition) {
    const auto end = partition.offset + partition.size;
    if (partition.offset % sector != 0 || partition.size % sector != 0 || partition.offset < sector ||
        partition.size == 0 || end < partition.offset || end / sector > UINT32_MAX) {
        throw GuestImageError(fmt::format("a partition of {} bytes at {} cannot be written into an MBR",
                                          partition.size, partition.offset));
    }
}

bool overlap(const Partition& one, const Partition& other) {
    return one.offset < other.offset + other.size && other.offset < one.offset + one.size;
}

/// \p argv as root would run it: mke2fs copies the owners that it sees.
std::vector<std::string> as_root(std::vector<std::string> argv) {
    if (::geteuid() != 0) {
        argv.front() = find_tool(argv.front());
        argv.insert(argv.begin(), {"fakeroot", "--"});
    }
    return argv;
}

void make_boot_partition(const GuestRecipe& recipe, const DiskContent& content, const fs::path& work_dir,
                         const fs::path& disk, const Deadline& deadline) {
    const auto config = work_dir / "syslinux.cfg";
    write_file_atomically(config, recipe.syslinux_config);
    const auto image = fmt::format("{}@@{}", disk.string(), boot_partition.offset);
    run_tool({"mformat", "-i", image, "-T", std::to_string(boot_partition.size / sector), "-h", "255", "-s",
              "63", "-H", std::to_string(boot_partition.offset / sector), "-v", "BOOT", "::"},
             work_dir, deadline);
    run_tool({"syslinux", "-t", std::to_string(boot_partition.offset), "--install", disk.string()}, work_dir,
             deadline);
    for (const auto& [file, name] :
         {std::pair{content.kernel, "vmlinuz"}, {content.initrd, "initrd"}, {config, "syslinux.cfg"}}) {
        run_tool({"mcopy", "-i", image, file.string(), std::string("::") + name}, work_dir, deadline);
    }
}

void make_root_partition(const DiskContent& content, const fs::path& work_dir, const fs::path& disk,
                         const Deadline& deadline) {
    const auto options =
        fmt::format("offset={},root_owner=0:0,lazy_itable_init=0,nodiscard", root_partition.offset);
    // Few inodes and no lazy initialisation: else the first boot writes the tables, and the image grows by
    // them.
    run_tool(as_root({"mke2fs",
                      "-q",
                      "-F",
                      "-t",
                      "ext4",
                      "-L",
                      guest_root_label,
                      "-b",
                      "4096",
                      "-N",
                      "32768",
                      "-J",
                      "size=16",
                      "-m",
                      "1",
                      "-E",
                      options,
                      "-d",
                      content.rootfs.string(),
                      disk.string(),
                      std::to_string(root_partition.size / 1024) + "k"}),
             work_dir, deadline);
}

}  // namespace

std::string master_boot_record(std::string_view boot_code, std::uint32_t id,
                               const std::vector<Partition>& partitions) {
    constexpr std::size_t code_size = 440;
    constexpr std::size_t table = 446;
    constexpr std::size_t entry_size = 16;
    if (boot_code.size() > code_size || partitions.size() > 4) {
        throw GuestImageError(fmt::format("an MBR holds 440 bytes of code and 4 partitions, not {} and {}",
                                          boot_code.size(), partitions.size()));
    }
    std::string record(sector, '\0');
    std::copy(boot_code.begin(), boot_code.end(), record.begin());
    put_le32(record, code_size, id);
    for (std::size_t i = 0; i < partitions.size(); ++i) {
        const auto& partition = partitions[i];
        check_partition(partition);
        if (std::any_of(partitions.begin(), partitions.begin() + static_cast<std::ptrdiff_t>(i),
                        [&](const auto& earlier) { return overlap(earlier, partition); })) {
            throw GuestImageError(fmt::format("the partition at {} overlaps another", partition.offset));
        }
        const auto at = table + i * entry_size;
        // Cylinders, heads and sectors beyond what they can say: whoever boots this reads the linear
        // addresses.
        for (const auto chs : {at + 1, at + 5}) {
            record.replace(chs, 3, "\xfe\xff\xff");
        }
        record[at] = static_cast<char>(partition.active ? 0x80 : 0);
        record[at + 4] = static_cast<char>(partition.type);
        put_le32(record, at + 8, partition.offset / sector);
        put_le32(record, at + 12, partition.size / sector);
    }
    record[510] = '\x55';
    record[511] = static_cast<char>(0xaa);
    return record;
}

void make_disk(const GuestRecipe& recipe, const DiskContent& content, const fs::path& work_dir,
               const fs::path& target, const Deadline& deadline) {
    const auto disk = work_dir / "disk.raw";
    auto code = read_file(find_mbr_code());
    code.resize(std::min<std::size_t>(code.size(), 440));
    write_file_atomically(disk, master_boot_record(code, disk_id, {boot_partition, root_partition}));
    fs::resize_file(disk, disk_size);
    make_boot_partition(recipe, content, work_dir, disk, deadline);
    make_root_partition(content, work_dir, disk, deadline);
    run_tool({"qemu-img", "convert", "-c", "-O", "qcow2", "-o", "compression_type=zstd", disk.string(),
              target.string()},
             work_dir, deadline);
    fs::remove(disk);
}

}  // namespace vt::bootstrap

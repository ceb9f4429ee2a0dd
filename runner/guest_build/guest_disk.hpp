// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Makes the guest's system disk: an MBR, a FAT partition that syslinux boots from, an ext4 root; no root, no
/// mounts.
#pragma once

#include "runner/guest_build/guest_recipe.hpp"
#include "runner/support/deadline.hpp"

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace vt::bootstrap {

/// A primary partition; both places in bytes, multiples of 512.
struct Partition {
    std::uint64_t offset = 0;
    std::uint64_t size = 0;
    std::uint8_t type = 0;  ///< 0x0e FAT16 with LBA, 0x83 Linux
    bool active = false;
};

/// The first sector of a disk with \p partitions. \p boot_code takes at most 440 bytes. Throws
/// GuestImageError if it is longer, or if a partition is not aligned, overlaps another, or lies beyond the 2
/// TiB that the table can express; or if there are more than four.
std::string master_boot_record(std::string_view boot_code, std::uint32_t disk_id,
                               const std::vector<Partition>& partitions);

/// What goes onto the disk.
struct DiskContent {
    std::filesystem::path kernel;  ///< bzImage
    std::filesystem::path initrd;
    std::filesystem::path rootfs;  ///< tree
};

/// Writes a qcow2 disk of 1 GiB to \p target, with temporary files in \p work_dir. Throws GuestImageError,
/// process::CommandError, TimeoutError.
void make_disk(const GuestRecipe& recipe, const DiskContent& content, const std::filesystem::path& work_dir,
               const std::filesystem::path& target, const Deadline& deadline);

}  // namespace vt::bootstrap

// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// What libvtguest.so offers: one table of functions, those that guest_libraries.hpp describes.
///
/// The module keeps no state and calls nothing of the core, so it links neither libvtcore.so nor a second
/// logger.
#pragma once

#include "runner/guest_build/guest_libraries.hpp"

namespace vt::bootstrap::module {

/// The table under the symbol vt_guest_libraries.
struct Functions {
    std::string (*decompress)(std::string_view data, std::size_t limit);
    std::string (*lz4_blocks)(std::string_view data);
    void (*unpack_deb)(const std::filesystem::path& deb, const std::filesystem::path& target,
                       const PathMap& map);
    void (*unpack_zip)(const std::filesystem::path& zip, const std::filesystem::path& target,
                       const PathMap& map);
    void (*decompress_file)(const std::filesystem::path& archive, const std::filesystem::path& target);
    void (*write_initramfs)(const std::filesystem::path& root, const std::vector<DeviceNode>& devices,
                            const std::filesystem::path& file);
    std::string (*sha256_text)(std::string_view data);
    std::string (*sha256_file)(const std::filesystem::path& path);
    std::string (*file_digest)(const std::string& algorithm, const std::filesystem::path& path);
    std::string (*hash_password)(const std::string& password);
};

std::string decompress(std::string_view data, std::size_t limit);
std::string lz4_blocks(std::string_view data);
void unpack_deb(const std::filesystem::path& deb, const std::filesystem::path& target, const PathMap& map);
void unpack_zip(const std::filesystem::path& zip, const std::filesystem::path& target, const PathMap& map);
void decompress_file(const std::filesystem::path& archive, const std::filesystem::path& target);
void write_initramfs(const std::filesystem::path& root, const std::vector<DeviceNode>& devices,
                     const std::filesystem::path& file);
std::string sha256_text(std::string_view data);
std::string sha256_file(const std::filesystem::path& path);
std::string file_digest(const std::string& algorithm, const std::filesystem::path& path);
std::string hash_password(const std::string& password);

}  // namespace vt::bootstrap::module

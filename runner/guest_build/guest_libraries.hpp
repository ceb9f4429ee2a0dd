// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// What the guest builder, downloads and imports need of libraries that nothing else here needs: archives,
/// digests, password hashes.
///
/// libarchive brings libxml2 and ICU along, milliseconds at every start; so it is linked by a module of its
/// own, libvtguest.so (guest_module/), which the first call of one of these functions opens. All throw Error
/// if it cannot be opened.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vt::bootstrap {

/// \p data decompressed, whatever of gzip, bzip2, xz, lzma, lz4, zstd it is. Bytes after the stream's end do
/// not matter. Throws GuestImageError if it is none of them, is damaged, or has more than \p limit bytes.
std::string decompress(std::string_view data, std::size_t limit = std::size_t{512} << 20);

/// \p data as the body of an LZ4 frame: blocks, each after its 32-bit little-endian length (top bit set:
/// stored), of at most 4 MiB decompressed, and a length of 0. Throws GuestImageError.
std::string lz4_blocks(std::string_view data);

/// Decides where a package's file goes: gets its path without a leading "./", returns the path below the
/// target, or nothing to leave it out.
using PathMap = std::function<std::optional<std::string>(const std::string& path)>;

/// Unpacks the data of the Debian package \p deb below \p target. Ownership is the caller's; links that lead
/// out of the target and paths with ".." are refused. Throws GuestImageError, SystemError.
void unpack_deb(const std::filesystem::path& deb, const std::filesystem::path& target, const PathMap& map);

/// Unpacks the zip archive (a Python wheel is one) \p zip below \p target as unpack_deb() does. More than
/// 20,000 files or 256 MiB are refused. Throws GuestImageError, SystemError.
void unpack_zip(const std::filesystem::path& zip, const std::filesystem::path& target, const PathMap& map);

/// Writes what \p archive holds, a compressed file or the first file in a 7-Zip archive, to \p target. Blocks
/// of zeros become holes. Throws GuestImageError if it is none of the known formats or damaged, SystemError.
void decompress_file(const std::filesystem::path& archive, const std::filesystem::path& target);

/// A character device for a cpio archive; the tree itself cannot hold one without root.
struct DeviceNode {
    std::string path;
    std::uint32_t major = 0;
    std::uint32_t minor = 0;
};

/// Writes the tree \p root and \p devices as a newc cpio archive (an initramfs) to \p file: everything
/// belongs to root, times are zero, names are sorted. Throws GuestImageError, SystemError.
void write_initramfs(const std::filesystem::path& root, const std::vector<DeviceNode>& devices,
                     const std::filesystem::path& file);

/// SHA-256 of \p data, hexadecimal.
std::string sha256_text(std::string_view data);

/// SHA-256 of the file \p path, hexadecimal. Throws SystemError.
std::string sha256_file(const std::filesystem::path& path);

/// The digest of the file \p path by \p algorithm (`sha1`, `sha256`, `sha512`), hexadecimal. Throws
/// SystemError, and GuestImageError for another algorithm.
std::string file_digest(const std::string& algorithm, const std::filesystem::path& path);

/// \p password as /etc/shadow wants it (SHA-512, random salt). Throws GuestImageError.
std::string hash_password(const std::string& password);

}  // namespace vt::bootstrap

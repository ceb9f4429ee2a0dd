// SPDX-License-Identifier: GPL-2.0-or-later
/// \file download.hpp
/// Downloads of guest images: with progress, checked, and going on where they stopped.
///
/// The bytes go to TARGET.part, and beside it TARGET.part.json says of what URL they are and by what mark
/// (ETag, date) the server knows them. Whatever ends a download, SIGKILL too, the next one asks for the rest;
/// a server that has another file by then, or no ranges, sends the whole. Only a complete file that has the
/// wanted checksum gets the name TARGET.
///
/// libcurl is in a module of its own, libvtdownload.so, which the first download opens.
#pragma once

#include "runner/support/deadline.hpp"
#include "runner/support/error.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

namespace vt::bootstrap {

/// Something cannot be downloaded; what() names it, the reason, and whether a next try goes on.
class DownloadError : public Error {
  public:
    using Error::Error;
};

/// A digest as checksum files have it.
struct Checksum {
    std::string algorithm;  ///< `sha1`, `sha256`, `sha512`
    std::string hex;        ///< lower-case

    bool operator==(const Checksum&) const = default;
    /// `sha1:…`, as it is noted down.
    std::string text() const { return algorithm + ":" + hex; }
};

/// The checksum that \p hex is, its algorithm known by its length; nothing if it is none.
std::optional<Checksum> checksum_of(std::string_view hex);

/// The checksum of \p file_name in the text of a checksum file: lines `HEX  NAME`, `HEX *NAME`, `SHA256
/// (NAME) = HEX`. Where no line has that name, the only one that begins with a checksum, as upstream's files
/// have it.
std::optional<Checksum> find_checksum(std::string_view text, std::string_view file_name);

/// What to download.
struct DownloadRequest {
    std::string title;  ///< for people
    std::string url;
    std::filesystem::path target;
    std::optional<Checksum> checksum;
    std::function<void(const std::string&)> say;  ///< told about progress, a sentence at a time
    Seconds stall_limit{60};                      ///< without a byte
};

/// Downloads; the target is replaced if it is there. Throws DownloadError, SystemError.
void download(const DownloadRequest& request);

/// The text at \p url, at most \p limit bytes. Throws DownloadError.
std::string download_text(const std::string& url, std::size_t limit, Seconds patience);

/// `350 KiB`, `1.2 GiB`.
std::string size_text(std::uint64_t bytes);

}  // namespace vt::bootstrap

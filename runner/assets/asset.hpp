// SPDX-License-Identifier: GPL-2.0-or-later
/// \file asset.hpp
/// Things that can be downloaded into the data directory, defined by `downloads/NAME.ini` as Avocado-VT has
/// it.
///
/// A definition has a section of its own name: title, url, sha1_url, destination, destination_uncompressed,
/// uncompress_cmd; and, here, sha256_url, sha1 or sha256. Paths are relative to the data directory and must
/// stay in it. A guest's image is the asset that is called as the last part of its image_name.
///
/// An image that is there is the user's: upstream unpacks the archive over it at every bootstrap, here it is
/// replaced only if the archive has another checksum than the one it came from, and the user says yes.
#pragma once

#include "runner/assets/download.hpp"
#include "runner/support/error.hpp"

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

namespace vt::bootstrap {

/// A definition is wrong, or what it defines cannot be had; what() says what to do.
class AssetError : public Error {
  public:
    using Error::Error;
};

/// One definition.
struct Asset {
    std::string name;
    std::string title;
    std::string url;
    std::string checksum_url;           ///< may be empty
    std::optional<Checksum> checksum;   ///< given in the definition itself
    std::filesystem::path destination;  ///< what is downloaded; absolute
    std::filesystem::path image;     ///< what it is unpacked to; the destination itself if it is not packed
    std::string uncompress_command;  ///< a shell command, to which the destination is added; may be empty

    bool packed() const { return image != destination; }
};

/// The asset \p name of a data directory; nothing if it has no definition. Throws AssetError, naming the
/// file.
std::optional<Asset> find_asset(const std::filesystem::path& data_dir, const std::string& name);

/// How to provide one.
struct AssetRequest {
    bool no_downloads = false;
    bool look_for_newer = false;  ///< ask the server whether an image that is there has a successor
    std::string
        known_checksum;  ///< Checksum::text() of the archive that the image came from; empty: not known
    std::function<bool(const std::string& question)> ask;
    std::function<void(const std::string&)> say;
};

/// What there is now.
struct AssetResult {
    bool there = false;    ///< false only where downloads are forbidden
    std::string checksum;  ///< to be noted down, as AssetRequest::known_checksum; empty: not known
};

/// Makes sure that the asset's image is there. Throws AssetError, DownloadError, SystemError, GuestImageError
/// for a damaged archive.
AssetResult provide_asset(const Asset& asset, const AssetRequest& request);

}  // namespace vt::bootstrap

// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The guest built on the spot: a small Linux made from the distribution's packages, without root or mounts.
///
/// The guest is an ordinary qcow2 disk (images/jeos-mini-x86_64.qcow2, which SeaBIOS and syslinux boot) and,
/// for a direct kernel boot, an uncompressed kernel and an initramfs (images/jeos-mini/vmlinux and initrd).
/// Root logs in over SSH and on ttyS0. What goes into it is text under share/guest-image: package names,
/// module names, the files of its /etc; this code only carries that recipe out.
///
/// A built guest is kept in the cache under the digest of its recipe and copied into the data directory, so
/// that a second data directory costs a copy. The digest covers the texts and this builder's version, not the
/// versions of the packages: a kernel update of the host must not replace a disk that somebody works with.
/// The versions are recorded in images/jeos-mini/recipe.json.
///
/// The ugly part: the kernel that the disk boots is the distribution's, taken apart and repacked
/// (guest_kernel.hpp), because unpacking xz under emulation costs 3.5 s at every boot.
#pragma once

#include "runner/support/deadline.hpp"
#include "runner/support/error.hpp"

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace vt::bootstrap {

/// The guest image cannot be built; what() says what is missing and what to do.
class GuestImageError : public Error {
  public:
    using Error::Error;
};

/// Root's password in the built guest, as Avocado-VT's JeOS has it.
inline constexpr const char* guest_image_password = "123456";

/// Where the guest comes from and goes to.
struct GuestImageRequest {
    std::filesystem::path recipe_dir;  ///< share/guest-image
    std::filesystem::path data_dir;    ///< the guest goes into its images/
    std::filesystem::path cache_dir;   ///< built guests and downloaded packages are kept below it
    bool no_downloads = false;         ///< fail rather than download packages
    /// Told in one sentence what is done next; the log (info) if empty.
    std::function<void(const std::string& step)> progress;
};

/// A guest in a data directory.
struct GuestImage {
    std::filesystem::path disk;    ///< qcow2 system disk; belongs to the user once it is there
    std::filesystem::path kernel;  ///< ELF with a PVH entry, for -kernel
    std::filesystem::path initrd;
    std::string kernel_arguments;  ///< for -append
    std::string digest;            ///< of the recipe, hexadecimal
    bool installed_now = false;    ///< files were written by this call
};

/// The guest that \p recipe_dir describes, if \p data_dir has it whole: the recorded digest matches, kernel
/// and initrd have their recorded checksums, the disk exists. Reads about 50 MB; runs nothing.
std::optional<GuestImage> find_guest_image(const std::filesystem::path& recipe_dir,
                                           const std::filesystem::path& data_dir);

/// Makes sure that the guest is there: at once where find_guest_image() finds it, by copying from the cache
/// where it was built before, else by building it (some ten seconds and 80 MB of packages). Several processes
/// may call it at a time. A disk of the same build stays as it is when only the kernel is missing; one that
/// another recipe made is replaced; one that exists without a record is put aside as *.orig. Throws
/// GuestImageError, TimeoutError, SystemError.
GuestImage build_guest_image(const GuestImageRequest& request, const Deadline& deadline);

}  // namespace vt::bootstrap

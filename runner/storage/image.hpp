// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The users' disk images: where they lie, and what a test may do to them.
///
/// An image is named by parameters (`image_name`, `image_format`, `image_raw_device`, as one image of one VM
/// sees them). The rules of backup, restore and removal are Avocado-VT's to the letter, because an install
/// test must leave an image that the boot test after it finds. Copies go to FILE.part first and are renamed,
/// so a copy that failed (full disk) never stands in for an image. Nothing here takes locks: ImageLock does,
/// and the lifecycle holds it while it works.
#pragma once

#include "cfg/params.hpp"
#include "runner/storage/image_access.hpp"
#include "runner/support/deadline.hpp"
#include "runner/support/error.hpp"
#include "runner/support/file_lock.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace vt {

/// The image file is not there; what() names the path and says how to get it.
class ImageMissingError : public Error {
  public:
    explicit ImageMissingError(const std::string& path, const std::string& image);
};

/// qemu-img found the image damaged, or is no image at all; what() has its words.
class ImageCorruptError : public Error {
  public:
    using Error::Error;
};

/// qemu-img or a copy failed (no space, no permission, no such program).
class ImageError : public Error {
  public:
    using Error::Error;
};

/// What `qemu-img info` says of an image.
struct ImageInfo {
    std::string format;
    std::uint64_t virtual_size = 0;  ///< bytes the guest sees
    std::uint64_t actual_size = 0;   ///< bytes on disk
    std::optional<std::string> backing_file;
};

/// One image, as the parameters describe it. A value: it owns no file.
class Image {
  public:
    /// \param params parameters as the image sees them: params.object_params(vm).object_params(image)
    /// \param name the image's name in `images` ("image1")
    /// \param data_dir relative file names start here
    static Image from_params(const Params& params, const std::string& name,
                             const std::filesystem::path& data_dir);

    const std::string& name() const { return name_; }
    /// How it is opened.
    const ImageRef& ref() const { return ref_; }
    /// Whether a server or controller has it, so that there is no file to back up, restore or remove.
    bool remote() const { return !ref_.local(); }
    /// Absolute path of the file or device; a URL for one that is remote().
    const std::filesystem::path& path() const { return path_; }
    /// Format as QEMU names it: qcow2, raw, vmdk, …
    const std::string& format() const { return format_; }
    bool raw_device() const { return raw_device_; }
    /// `image_size` as written ("10G"), empty if not set.
    const std::string& size() const { return size_; }
    /// Whether a running QEMU has the image open for writing, by QEMU's own lock bytes in the file.
    bool in_use() const;
    /// Whether a `..` in `image_name` or `backup_dir` leads out of the directory that they are relative to
    /// (the data directory, or `images_base_dir`). Such an image may be used, but neither made, backed up,
    /// restored nor removed without the user's word. A path that is absolute without any `..` says where it
    /// is.
    bool climbs_out() const { return climbs_out_; }
    /// Where backup() puts its copy: `backup_dir`/FILE.backup.
    std::filesystem::path backup_path() const;

    /// For a remote() one: whether its server lets qemu-img open it.
    bool exists() const;
    /// Throws ImageMissingError.
    void require() const;
    /// Asks qemu-img. \p shared: the image is in use by a running VM. Throws ImageMissingError,
    /// ImageCorruptError.
    ImageInfo info(bool shared = false) const;

    /// Makes the image by qemu-img (preallocation, cluster size, base image and so on as the parameters say),
    /// over whatever is there. Throws ImageError.
    void create(const Deadline& deadline) const;
    /// qemu-img check; formats that cannot be checked are left alone. Throws ImageCorruptError with
    /// qemu-img's words, ImageError if it could not check or found leaks (unless `skip_cluster_leak_warn`),
    /// ImageMissingError.
    void check(const Deadline& deadline, bool running = false) const;
    /// Copies the image to backup_path() unless an older backup is there (kept for ever) or less than 1.2
    /// times its size is free. \p replace: an older backup is replaced (after a test that passed). Returns
    /// whether it copied.
    bool backup(bool replace = false) const;
    /// Copies the backup over the image; false, with a logged line, if there is no backup.
    bool restore() const;
    /// Copies a damaged image to FILE.bad.XXXX and its backup, if any, to FILE.good.XXXX, for whoever looks
    /// into it.
    void keep_damaged() const;
    /// Deletes the file (never a raw device's node).
    void remove() const;
    /// Makes a throw-away qcow2 overlay \p overlay on top of the image. Throws ImageError.
    void make_overlay(const std::filesystem::path& overlay, const Deadline& deadline) const;

    /// Path of qemu-img as the parameter `qemu_img_binary` or PATH gives it. Throws process::NotFoundError.
    static std::filesystem::path qemu_img(const Params& params);

  private:
    std::filesystem::path backup_of_data() const;

    Params params_;
    ImageRef ref_;
    std::string name_;
    std::filesystem::path path_;
    std::string format_;
    std::string size_;
    std::filesystem::path backup_dir_;
    bool raw_device_ = false;
    bool climbs_out_ = false;
};

/// The lock that keeps two tests (of any job, of any user) from writing one image.
class ImageLock {
  public:
    /// Waits for the lock on \p image. Throws TimeoutError naming the holder.
    static ImageLock take(const Image& image, FileLock::Mode mode, const std::string& holder,
                          const Deadline& deadline);
    /// The lock if it is free.
    static std::optional<ImageLock> try_take(const Image& image, FileLock::Mode mode,
                                             const std::string& holder);
    /// Its file: named by the image's path, so that two names of one file meet, in a directory that all users
    /// share. Only where a directory keeps all others out of the image it is in the user's own, where they
    /// cannot hold it to annoy.
    static std::filesystem::path path_for(const Image& image);

    /// See FileLock.
    int descriptor() const { return lock_.descriptor(); }

  private:
    explicit ImageLock(FileLock lock) : lock_(std::move(lock)) { lock_.remove_on_release(); }
    FileLock lock_;
};

}  // namespace vt

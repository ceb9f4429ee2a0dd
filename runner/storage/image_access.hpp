// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Where an image's bytes are and what opens them: the one answer, for QEMU as well as for qemu-img.
///
/// An image may be a file or a device of the host, or lie with a server (NBD, iSCSI, SSH, HTTP, Gluster,
/// Ceph) or in an NVMe controller; it may be encrypted, or have its data in a second file. All of that is
/// parameters, with Avocado-VT's names. Options carry the names of QEMU's block drivers (BlockdevOptions of
/// qapi/block-core.json), with dots for what is nested. Pure, but for writing secrets down: they never stand
/// on a command line, where every user of the host reads them, but in files that only their owner reads.
#pragma once

#include "cfg/params.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace vt {

/// What only QEMU is to know: a key, a password, a cookie.
struct ImageSecret {
    std::string id;  ///< of the `secret` object
    std::string data;
    bool base64 = false;  ///< \ref data is encoded so

    /// Where write_secret() puts it.
    std::filesystem::path file_in(const std::filesystem::path& dir) const;
    bool operator==(const ImageSecret&) const = default;
};

/// TLS credentials: a directory of certificates and keys, as QEMU's tls-creds-x509 wants it.
struct TlsCredentials {
    std::string id;
    std::filesystem::path dir;
};

/// Key and cipher of an encrypted image.
struct ImageEncryption {
    ImageSecret key;
    std::vector<std::pair<std::string, std::string>> options;  ///< for creation: "cipher-alg" → "aes-256"
};

/// One image.
struct ImageRef {
    std::string name;
    std::string format;          ///< qcow2, raw, luks, …
    std::filesystem::path file;  ///< a file or device of this host; empty where a server has it
    bool raw_device = false;     ///< \ref file is a device node, or is to be taken as it stands
    std::string driver =
        "file";  ///< protocol, by QEMU's name: file, host_device, nbd, iscsi, ssh, https, nvme, …
    std::vector<std::pair<std::string, std::string>>
        options;                       ///< of the protocol; "server.host" → "127.0.0.1"
    std::vector<ImageSecret> secrets;  ///< of the protocol
    std::optional<TlsCredentials> tls;
    std::optional<ImageEncryption> encryption;
    std::filesystem::path data_file;  ///< of a qcow2 image whose data lie outside of it
    bool data_file_raw = false;
    std::string slice_offset, slice_size;  ///< the part of a raw image that is the disk, in bytes
    bool own_server = false;  ///< \ref file is exported by a server that the machine's start brings along
    /// The images below it by `image_chain` whose opening needs secrets, nearest first.
    std::vector<ImageRef> below;

    /// \param view parameters as the image sees them; \param data_dir relative file names start here. Throws
    /// BadParam, MissingParam.
    static ImageRef from_params(const Params& view, const std::string& name,
                                const std::filesystem::path& data_dir);

    /// Whether it is a file or device of this host (maybe behind a server of ours).
    bool local() const { return !file.empty(); }
    /// Whether file name and format say it all.
    bool plain() const;
    /// A path or URL without any password, for people; two names of one image are the same.
    std::string text() const;
    /// All secrets and credentials to open it and what lies below it.
    std::vector<ImageSecret> all_secrets() const;
    std::vector<TlsCredentials> all_tls() const;
    /// Options of format and protocol, as qemu-img's --image-opts and "json:" names want them.
    std::vector<std::pair<std::string, std::string>> open_options() const;
};

/// Where the server of ours for \p image listens, in the instance directory of its machine.
std::filesystem::path nbd_socket(const std::filesystem::path& instance_dir, const std::string& image);

/// Writes \p secret to its file in \p dir, which must be private; only its owner can read the file. Throws
/// SystemError.
void write_secret(const ImageSecret& secret, const std::filesystem::path& dir);

/// Arguments for qemu-img by which it can use \p image: `--object` for each secret in \p dir and for
/// credentials.
std::vector<std::string> qemu_img_objects(const ImageRef& image, const std::filesystem::path& dir);
/// The image itself as an argument after --image-opts.
std::string image_opts(const ImageRef& image);
/// The image as a backing file's name: its path, or "json:{…}" where that does not say it all.
std::string backing_name(const ImageRef& image);

}  // namespace vt

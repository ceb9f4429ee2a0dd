// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// What a copy needs of the other side, by SFTP or, where the guest has no SFTP server, by the older scp
/// protocol.
///
/// Both are blocking libssh calls on a connection of their own; a watchdog shuts its socket down when the
/// deadline passes or the interrupt is raised. Names that the guest sends are hostile: see is_plain_name().
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace vt {

class SshConnection;

/// A file of the guest, as far as copying is concerned.
struct RemoteFile {
    enum class Kind { regular, directory, other };
    std::string name;  ///< without its directory
    Kind kind = Kind::other;
    std::uint64_t size = 0;
    int mode = 0;  ///< permission bits
};

/// True for what may be made below a local directory: one name, neither `.` nor `..`.
bool is_plain_name(const std::string& name);

/// True if \p path has one of the wildcards * ? [.
bool has_wildcards(const std::string& path);

/// \p path without a leading "~/": copies start in the home directory anyway, and nobody expands it.
std::string without_tilde(const std::string& path);

/// Sees each piece of data on its way, in bytes: limits the rate.
using PieceHandler = std::function<void(std::size_t bytes)>;

/// Copies single things to and from a guest. All throw TransferFailedError with the peer's reason.
class FileTransfer {
  public:
    virtual ~FileTransfer() = default;

    /// Copies the local file or directory to \p remote: into it if it is a directory, else as it.
    virtual void send(const std::filesystem::path& local, const std::string& remote) = 0;
    /// Copies the remote file or directory (wildcards allowed in its last part) to \p local in the same way.
    virtual void receive(const std::string& remote, const std::filesystem::path& local) = 0;
};

/// What a transfer reports.
struct TransferHooks {
    std::function<void(const std::string& line)> log;
    PieceHandler on_piece;
    bool recursive = true;
};

/// By SFTP; nothing if the server has none.
std::unique_ptr<FileTransfer> make_sftp_transfer(SshConnection& connection, TransferHooks hooks);
/// By scp, which the guest must have in its PATH.
std::unique_ptr<FileTransfer> make_scp_transfer(SshConnection& connection, TransferHooks hooks);

}  // namespace vt

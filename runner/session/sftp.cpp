// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/session/file_transfer.hpp"
#include "runner/session/local_file.hpp"
#include "runner/session/shell_error.hpp"
#include "runner/session/ssh_connect.hpp"
#include "runner/support/log.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <deque>

#include <fcntl.h>
#include <fmt/format.h>
#include <fnmatch.h>
#include <libssh/libssh.h>
#include <libssh/sftp.h>
#include <sys/stat.h>

namespace vt {
namespace {

/// What every SFTP server takes in one request.
constexpr std::size_t piece_size = 32768;
/// What OpenSSH's takes. libssh awaits the answer to each write, so bigger pieces are much faster to a slow
/// guest.
constexpr std::size_t big_piece_size = std::size_t{128} << 10;
/// Read requests under way at once, so that a file does not cost a round trip a piece.
constexpr std::size_t most_requests = 16;
/// A hostile guest may nest directories without end.
constexpr int deepest = 200;

using Attributes = std::unique_ptr<sftp_attributes_struct, decltype(&sftp_attributes_free)>;
using File = std::unique_ptr<sftp_file_struct, decltype(&sftp_close)>;
using Directory = std::unique_ptr<sftp_dir_struct, decltype(&sftp_closedir)>;

std::string sftp_error_name(int code) {
    switch (code) {
        case SSH_FX_NO_SUCH_FILE:
        case SSH_FX_NO_SUCH_PATH:
            return "No such file or directory";
        case SSH_FX_PERMISSION_DENIED:
            return "Permission denied";
        case SSH_FX_FAILURE:
            return "the server says: failure (no space left, or not a file of that kind)";
        case SSH_FX_CONNECTION_LOST:
        case SSH_FX_NO_CONNECTION:
            return "connection lost";
        default:
            return fmt::format("SFTP error {}", code);
    }
}

std::string joined(const std::string& directory, const std::string& name) {
    return directory.empty() || directory.back() == '/' ? directory + name : directory + "/" + name;
}

std::string base_name(std::string path) {
    while (path.size() > 1 && path.back() == '/') {
        path.pop_back();
    }
    return path.substr(path.rfind('/') + 1);
}

RemoteFile file_of(const std::string& name, const sftp_attributes_struct& attributes) {
    RemoteFile file;
    file.name = name;
    file.size = attributes.size;
    file.mode = static_cast<int>(attributes.permissions & 07777U);
    const auto type = attributes.permissions & static_cast<std::uint32_t>(S_IFMT);
    file.kind = type == S_IFDIR   ? RemoteFile::Kind::directory
                : type == S_IFREG ? RemoteFile::Kind::regular
                                  : RemoteFile::Kind::other;
    return file;
}

class SftpTransfer : public FileTransfer {
  public:
    SftpTransfer(SshConnection& connection, sftp_session sftp, TransferHooks hooks)
        : connection_(connection), sftp_(sftp), hooks_(std::move(hooks)), writes_(write_size(sftp)) {}
    ~SftpTransfer() override { sftp_free(sftp_); }
    SftpTransfer(const SftpTransfer&) = delete;
    SftpTransfer& operator=(const SftpTransfer&) = delete;

    void send(const std::filesystem::path& local, const std::string& remote) override {
        const std::string wanted = without_tilde(remote);
        const auto there = stat(wanted);
        const bool inside = there && there->kind == RemoteFile::Kind::directory;
        send_thing(local, inside ? joined(wanted, base_name(local.string())) : wanted, 0);
    }

    void receive(const std::string& remote, const std::filesystem::path& local) override {
        const bool inside = std::filesystem::is_directory(local);
        for (const auto& path : expand(without_tilde(remote))) {
            const auto there = stat(path);
            if (!there) {
                fail("copy " + path, sftp_get_error(sftp_));
            }
            const auto name = base_name(path);
            if (inside && !is_plain_name(name)) {
                throw TransferFailedError(1, fmt::format("copy {}: not a name for a local file", path));
            }
            receive_thing(path, *there, inside ? local / name : local, 0);
        }
    }

  private:
    [[noreturn]] void fail(const std::string& what, int code) const {
        const auto detail = connection_.error_text();
        throw TransferFailedError(
            1, fmt::format("{}: {}{}", what, sftp_error_name(code),
                           ssh_is_connected(connection_.session()) == 0 ? " (" + detail + ")" : ""));
    }

    /// How much the server takes in one write: it can be told only by whose extensions it has.
    static std::size_t write_size(sftp_session sftp) {
        for (unsigned int i = 0; i < sftp_extensions_get_count(sftp); ++i) {
            const char* name = sftp_extensions_get_name(sftp, i);
            if (name != nullptr && std::string_view(name).ends_with("@openssh.com")) {
                return big_piece_size;
            }
        }
        return piece_size;
    }

    std::optional<RemoteFile> stat(const std::string& path) {
        const Attributes attributes(sftp_stat(sftp_, path.c_str()), sftp_attributes_free);
        return attributes ? std::optional(file_of(base_name(path), *attributes)) : std::nullopt;
    }

    std::vector<std::string> names_in(const std::string& directory) {
        Directory opened(sftp_opendir(sftp_, directory.c_str()), sftp_closedir);
        if (!opened) {
            fail("read directory " + directory, sftp_get_error(sftp_));
        }
        std::vector<std::string> names;
        while (const Attributes entry{sftp_readdir(sftp_, opened.get()), sftp_attributes_free}) {
            if (entry->name != nullptr && is_plain_name(entry->name)) {
                names.emplace_back(entry->name);
            }
        }
        if (sftp_dir_eof(opened.get()) == 0) {
            fail("read directory " + directory, sftp_get_error(sftp_));
        }
        std::sort(names.begin(), names.end());
        return names;
    }

    /// The remote paths that \p path means; wildcards count in its last part.
    std::vector<std::string> expand(const std::string& path) {
        if (!has_wildcards(path) || stat(path)) {
            return {path};
        }
        const std::size_t slash = path.rfind('/');
        const std::string directory =
            slash == std::string::npos ? "." : path.substr(0, std::max<std::size_t>(slash, 1));
        const std::string pattern = slash == std::string::npos ? path : path.substr(slash + 1);
        std::vector<std::string> found;
        for (const auto& name : names_in(directory)) {
            if (::fnmatch(pattern.c_str(), name.c_str(), FNM_PERIOD) == 0) {
                found.push_back(slash == std::string::npos ? name : joined(directory, name));
            }
        }
        if (found.empty()) {
            throw TransferFailedError(1, path + ": No such file or directory");
        }
        return found;
    }

    void check_depth(const std::string& path, int depth) const {
        if (depth > deepest) {
            throw TransferFailedError(1, fmt::format("{}: directories nest deeper than {}", path, deepest));
        }
        if (!hooks_.recursive) {
            throw TransferFailedError(1, path + ": not a regular file");
        }
    }

    void send_thing(const std::filesystem::path& local, const std::string& remote, int depth) {
        std::error_code error;
        const auto status = std::filesystem::status(local, error);
        if (status.type() != std::filesystem::file_type::directory) {
            send_file(local, remote);
            return;
        }
        check_depth(local.string(), depth);
        const auto there = stat(remote);
        if (!there &&
            sftp_mkdir(sftp_, remote.c_str(), static_cast<mode_t>(status.permissions()) & 0777U) != 0) {
            fail("make directory " + remote, sftp_get_error(sftp_));
        }
        if (there && there->kind != RemoteFile::Kind::directory) {
            throw TransferFailedError(1, remote + ": Not a directory");
        }
        for (const auto& entry : std::filesystem::directory_iterator(local, error)) {
            send_thing(entry.path(), joined(remote, entry.path().filename().string()), depth + 1);
        }
        if (error) {
            throw TransferFailedError(1, local.string() + ": " + error.message());
        }
    }

    void send_file(const std::filesystem::path& local, const std::string& remote) {
        auto source = LocalFile::open(local);
        const auto mode = static_cast<mode_t>(source.mode() & 0777);
        File target(sftp_open(sftp_, remote.c_str(), O_WRONLY | O_CREAT | O_TRUNC, mode), sftp_close);
        if (!target) {
            fail("make " + remote, sftp_get_error(sftp_));
        }
        std::vector<char> piece(writes_);
        std::uint64_t sent = 0;
        while (const std::size_t size = source.read(piece.data(), piece.size())) {
            for (std::size_t done = 0; done < size;) {
                const auto written = sftp_write(target.get(), piece.data() + done, size - done);
                if (written <= 0) {
                    fail("write " + remote, sftp_get_error(sftp_));
                }
                done += static_cast<std::size_t>(written);
            }
            sent += size;
            hooks_.on_piece(size);
        }
        if (sftp_close(target.release()) != 0) {
            fail("close " + remote, sftp_get_error(sftp_));
        }
        hooks_.log(fmt::format("{} -> {} ({} bytes)", local.string(), remote, sent));
    }

    void receive_thing(const std::string& remote, const RemoteFile& file, const std::filesystem::path& local,
                       int depth) {
        if (file.kind == RemoteFile::Kind::regular) {
            receive_file(remote, file, local);
            return;
        }
        if (file.kind == RemoteFile::Kind::other) {
            log::warning("not copied: {} is neither a file nor a directory", remote);
            return;
        }
        check_depth(remote, depth);
        make_local_directory(local, file.mode);
        for (const auto& name : names_in(remote)) {
            const auto path = joined(remote, name);
            if (const auto there = stat(path)) {
                receive_thing(path, *there, local / name, depth + 1);
            } else {
                log::warning("not copied: {} has gone or leads nowhere", path);
            }
        }
    }

    void receive_file(const std::string& remote, const RemoteFile& file, const std::filesystem::path& local) {
        const File source(sftp_open(sftp_, remote.c_str(), O_RDONLY, 0), sftp_close);
        if (!source) {
            fail("open " + remote, sftp_get_error(sftp_));
        }
        auto target = LocalFile::create(local, file.mode);
        // Files of /proc and the like have no size and give short pieces.
        const auto received = file.size == 0 ? read_in_order(remote, source.get(), target)
                                             : read_ahead(remote, source.get(), target, file.size);
        hooks_.log(fmt::format("{} -> {} ({} bytes)", remote, local.string(), received));
    }

    std::uint64_t read_in_order(const std::string& remote, sftp_file source, LocalFile& target) {
        std::array<char, piece_size> piece;
        std::uint64_t received = 0;
        for (;;) {
            const auto got = sftp_read(source, piece.data(), piece.size());
            if (got < 0) {
                fail("read " + remote, sftp_get_error(sftp_));
            }
            if (got == 0) {
                return received;
            }
            target.write({piece.data(), static_cast<std::size_t>(got)});
            received += static_cast<std::uint64_t>(got);
            hooks_.on_piece(static_cast<std::size_t>(got));
        }
    }

    std::uint64_t read_ahead(const std::string& remote, sftp_file source, LocalFile& target,
                             std::uint64_t size) {
        std::array<char, piece_size> piece;
        std::deque<std::uint32_t> requests;
        std::uint64_t asked = 0;
        std::uint64_t received = 0;
        while (received < size) {
            for (; asked < size && requests.size() < most_requests; asked += piece.size()) {
                const int id = sftp_async_read_begin(source, piece.size());
                if (id < 0) {
                    fail("read " + remote, sftp_get_error(sftp_));
                }
                requests.push_back(static_cast<std::uint32_t>(id));
            }
            const int got = sftp_async_read(source, piece.data(), piece.size(), requests.front());
            requests.pop_front();
            if (got < 0) {
                fail("read " + remote, sftp_get_error(sftp_));
            }
            received += static_cast<std::uint64_t>(got);
            // Requests are for fixed places, so a short piece in the middle would leave a hole.
            if (got == 0 || (static_cast<std::size_t>(got) < piece.size() && received < size)) {
                throw TransferFailedError(1, "read " + remote + ": the file shrinks while it is read");
            }
            target.write({piece.data(), static_cast<std::size_t>(got)});
            hooks_.on_piece(static_cast<std::size_t>(got));
        }
        return received;
    }

    SshConnection& connection_;
    sftp_session sftp_;
    TransferHooks hooks_;
    std::size_t writes_;  ///< bytes in one write
};

}  // namespace

std::unique_ptr<FileTransfer> make_sftp_transfer(SshConnection& connection, TransferHooks hooks) {
    sftp_session sftp = sftp_new(connection.session());
    if (sftp == nullptr) {
        return nullptr;
    }
    if (sftp_init(sftp) != SSH_OK) {
        sftp_free(sftp);
        return nullptr;
    }
    return std::make_unique<SftpTransfer>(connection, sftp, std::move(hooks));
}

}  // namespace vt

// SPDX-License-Identifier: GPL-2.0-or-later
// The older protocol behind scp(1), for guests without an SFTP server. libssh calls its functions deprecated
// because the protocol is; there is nothing else that such guests speak.
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
#include "runner/session/file_transfer.hpp"
#include "runner/session/local_file.hpp"
#include "runner/session/shell_error.hpp"
#include "runner/session/ssh_connect.hpp"

#include <array>

#include <fmt/format.h>
#include <libssh/libssh.h>

namespace vt {
namespace {

constexpr std::size_t piece_size = 32768;
constexpr int deepest = 200;

/// One run of scp on the other side.
class ScpRun {
  public:
    ScpRun(SshConnection& connection, int mode, const std::string& location)
        : connection_(connection), scp_(ssh_scp_new(connection.session(), mode, location.c_str())) {
        if (scp_ == nullptr || ssh_scp_init(scp_) != SSH_OK) {
            const std::string text = connection_.error_text();
            if (scp_ != nullptr) {
                ssh_scp_free(scp_);
            }
            throw TransferFailedError(1,
                                      fmt::format("{}: {} (is there an scp in the guest?)", location, text));
        }
    }
    ~ScpRun() {
        ssh_scp_close(scp_);
        ssh_scp_free(scp_);
    }
    ScpRun(const ScpRun&) = delete;
    ScpRun& operator=(const ScpRun&) = delete;

    ssh_scp get() const { return scp_; }
    void check(int rc, const std::string& what) const {
        if (rc < 0) {
            throw TransferFailedError(1, what + ": " + connection_.error_text());
        }
    }

  private:
    SshConnection& connection_;
    ssh_scp scp_;
};

class ScpTransfer : public FileTransfer {
  public:
    ScpTransfer(SshConnection& connection, TransferHooks hooks)
        : connection_(connection), hooks_(std::move(hooks)) {}

    void send(const std::filesystem::path& local, const std::string& remote) override {
        const ScpRun run(connection_, SSH_SCP_WRITE | (hooks_.recursive ? SSH_SCP_RECURSIVE : 0),
                         without_tilde(remote));
        send_thing(run, local, remote, 0);
    }

    void receive(const std::string& remote, const std::filesystem::path& local) override {
        if (has_wildcards(remote)) {
            throw TransferFailedError(
                1, remote + ": wildcards need an SFTP server in the guest; name the files");
        }
        const ScpRun run(connection_, SSH_SCP_READ | (hooks_.recursive ? SSH_SCP_RECURSIVE : 0),
                         without_tilde(remote));
        std::vector<std::filesystem::path> directories;
        for (;;) {
            const int request = ssh_scp_pull_request(run.get());
            if (request == SSH_SCP_REQUEST_EOF) {
                return;
            }
            if (request == SSH_SCP_REQUEST_ENDDIR) {
                if (directories.empty()) {
                    throw TransferFailedError(
                        1, remote + ": the guest's scp leaves a directory that it did not enter");
                }
                directories.pop_back();
                continue;
            }
            if (request == SSH_SCP_REQUEST_WARNING) {
                const char* warning = ssh_scp_request_get_warning(run.get());
                throw TransferFailedError(
                    1, fmt::format("{}: {}", remote, warning != nullptr ? warning : "refused"));
            }
            run.check(request, remote);
            const auto path = local_path(run, local, directories);
            if (request == SSH_SCP_REQUEST_NEWDIR) {
                if (directories.size() >= deepest) {
                    throw TransferFailedError(
                        1, fmt::format("{}: directories nest deeper than {}", remote, deepest));
                }
                make_local_directory(path, ssh_scp_request_get_permissions(run.get()));
                ssh_scp_accept_request(run.get());
                directories.push_back(path);
            } else {
                receive_file(run, remote, path);
            }
        }
    }

  private:
    /// Where what the guest offers goes: its name is the guest's word, so it must be a plain one.
    static std::filesystem::path local_path(const ScpRun& run, const std::filesystem::path& local,
                                            const std::vector<std::filesystem::path>& directories) {
        const char* given = ssh_scp_request_get_filename(run.get());
        const std::string name = given != nullptr ? given : "";
        if (!is_plain_name(name)) {
            throw TransferFailedError(1, "the guest's scp offers a file named '" + name + "'");
        }
        if (!directories.empty()) {
            return directories.back() / name;
        }
        return std::filesystem::is_directory(local) ? local / name : local;
    }

    void send_thing(const ScpRun& run, const std::filesystem::path& local, const std::string& remote,
                    int depth) {
        std::error_code error;
        const auto status = std::filesystem::status(local, error);
        const auto name = local.filename().empty() ? local.parent_path().filename() : local.filename();
        if (status.type() != std::filesystem::file_type::directory) {
            send_file(run, local, name.string(), remote);
            return;
        }
        if (!hooks_.recursive || depth > deepest) {
            throw TransferFailedError(
                1, local.string() + (depth > deepest ? ": nests too deep" : ": not a regular file"));
        }
        const int mode = static_cast<int>(status.permissions()) & 0777;
        run.check(ssh_scp_push_directory(run.get(), name.c_str(), mode), "make directory " + name.string());
        for (const auto& entry : std::filesystem::directory_iterator(local, error)) {
            send_thing(run, entry.path(), remote, depth + 1);
        }
        if (error) {
            throw TransferFailedError(1, local.string() + ": " + error.message());
        }
        run.check(ssh_scp_leave_directory(run.get()), "leave directory " + name.string());
    }

    void send_file(const ScpRun& run, const std::filesystem::path& local, const std::string& name,
                   const std::string& remote) {
        auto source = LocalFile::open(local);
        run.check(ssh_scp_push_file64(run.get(), name.c_str(), source.size(), source.mode() & 0777),
                  "make " + name);
        std::array<char, piece_size> piece;
        std::uint64_t sent = 0;
        while (const std::size_t size = source.read(piece.data(), piece.size())) {
            run.check(ssh_scp_write(run.get(), piece.data(), size), "write " + name);
            sent += size;
            hooks_.on_piece(size);
        }
        if (sent == 0) {
            // libssh sees the end of a file only in a write, even of an empty one.
            run.check(ssh_scp_write(run.get(), piece.data(), 0), "write " + name);
        }
        if (sent != source.size()) {
            throw TransferFailedError(1, local.string() + ": the file changes while it is read");
        }
        hooks_.log(fmt::format("{} -> {} ({} bytes)", local.string(), remote, sent));
    }

    void receive_file(const ScpRun& run, const std::string& remote, const std::filesystem::path& path) {
        const std::uint64_t size = ssh_scp_request_get_size64(run.get());
        auto target = LocalFile::create(path, ssh_scp_request_get_permissions(run.get()));
        run.check(ssh_scp_accept_request(run.get()), remote);
        std::array<char, piece_size> piece;
        std::uint64_t received = 0;
        do {  // once at least: libssh sees the end of a file only in a read, even of an empty one
            const int got = ssh_scp_read(run.get(), piece.data(), piece.size());
            run.check(got, "read " + remote);
            if (got == 0 && size > 0) {
                throw TransferFailedError(1, "read " + remote + ": ended early");
            }
            target.write({piece.data(), static_cast<std::size_t>(got)});
            received += static_cast<std::uint64_t>(got);
            hooks_.on_piece(static_cast<std::size_t>(got));
        } while (received < size);
        hooks_.log(fmt::format("{} -> {} ({} bytes)", remote, path.string(), size));
    }

    SshConnection& connection_;
    TransferHooks hooks_;
};

}  // namespace

std::unique_ptr<FileTransfer> make_scp_transfer(SshConnection& connection, TransferHooks hooks) {
    return std::make_unique<ScpTransfer>(connection, std::move(hooks));
}

}  // namespace vt

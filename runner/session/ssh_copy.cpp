// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/io/socket.hpp"
#include "runner/session/file_transfer.hpp"
#include "runner/session/ssh.hpp"
#include "runner/session/ssh_connect.hpp"
#include "runner/support/log.hpp"

#include <atomic>
#include <cerrno>
#include <csignal>
#include <thread>

#include <fmt/format.h>
#include <glob.h>
#include <libssh/libssh.h>
#include <poll.h>
#include <sys/eventfd.h>

namespace vt {
namespace {

/// Ends a connection when a deadline passes or an interrupt is raised: blocking libssh calls cannot be given
/// either.
class Watchdog {
  public:
    Watchdog(const SshConnection& connection, const Deadline& deadline, std::shared_ptr<Interrupt> interrupt)
        : done_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
        if (!done_) {
            throw SystemError("make an event descriptor", errno);
        }
        // Signals are for the thread that decides about them.
        sigset_t all;
        sigset_t before;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        thread_ = std::thread([this, &connection, deadline, interrupt = std::move(interrupt)] {
            try {
                if (!wait_ready(done_.get(), POLLIN, deadline, interrupt.get())) {
                    barked_ = true;
                }
            } catch (const Error& error) {
                log::debug("ending a file transfer: {}", error.what());
                barked_ = true;
            }
            if (barked_) {
                connection.shut_down();
            }
        });
        pthread_sigmask(SIG_SETMASK, &before, nullptr);
    }
    ~Watchdog() { stop(); }
    Watchdog(const Watchdog&) = delete;
    Watchdog& operator=(const Watchdog&) = delete;

    /// True if it has ended the connection.
    bool stop() {
        if (thread_.joinable()) {
            ::eventfd_write(done_.get(), 1);
            thread_.join();
        }
        return barked_;
    }

  private:
    UniqueFd done_;
    std::atomic<bool> barked_{false};
    std::thread thread_;
};

/// The files that \p path means: itself, or where it does not exist and has wildcards what these match.
std::vector<std::filesystem::path> local_files(const std::filesystem::path& path) {
    std::error_code ignored;
    if (std::filesystem::exists(path, ignored) || !has_wildcards(path.string())) {
        return {path};
    }
    glob_t found{};
    const int rc = ::glob(path.c_str(), 0, nullptr, &found);
    std::vector<std::filesystem::path> files(found.gl_pathv, found.gl_pathv + found.gl_pathc);
    ::globfree(&found);
    if (rc != 0 || files.empty()) {
        throw TransferFailedError(1, path.string() + ": No such file or directory");
    }
    return files;
}

std::unique_ptr<SshConnection> connect(const SshTarget& target, const Deadline& deadline) {
    try {
        check_target(target);
        return std::make_unique<SshConnection>(connect_to_banner(target, deadline, true), target, deadline);
    } catch (const LoginAuthenticationError& error) {
        throw AuthenticationError(error.msg(), error.output());
    } catch (const LoginTimeoutError& error) {
        throw AuthenticationTimeoutError(error.output());
    } catch (const LoginError& error) {
        throw SCPError(error.msg(), error.output());
    }
}

/// Keeps a transfer below a rate by waiting after each piece.
class RateLimit {
  public:
    RateLimit(double bytes_per_second, std::shared_ptr<Interrupt> interrupt)
        : rate_(bytes_per_second), interrupt_(std::move(interrupt)) {}

    void operator()(std::size_t bytes) {
        if (rate_ <= 0) {
            return;
        }
        bytes_ += static_cast<double>(bytes);
        const Seconds due{bytes_ / rate_};
        const Seconds passed = std::chrono::steady_clock::now() - begun_;
        if (due > passed) {
            wait_ready(-1, 0, Deadline::after(due - passed), interrupt_.get());
        }
    }

  private:
    double rate_;
    std::shared_ptr<Interrupt> interrupt_;
    double bytes_ = 0;
    std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
};

/// Runs \p copy on a transfer to \p target.
void with_transfer(const SshTarget& target, const CopyOptions& options, const Deadline& deadline,
                   const std::function<void(FileTransfer&)>& copy) {
    std::string seen;
    const TransferHooks hooks{[&](const std::string& line) {
                                  log::debug("transfer: {}", line);
                                  seen += line + "\n";
                                  if (options.log) {
                                      options.log(line);
                                  }
                              },
                              RateLimit(options.bytes_per_second, target.interrupt), options.recursive};
    const auto connection = connect(target, deadline);
    Watchdog watchdog(*connection, deadline, target.interrupt);
    ssh_set_blocking(connection->session(), 1);
    const long no_timeout = 365L * 86400;  // the watchdog's business
    ssh_options_set(connection->session(), SSH_OPTIONS_TIMEOUT, &no_timeout);
    try {
        auto transfer = make_sftp_transfer(*connection, hooks);
        if (!transfer) {
            log::info("{}:{} has no SFTP server ({}): copying by scp", target.host, target.port,
                      connection->error_text());
            transfer = make_scp_transfer(*connection, hooks);
        }
        copy(*transfer);
    } catch (const Error& error) {
        const bool ended_by_watchdog = watchdog.stop();
        if (target.interrupt && target.interrupt->reason()) {
            throw SCPError(*target.interrupt->reason(), seen);
        }
        if (!ended_by_watchdog) {
            throw;
        }
        throw TransferTimeoutError(seen + error.what());
    }
}

}  // namespace

void copy_to(const SshTarget& target, const std::vector<std::filesystem::path>& local,
             const std::string& remote, const CopyOptions& options, const Deadline& deadline) {
    std::vector<std::filesystem::path> files;
    for (const auto& path : local) {
        const auto found = local_files(path);
        files.insert(files.end(), found.begin(), found.end());
    }
    with_transfer(target, options, deadline, [&](FileTransfer& transfer) {
        for (const auto& file : files) {
            transfer.send(file, remote);
        }
    });
}

void copy_from(const SshTarget& target, const std::vector<std::string>& remote,
               const std::filesystem::path& local, const CopyOptions& options, const Deadline& deadline) {
    with_transfer(target, options, deadline, [&](FileTransfer& transfer) {
        for (const auto& path : remote) {
            transfer.receive(path, local);
        }
    });
}

}  // namespace vt

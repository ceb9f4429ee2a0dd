// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// An SSH server in the test's own process, by libssh: real keys and channels, a real shell on a real
/// terminal, and faults on request.
#pragma once

#include "runner/support/deadline.hpp"
#include "runner/support/error.hpp"
#include "runner/support/file.hpp"
#include "runner/support/unique_fd.hpp"

#include <array>
#include <atomic>
#include <csignal>
#include <cstring>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <libssh/libssh.h>
#include <libssh/server.h>
#include <netinet/in.h>
#include <poll.h>
#include <pty.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

// The message API is deprecated for servers that are more than a test's.
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

namespace vt {

class TestSshServer {
  public:
    struct Options {
        std::string password = "secret";
        bool keyboard_interactive = false;
        /// So many connections are closed before the banner, as a guest does that is not up yet.
        int close_first = 0;
        /// So many connections (after those) are accepted and never answered.
        int ignore_next = 0;
        std::vector<std::string> shell = {"/bin/bash", "--norc", "--noprofile", "-i"};
        std::string prompt = "[test]# ";
        bool sftp = true;
        std::string ciphers;  ///< to offer; empty: libssh's
        int port = 0;         ///< to listen at; 0: any
        /// So long nobody answers, while connections are taken: as at the port of a guest that boots.
        Seconds deaf_for{0};
    };

    explicit TestSshServer(Options options) : options_(std::move(options)), stop_(::eventfd(0, EFD_CLOEXEC)) {
        listener_.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        address.sin_port = htons(static_cast<std::uint16_t>(options_.port));
        const int yes = 1;
        ::setsockopt(listener_.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
        socklen_t length = sizeof address;
        if (::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), length) != 0 ||
            ::listen(listener_.get(), 16) != 0 ||
            ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &length) != 0) {
            throw SystemError("listen on loopback", errno);
        }
        port_ = ntohs(address.sin_port);
        ssh_pki_generate(SSH_KEYTYPE_ED25519, 0, &key_);
        acceptor_ = std::thread([this] { accept_all(); });
    }
    ~TestSshServer() {
        ::eventfd_write(stop_.get(), 1);
        acceptor_.join();
        for (auto& thread : servers_) {
            thread.join();
        }
        ssh_key_free(key_);
    }

    int port() const { return port_; }
    int connections() const { return connections_; }
    /// Key exchange and cipher of the last connection that got so far.
    std::string negotiated() const {
        const std::lock_guard lock(mutex_);
        return negotiated_;
    }
    /// Cuts all connections, as a dying guest does.
    void drop_all() {
        const std::lock_guard lock(mutex_);
        for (const int fd : open_) {
            ::shutdown(fd, SHUT_RDWR);
        }
    }

  private:
    struct Child {
        pid_t pid = -1;
        UniqueFd fd;
    };

    void accept_all() {
        pollfd stopped{stop_.get(), POLLIN, 0};
        ::poll(&stopped, 1, static_cast<int>(options_.deaf_for.count() * 1000));
        for (;;) {
            std::array<pollfd, 2> fds{{{listener_.get(), POLLIN, 0}, {stop_.get(), POLLIN, 0}}};
            ::poll(fds.data(), fds.size(), -1);
            if (fds[1].revents != 0) {
                return;
            }
            UniqueFd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
            if (!fd) {
                continue;
            }
            const int number = ++connections_;
            if (number <= options_.close_first) {
                continue;
            }
            if (number <= options_.close_first + options_.ignore_next) {
                ignored_.push_back(std::move(fd));
                continue;
            }
            servers_.emplace_back([this, raw = fd.release()] { serve(raw); });
        }
    }

    void serve(int fd) {
        {
            const std::lock_guard lock(mutex_);
            open_.push_back(fd);
        }
        ssh_bind bind = ssh_bind_new();
        ssh_session session = ssh_new();
        ssh_key copy = ssh_key_dup(key_);
        const bool no = false;
        ssh_bind_options_set(bind, SSH_BIND_OPTIONS_PROCESS_CONFIG, &no);
        ssh_bind_options_set(bind, SSH_BIND_OPTIONS_IMPORT_KEY, copy);
        if (!options_.ciphers.empty()) {
            ssh_bind_options_set(bind, SSH_BIND_OPTIONS_CIPHERS_C_S, options_.ciphers.c_str());
            ssh_bind_options_set(bind, SSH_BIND_OPTIONS_CIPHERS_S_C, options_.ciphers.c_str());
        }
        if (ssh_bind_accept_fd(bind, session, fd) == SSH_OK) {
            const int methods =
                options_.keyboard_interactive ? SSH_AUTH_METHOD_INTERACTIVE : SSH_AUTH_METHOD_PASSWORD;
            ssh_set_auth_methods(session, methods);
            if (ssh_handle_key_exchange(session) == SSH_OK) {
                {
                    const std::lock_guard lock(mutex_);
                    negotiated_ = std::string(ssh_get_kex_algo(session)) + " " + ssh_get_cipher_out(session);
                }
                converse(session);
            }
        }
        {
            const std::lock_guard lock(mutex_);
            std::erase(open_, fd);
        }
        ssh_disconnect(session);
        ssh_free(session);
        ssh_bind_free(bind);
    }

    void converse(ssh_session session) {
        ssh_channel channel = nullptr;
        bool pty = false;
        winsize size{24, 80, 0, 0};
        while (ssh_message message = ssh_message_get(session)) {
            Child child;
            const int type = ssh_message_type(message);
            const int subtype = ssh_message_subtype(message);
            bool done = true;
            if (type == SSH_REQUEST_AUTH) {
                authenticate(session, message, subtype);
            } else if (type == SSH_REQUEST_CHANNEL_OPEN && subtype == SSH_CHANNEL_SESSION) {
                channel = ssh_message_channel_request_open_reply_accept(message);
            } else if (type == SSH_REQUEST_CHANNEL && subtype == SSH_CHANNEL_REQUEST_PTY) {
                pty = true;
                size.ws_col = static_cast<unsigned short>(ssh_message_channel_request_pty_width(message));
                ssh_message_channel_request_reply_success(message);
            } else if (type == SSH_REQUEST_CHANNEL && subtype == SSH_CHANNEL_REQUEST_SHELL) {
                ssh_message_channel_request_reply_success(message);
                child = start(options_.shell, pty ? &size : nullptr);
            } else if (type == SSH_REQUEST_CHANNEL && subtype == SSH_CHANNEL_REQUEST_EXEC) {
                const std::string command = ssh_message_channel_request_command(message);
                ssh_message_channel_request_reply_success(message);
                child = start({"/bin/sh", "-c", command}, nullptr);
            } else if (type == SSH_REQUEST_CHANNEL && subtype == SSH_CHANNEL_REQUEST_SUBSYSTEM &&
                       options_.sftp) {
                ssh_message_channel_request_reply_success(message);
                child = start({"/usr/lib/openssh/sftp-server"}, nullptr);
            } else {
                done = false;
            }
            if (!done) {
                ssh_message_reply_default(message);
            }
            ssh_message_free(message);
            if (child.pid > 0) {
                relay(session, channel, child);
                return;
            }
        }
    }

    void authenticate(ssh_session session, ssh_message message, int subtype) {
        if (subtype == SSH_AUTH_METHOD_PASSWORD && !options_.keyboard_interactive &&
            options_.password == ssh_message_auth_password(message)) {
            ssh_message_auth_reply_success(message, 0);
            return;
        }
        if (subtype == SSH_AUTH_METHOD_INTERACTIVE && options_.keyboard_interactive) {
            if (ssh_message_auth_kbdint_is_response(message) == 0) {
                const char* prompts[] = {"Password: "};
                char echo[] = {0};
                ssh_message_auth_interactive_request(message, "", "", 1, prompts, echo);
                return;
            }
            if (ssh_userauth_kbdint_getnanswers(session) == 1 &&
                options_.password == ssh_userauth_kbdint_getanswer(session, 0)) {
                ssh_message_auth_reply_success(message, 0);
                return;
            }
        }
        ssh_message_reply_default(message);
    }

    Child start(const std::vector<std::string>& argv, winsize* size) const {
        std::vector<char*> arguments;
        for (const auto& argument : argv) {
            arguments.push_back(const_cast<char*>(argument.c_str()));
        }
        arguments.push_back(nullptr);
        const std::string prompt = "PS1=" + options_.prompt;
        std::array<const char*, 5> environment{prompt.c_str(), "TERM=dumb",
                                               "PATH=/usr/bin:/bin:/usr/sbin:/sbin", "HOME=/tmp", nullptr};
        Child child;
        if (size != nullptr) {
            int master = -1;
            child.pid = ::forkpty(&master, nullptr, nullptr, size);
            child.fd.reset(master);
        } else {
            int ends[2];
            if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
                return child;
            }
            child.fd.reset(ends[0]);
            const UniqueFd other(ends[1]);
            child.pid = ::fork();
            if (child.pid == 0) {
                ::dup2(ends[1], 0);
                ::dup2(ends[1], 1);
            }
        }
        if (child.pid == 0) {
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // a guest's programs end with the guest
            sigset_t none;
            sigemptyset(&none);
            ::sigprocmask(SIG_SETMASK, &none, nullptr);
            ::execve(arguments[0], arguments.data(), const_cast<char* const*>(environment.data()));
            ::_exit(127);
        }
        ::fcntl(child.fd.get(), F_SETFD, FD_CLOEXEC);
        return child;
    }

    void relay(ssh_session session, ssh_channel channel, Child& child) {
        std::array<char, 16384> chunk;
        bool input = true;
        for (;;) {
            std::array<pollfd, 3> fds{
                {{ssh_get_fd(session), POLLIN, 0}, {child.fd.get(), POLLIN, 0}, {stop_.get(), POLLIN, 0}}};
            ::poll(fds.data(), fds.size(), -1);
            if (fds[2].revents != 0) {
                break;
            }
            if (fds[1].revents != 0) {
                const ssize_t got = ::read(child.fd.get(), chunk.data(), chunk.size());
                if (got <= 0) {
                    end(channel, child);
                    return;
                }
                ssh_channel_write(channel, chunk.data(), static_cast<std::uint32_t>(got));
            }
            for (;;) {
                const int got = ssh_channel_read_nonblocking(channel, chunk.data(), chunk.size(), 0);
                if (got <= 0) {
                    break;
                }
                write_all(child.fd.get(), {chunk.data(), static_cast<std::size_t>(got)});
            }
            if (input && ssh_channel_is_eof(channel) != 0) {
                input = false;
                ::shutdown(child.fd.get(), SHUT_WR);
            }
            if (ssh_is_connected(session) == 0 || ssh_channel_is_closed(channel) != 0) {
                break;
            }
        }
        ::kill(child.pid, SIGKILL);
        ::waitpid(child.pid, nullptr, 0);
    }

    static void end(ssh_channel channel, const Child& child) {
        int status = 0;
        ::waitpid(child.pid, &status, 0);
        ssh_channel_send_eof(channel);
        ssh_channel_request_send_exit_status(channel, WIFEXITED(status) ? WEXITSTATUS(status) : 255);
        ssh_channel_close(channel);
    }

    Options options_;
    UniqueFd stop_;
    UniqueFd listener_;
    int port_ = 0;
    ssh_key key_ = nullptr;
    std::atomic<int> connections_{0};
    std::vector<UniqueFd> ignored_;
    std::vector<std::thread> servers_;
    mutable std::mutex mutex_;
    std::vector<int> open_;
    std::string negotiated_;
    std::thread acceptor_;
};

}  // namespace vt

// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/io/socket.hpp"
#include "runner/session/ssh_connect.hpp"
#include "runner/support/log.hpp"

#include <cerrno>
#include <memory>
#include <string>

#include <fcntl.h>
#include <fmt/format.h>
#include <libssh/libssh.h>
#include <poll.h>
#include <sys/socket.h>

namespace vt {
namespace {

/// More questions than this are no login.
constexpr int most_questions = 32;

template <typename Value>
void set_option(ssh_session session, ssh_options_e option, const Value& value) {
    if (ssh_options_set(session, option, value) != SSH_OK) {
        throw LoginImpossibleError("libssh refuses an option", ssh_get_error(session));
    }
}

void set_target(ssh_session session, const SshTarget& target) {
    const auto port = static_cast<unsigned int>(target.port);
    if (ssh_options_set(session, SSH_OPTIONS_HOST, target.host.c_str()) != SSH_OK) {
        throw LoginImpossibleError(fmt::format("libssh takes no such host name: '{}'", target.host));
    }
    if (ssh_options_set(session, SSH_OPTIONS_USER, target.username.c_str()) != SSH_OK) {
        throw LoginImpossibleError(
            target.username.empty() ? "there is no user name to log in with"
                                    : fmt::format("libssh takes no such user name: '{}'", target.username));
    }
    set_option(session, SSH_OPTIONS_PORT, &port);
}

/// The guest mostly computes under emulation, so what is cheap for it comes first: what an OpenSSH client
/// picks, but for its key exchange against quantum computers. What libssh does not know it leaves out.
void set_algorithms(ssh_session session) {
    const char* ciphers =
        "chacha20-poly1305@openssh.com,aes128-gcm@openssh.com,aes256-gcm@openssh.com,aes128-ctr,aes192-ctr,"
        "aes256-ctr,aes128-cbc,aes192-cbc,aes256-cbc";
    const char* exchanges =
        "curve25519-sha256,curve25519-sha256@libssh.org,ecdh-sha2-nistp256,ecdh-sha2-nistp384,"
        "ecdh-sha2-nistp521,diffie-hellman-group-exchange-sha256,diffie-hellman-group14-sha256,"
        "diffie-hellman-group16-sha512,diffie-hellman-group18-sha512,diffie-hellman-group14-sha1";
    set_option(session, SSH_OPTIONS_CIPHERS_C_S, ciphers);
    set_option(session, SSH_OPTIONS_CIPHERS_S_C, ciphers);
    set_option(session, SSH_OPTIONS_KEY_EXCHANGE, exchanges);
}

/// The server and libssh have no method in common.
bool nothing_in_common(const std::string& error) {
    return error.find("no match for method") != std::string::npos;
}

}  // namespace

void check_target(const SshTarget& target) {
    const std::unique_ptr<ssh_session_struct, decltype(&ssh_free)> session(ssh_new(), ssh_free);
    if (!session) {
        throw LoginError("libssh cannot make a session: out of memory");
    }
    set_target(session.get(), target);
}

SshConnection::SshConnection(UniqueFd socket, const SshTarget& target, const Deadline& deadline)
    : fd_(std::move(socket)),
      peer_(fmt::format("{}:{}", target.host, target.port)),
      interrupt_(target.interrupt),
      session_(ssh_new()) {
    if (session_ == nullptr) {
        throw LoginError("libssh cannot make a session: out of memory");
    }
    try {
        exchange_keys(target, deadline);
        authenticate(target, deadline);
    } catch (...) {
        ssh_free(session_);
        throw;
    }
}

SshConnection::~SshConnection() {
    ssh_disconnect(session_);
    ssh_free(session_);
}

std::string SshConnection::error_text() const {
    return ssh_get_error(session_);
}

void SshConnection::shut_down() const {
    ::shutdown(fd_.get(), SHUT_RDWR);
}

int SshConnection::complete(const std::function<int()>& step, int again, const std::string& what,
                            const Deadline& deadline) {
    for (;;) {
        const int rc = step();
        if (rc != again) {
            return rc;
        }
        const bool writing = (ssh_get_poll_flags(session_) & SSH_WRITE_PENDING) != 0;
        const auto events = static_cast<short>(POLLIN | (writing ? POLLOUT : 0));
        try {
            if (!wait_ready(fd_.get(), events, deadline, interrupt_.get())) {
                throw LoginTimeoutError(fmt::format("awaiting {} of {}", what, peer_));
            }
        } catch (const InterruptedError& error) {
            throw LoginError(error.what());
        }
    }
}

void SshConnection::exchange_keys(const SshTarget& target, const Deadline& deadline) {
    const bool no = false;
    const int on = 1;
    set_option(session_, SSH_OPTIONS_PROCESS_CONFIG, &no);
    set_target(session_, target);
    set_algorithms(session_);
    set_option(session_, SSH_OPTIONS_KNOWNHOSTS, "/dev/null");
    set_option(session_, SSH_OPTIONS_GLOBAL_KNOWNHOSTS, "/dev/null");
    set_option(session_, SSH_OPTIONS_NODELAY, &on);
    // libssh closes the descriptor that it is given.
    socket_t duplicate = ::fcntl(fd_.get(), F_DUPFD_CLOEXEC, 0);
    if (duplicate < 0) {
        throw LoginError("cannot duplicate a socket: " + errno_text(errno));
    }
    set_option(session_, SSH_OPTIONS_FD, &duplicate);
    ssh_set_blocking(session_, 0);
    if (complete([this] { return ssh_connect(session_); }, SSH_AGAIN, "the SSH key exchange", deadline) !=
        SSH_OK) {
        if (nothing_in_common(error_text())) {
            throw LoginImpossibleError(
                fmt::format("{} offers nothing that libssh can do ({})", peer_, error_text()));
        }
        throw LoginError(fmt::format("the SSH connection to {} failed", peer_), error_text());
    }
}

void SshConnection::authenticate(const SshTarget& target, const Deadline& deadline) {
    const std::string what = "SSH authentication";
    int rc =
        complete([this] { return ssh_userauth_none(session_, nullptr); }, SSH_AUTH_AGAIN, what, deadline);
    const int methods = ssh_userauth_list(session_, nullptr);
    if (rc != SSH_AUTH_SUCCESS && rc != SSH_AUTH_ERROR && (methods & SSH_AUTH_METHOD_PASSWORD) != 0) {
        rc = complete([&] { return ssh_userauth_password(session_, nullptr, target.password.c_str()); },
                      SSH_AUTH_AGAIN, what, deadline);
    }
    if (rc != SSH_AUTH_SUCCESS && rc != SSH_AUTH_ERROR && (methods & SSH_AUTH_METHOD_INTERACTIVE) != 0) {
        rc = answer_questions(target, deadline);
    }
    if (rc == SSH_AUTH_SUCCESS) {
        return;
    }
    if (rc == SSH_AUTH_ERROR || ssh_is_connected(session_) == 0) {
        throw LoginError(fmt::format("the SSH connection to {} failed during authentication", peer_),
                         error_text());
    }
    const bool by_password = (methods & (SSH_AUTH_METHOD_PASSWORD | SSH_AUTH_METHOD_INTERACTIVE)) != 0;
    throw LoginAuthenticationError(
        by_password ? fmt::format("{} refuses the password of user '{}'", peer_, target.username)
                    : fmt::format("{} takes no passwords of user '{}'; allow password login in the guest",
                                  peer_, target.username),
        error_text());
}

int SshConnection::answer_questions(const SshTarget& target, const Deadline& deadline) {
    int asked = 0;
    for (;;) {
        const int rc = complete([this] { return ssh_userauth_kbdint(session_, nullptr, nullptr); },
                                SSH_AUTH_AGAIN, "SSH authentication", deadline);
        if (rc != SSH_AUTH_INFO) {
            return rc;
        }
        const int questions = ssh_userauth_kbdint_getnprompts(session_);
        asked += questions + 1;
        if (asked > most_questions) {
            throw LoginError(fmt::format("{} does not stop asking questions", peer_));
        }
        for (int i = 0; i < questions; ++i) {
            char echo = 0;
            ssh_userauth_kbdint_getprompt(session_, static_cast<unsigned int>(i), &echo);
            const auto& answer = echo != 0 ? target.username : target.password;
            if (ssh_userauth_kbdint_setanswer(session_, static_cast<unsigned int>(i), answer.c_str()) < 0) {
                return SSH_AUTH_ERROR;
            }
        }
    }
}

}  // namespace vt

// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/harness/driver/tls.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <mutex>
#include <utility>

#include <arpa/inet.h>
#include <fmt/core.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>

namespace vt::driver {
namespace {

/// What OpenSSL has to say of the last failure; empties its queue.
std::string reason() {
    std::string text;
    for (unsigned long code = ERR_get_error(); code != 0; code = ERR_get_error()) {
        const char* words = ERR_reason_error_string(code);
        // The first is the cause, what follows is who was told of it.
        if (text.empty()) {
            text = words != nullptr ? words : fmt::format("OpenSSL error {:x}", code);
        }
    }
    return text.empty() ? "no reason given" : text;
}

/// The socket below a session. OpenSSL's own BIO would raise SIGPIPE.
struct Wire {
    int fd = -1;
    bool ended = false;
    int error = 0;
};

Wire& wire_of(BIO* bio) {
    return *static_cast<Wire*>(BIO_get_data(bio));
}

int read_wire(BIO* bio, char* into, int size) {
    Wire& wire = wire_of(bio);
    BIO_clear_retry_flags(bio);
    const ssize_t got = ::recv(wire.fd, into, static_cast<std::size_t>(size), MSG_DONTWAIT);
    if (got >= 0) {
        wire.ended = got == 0;
        return static_cast<int>(got);
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) {
        BIO_set_retry_read(bio);
    } else {
        wire.error = errno;
    }
    return -1;
}

int write_wire(BIO* bio, const char* bytes, int size) {
    Wire& wire = wire_of(bio);
    BIO_clear_retry_flags(bio);
    const ssize_t sent = ::send(wire.fd, bytes, static_cast<std::size_t>(size), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0) {
        return static_cast<int>(sent);
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) {
        BIO_set_retry_write(bio);
    } else {
        wire.error = errno;
    }
    return -1;
}

long control_wire(BIO* bio, int command, long /*number*/, void* /*data*/) {
    switch (command) {
        case BIO_CTRL_FLUSH:
            return 1;
        case BIO_CTRL_EOF:
            return wire_of(bio).ended ? 1 : 0;
        default:
            return 0;
    }
}

const BIO_METHOD* wire_method() {
    static const std::unique_ptr<BIO_METHOD, decltype(&BIO_meth_free)> method = [] {
        std::unique_ptr<BIO_METHOD, decltype(&BIO_meth_free)> made(
            BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "vt socket"), &BIO_meth_free);
        BIO_meth_set_read(made.get(), read_wire);
        BIO_meth_set_write(made.get(), write_wire);
        BIO_meth_set_ctrl(made.get(), control_wire);
        return made;
    }();
    return method.get();
}

bool is_address(const std::string& host) {
    std::array<unsigned char, sizeof(in6_addr)> room{};
    return ::inet_pton(AF_INET, host.c_str(), room.data()) == 1 ||
           ::inet_pton(AF_INET6, host.c_str(), room.data()) == 1;
}

}  // namespace

struct TlsContext::Impl {
    std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context{nullptr, &SSL_CTX_free};
    bool is_server = false;
    std::string who;
    std::string server_name;

    Impl(const TlsOptions& options, bool server, std::string name)
        : context(SSL_CTX_new(server ? TLS_server_method() : TLS_client_method()), &SSL_CTX_free),
          is_server(server),
          who(std::move(name)),
          server_name(options.server_name) {
        if (!context) {
            throw TlsError(fmt::format("{}: TLS cannot be set up: {}", who, reason()));
        }
        SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
        // A peer that goes without a word is an end here, as it is without TLS; messages that are not whole
        // are noticed by their lengths.
        SSL_CTX_set_options(context.get(), SSL_OP_IGNORE_UNEXPECTED_EOF);
        SSL_CTX_set_mode(context.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                            SSL_MODE_AUTO_RETRY);
        take_certificate(options);
        take_ca(options);
    }

    [[noreturn]] void refuse(const char* what, const std::filesystem::path& file) const {
        const std::string why = reason();
        throw TlsError(fmt::format("{}: {} {} cannot be used: {}; a file in PEM format is wanted", who, what,
                                   file.string(), why));
    }

    void take_certificate(const TlsOptions& options) const {
        if (options.certificate.empty()) {
            if (is_server) {
                throw TlsError(who + ": a server with TLS needs a certificate");
            }
            return;
        }
        const auto& key = options.key.empty() ? options.certificate : options.key;
        if (SSL_CTX_use_certificate_chain_file(context.get(), options.certificate.c_str()) != 1) {
            refuse("the certificate", options.certificate);
        }
        if (SSL_CTX_use_PrivateKey_file(context.get(), key.c_str(), SSL_FILETYPE_PEM) != 1) {
            refuse("the key", key);
        }
    }

    void take_ca(const TlsOptions& options) const {
        if (!options.ca.empty()) {
            if (SSL_CTX_load_verify_locations(context.get(), options.ca.c_str(), nullptr) != 1) {
                refuse("the CA's certificate", options.ca);
            }
            if (is_server) {
                SSL_CTX_set_client_CA_list(context.get(), SSL_load_client_CA_file(options.ca.c_str()));
            }
        } else if (!is_server) {
            SSL_CTX_set_default_verify_paths(context.get());
        }
        if (!is_server || !options.ca.empty()) {
            SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
        }
    }
};

TlsContext::TlsContext(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TlsContext::~TlsContext() = default;

std::shared_ptr<const TlsContext> TlsContext::server(const TlsOptions& options, const std::string& who) {
    return std::shared_ptr<const TlsContext>(new TlsContext(std::make_unique<Impl>(options, true, who)));
}

std::shared_ptr<const TlsContext> TlsContext::client(const TlsOptions& options, const std::string& who) {
    return std::shared_ptr<const TlsContext>(new TlsContext(std::make_unique<Impl>(options, false, who)));
}

struct TlsSession::Impl {
    std::shared_ptr<const TlsContext> context;
    Wire wire;
    std::unique_ptr<SSL, decltype(&SSL_free)> ssl{nullptr, &SSL_free};
    mutable std::mutex mutex;

    const std::string& who() const { return context->impl_->who; }

    void expect(const std::string& name) const {
        X509_VERIFY_PARAM* param = SSL_get0_param(ssl.get());
        if (is_address(name)) {
            X509_VERIFY_PARAM_set1_ip_asc(param, name.c_str());
        } else {
            SSL_set_tlsext_host_name(ssl.get(), name.c_str());
            SSL_set1_host(ssl.get(), name.c_str());
        }
    }

    std::string why_not() const {
        const std::string told = reason();
        const long verdict = SSL_get_verify_result(ssl.get());
        if (verdict != X509_V_OK) {
            return fmt::format(
                "the {}'s certificate is not accepted: {}; the option ca names the file of "
                "whom one trusts",
                context->impl_->is_server ? "client" : "server", X509_verify_cert_error_string(verdict));
        }
        if (wire.error != 0 || wire.ended) {
            return "the peer has closed the connection";
        }
        if (told.find("wrong version number") != std::string::npos ||
            told.find("http request") != std::string::npos) {
            return told + "; does the peer speak TLS?";
        }
        return told;
    }

    /// What a call's result \p rc means. \p what is for the error's text.
    Step step(int rc, const char* what) {
        switch (SSL_get_error(ssl.get(), rc)) {
            case SSL_ERROR_NONE:
                return {rc, 0};
            case SSL_ERROR_WANT_READ:
                return {-1, POLLIN};
            case SSL_ERROR_WANT_WRITE:
                return {-1, POLLOUT};
            case SSL_ERROR_ZERO_RETURN:
                return {0, 0};
            default:
                throw TlsError(fmt::format("{}: {}: {}", who(), what, why_not()));
        }
    }
};

TlsSession::TlsSession(std::shared_ptr<const TlsContext> context, int fd, const std::string& host)
    : impl_(std::make_unique<Impl>()) {
    impl_->context = std::move(context);
    impl_->wire.fd = fd;
    const auto& shared = *impl_->context->impl_;
    impl_->ssl.reset(SSL_new(shared.context.get()));
    BIO* bio = impl_->ssl ? BIO_new(wire_method()) : nullptr;
    if (bio == nullptr) {
        throw TlsError(fmt::format("{}: a TLS session cannot be made: {}", shared.who, reason()));
    }
    BIO_set_data(bio, &impl_->wire);
    BIO_set_init(bio, 1);
    SSL_set_bio(impl_->ssl.get(), bio, bio);
    if (shared.is_server) {
        SSL_set_accept_state(impl_->ssl.get());
    } else {
        impl_->expect(shared.server_name.empty() ? host : shared.server_name);
        SSL_set_connect_state(impl_->ssl.get());
    }
}

TlsSession::~TlsSession() = default;

TlsSession::Step TlsSession::handshake() {
    const std::lock_guard lock(impl_->mutex);
    ERR_clear_error();
    const Step step = impl_->step(SSL_do_handshake(impl_->ssl.get()), "the TLS handshake failed");
    if (step.bytes == 0) {
        throw TlsError(impl_->who() + ": the TLS handshake failed: the peer has closed the connection");
    }
    return step.bytes > 0 ? Step{0, 0} : step;
}

TlsSession::Step TlsSession::read(char* into, std::size_t size) {
    const std::lock_guard lock(impl_->mutex);
    ERR_clear_error();
    const int rc = SSL_read(impl_->ssl.get(), into, static_cast<int>(std::min<std::size_t>(size, 1U << 30U)));
    if (rc <= 0 && impl_->wire.error == ECONNRESET) {
        return {0, 0};
    }
    return impl_->step(rc, "receive by TLS");
}

TlsSession::Step TlsSession::write(std::string_view bytes) {
    const std::lock_guard lock(impl_->mutex);
    ERR_clear_error();
    const int rc = SSL_write(impl_->ssl.get(), bytes.data(),
                             static_cast<int>(std::min<std::size_t>(bytes.size(), 1U << 30U)));
    if (rc <= 0 && impl_->wire.error != 0) {
        throw SystemError("send by TLS", impl_->wire.error);
    }
    return impl_->step(rc, "send by TLS");
}

void TlsSession::close() {
    const std::lock_guard lock(impl_->mutex);
    if (SSL_is_init_finished(impl_->ssl.get()) == 1) {
        SSL_shutdown(impl_->ssl.get());
    }
    ERR_clear_error();
}

std::string TlsSession::description() const {
    const std::lock_guard lock(impl_->mutex);
    return fmt::format("{}, {}", SSL_get_version(impl_->ssl.get()), SSL_get_cipher_name(impl_->ssl.get()));
}

}  // namespace vt::driver

// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// TLS for the TCP endpoints, by OpenSSL.
///
/// OpenSSL is used without a stream class in between (Asio has one), because a message is sent and received
/// by the thread that asks for it, on a socket that does not block: a session only says whether it wants to
/// read or to write before it can go on, and its owner waits for that with its own Deadline. What is ugly: a
/// session is one state for both directions, so calls take turns, and reading may have to wait for writing.
#pragma once

#include "runner/support/error.hpp"

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace vt::driver {

/// A handshake failed, or a certificate, key or CA file is no good; what() says whose and why.
class TlsError : public Error {
  public:
    using Error::Error;
};

/// Files are in PEM format.
struct TlsOptions {
    /// Its own, followed by those between it and its CA. A server needs one; see make_certificate().
    std::filesystem::path certificate;
    std::filesystem::path key;  ///< empty: in the certificate's file
    /// Who signed the other end's certificate. For a server: clients have to show one. For a client: empty
    /// means what the system trusts.
    std::filesystem::path ca;
    std::string server_name;  ///< for a client: whom the certificate has to name; empty: the server's host
};

/// Makes certificate.pem, signed by itself, and key.pem in \p directory (modes 0600), for a week, for
/// localhost, its addresses and \p hosts. Who trusts it takes certificate.pem as CA. Throws TlsError,
/// SystemError.
TlsOptions make_certificate(const std::filesystem::path& directory, const std::vector<std::string>& hosts);

/// What the connections of an endpoint share. Immutable, safe from several threads.
class TlsContext {
  public:
    /// \p who begins the texts of errors. Throws TlsError naming the file that is no good.
    static std::shared_ptr<const TlsContext> server(const TlsOptions& options, const std::string& who);
    static std::shared_ptr<const TlsContext> client(const TlsOptions& options, const std::string& who);
    ~TlsContext();
    TlsContext(const TlsContext&) = delete;
    TlsContext& operator=(const TlsContext&) = delete;

  private:
    friend class TlsSession;
    struct Impl;
    explicit TlsContext(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

/// TLS on one connected socket that does not block. Every call is safe from several threads.
class TlsSession {
  public:
    /// How far a call came.
    struct Step {
        ssize_t bytes;   ///< 0 when reading: the peer's end; -1: not yet
        short wait_for;  ///< then, what poll(2) has to report before the next attempt
    };

    /// \p fd must outlive it. For a client \p host is whom the server's certificate has to name, unless
    /// TlsOptions::server_name says so.
    TlsSession(std::shared_ptr<const TlsContext> context, int fd, const std::string& host = {});
    ~TlsSession();
    TlsSession(const TlsSession&) = delete;
    TlsSession& operator=(const TlsSession&) = delete;

    /// Goes on with the handshake; bytes is 0 once it is done. Throws TlsError.
    Step handshake();
    /// Throws TlsError. A connection that was cut off counts as ended.
    Step read(char* into, std::size_t size);
    /// Throws TlsError, SystemError (EPIPE, ECONNRESET).
    Step write(std::string_view bytes);
    /// Tells the peer of the end, as far as that goes without waiting.
    void close();
    /// "TLSv1.3, TLS_AES_256_GCM_SHA384".
    std::string description() const;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace vt::driver

// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/harness/driver/tls.hpp"
#include "runner/support/unique_fd.hpp"

#include <cerrno>
#include <cstdio>
#include <memory>
#include <set>

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

namespace vt::driver {
namespace {

constexpr long lifetime = 7L * 24 * 3600;
/// Clocks of guests and hosts differ.
constexpr long earlier = 24L * 3600;

void demand(bool done, const char* what) {
    if (!done) {
        throw TlsError(fmt::format("OpenSSL cannot {} for a certificate of one's own", what));
    }
}

using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;

void extend(X509* certificate, int kind, const std::string& value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
    const std::unique_ptr<X509_EXTENSION, decltype(&X509_EXTENSION_free)> extension(
        X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str()), &X509_EXTENSION_free);
    demand(extension && X509_add_ext(certificate, extension.get(), -1) == 1, "add an extension");
}

/// "DNS:localhost, IP:127.0.0.1, …". Names that hold what separates them are refused.
std::string names_of(const std::vector<std::string>& hosts) {
    std::set<std::string> all{"IP:127.0.0.1", "IP:::1", "DNS:localhost"};
    for (const std::string& host : hosts) {
        unsigned char room[sizeof(in6_addr)];
        const bool address =
            ::inet_pton(AF_INET, host.c_str(), room) == 1 || ::inet_pton(AF_INET6, host.c_str(), room) == 1;
        if (host.empty() || host == "0.0.0.0" || host == "::") {
            continue;
        }
        if (host.find_first_of(",:; \t\n") != std::string::npos && !address) {
            throw TlsError(fmt::format("'{}' is no host that a certificate could name", host));
        }
        all.insert((address ? "IP:" : "DNS:") + host);
    }
    std::string text;
    for (const std::string& name : all) {
        text += (text.empty() ? "" : ",") + name;
    }
    return text;
}

Certificate certificate_for(EVP_PKEY* key, const std::vector<std::string>& hosts) {
    Certificate made(X509_new(), &X509_free);
    demand(made != nullptr, "make room");
    X509_set_version(made.get(), X509_VERSION_3);
    // Self-made ones of one name are told apart by their numbers.
    std::uint64_t number = 0;
    demand(RAND_bytes(reinterpret_cast<unsigned char*>(&number), sizeof number) == 1, "make a number");
    ASN1_INTEGER_set_uint64(X509_get_serialNumber(made.get()), number >> 1U);
    X509_gmtime_adj(X509_getm_notBefore(made.get()), -earlier);
    X509_gmtime_adj(X509_getm_notAfter(made.get()), lifetime);
    X509_set_pubkey(made.get(), key);
    X509_NAME* name = X509_get_subject_name(made.get());
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>("avocado-runner-vt"), -1, -1, 0);
    X509_set_issuer_name(made.get(), name);
    extend(made.get(), NID_basic_constraints, "critical,CA:TRUE");
    extend(made.get(), NID_subject_alt_name, names_of(hosts));
    demand(X509_sign(made.get(), key, EVP_sha256()) != 0, "sign");
    return made;
}

template <typename Write>
void write_pem(const std::filesystem::path& path, const Write& write) {
    std::error_code ignored;
    std::filesystem::remove(path, ignored);
    UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!fd) {
        throw SystemError("make " + path.string(), errno);
    }
    const std::unique_ptr<std::FILE, decltype(&std::fclose)> file(::fdopen(fd.get(), "w"), &std::fclose);
    if (!file) {
        throw SystemError("write " + path.string(), errno);
    }
    static_cast<void>(fd.release());
    if (write(file.get()) != 1 || std::fflush(file.get()) != 0) {
        throw SystemError("write " + path.string(), errno);
    }
}

}  // namespace

TlsOptions make_certificate(const std::filesystem::path& directory, const std::vector<std::string>& hosts) {
    const Key key(EVP_EC_gen("P-256"), &EVP_PKEY_free);
    demand(key != nullptr, "make a key");
    const Certificate certificate = certificate_for(key.get(), hosts);
    if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) {
        throw SystemError("make the directory " + directory.string(), errno);
    }
    TlsOptions options;
    options.certificate = directory / "certificate.pem";
    options.key = directory / "key.pem";
    write_pem(options.key, [&](std::FILE* file) {
        return PEM_write_PrivateKey(file, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
    });
    write_pem(options.certificate, [&](std::FILE* file) { return PEM_write_X509(file, certificate.get()); });
    return options;
}

}  // namespace vt::driver

// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/guest_build/guest_image.hpp"
#include "runner/guest_build/guest_module/libraries.hpp"
#include "runner/support/unique_fd.hpp"

#include <array>
#include <cerrno>
#include <memory>
#include <vector>

#include <crypt.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <openssl/evp.h>

namespace vt::bootstrap::module {
namespace {

namespace fs = std::filesystem;

/// SHA-256, or another of OpenSSL's.
class Digest {
  public:
    explicit Digest(const EVP_MD* algorithm = EVP_sha256()) : context_(EVP_MD_CTX_new(), EVP_MD_CTX_free) {
        if (!context_ || EVP_DigestInit_ex(context_.get(), algorithm, nullptr) != 1) {
            throw Error("OpenSSL cannot compute the digest");
        }
    }

    void add(std::string_view data) { EVP_DigestUpdate(context_.get(), data.data(), data.size()); }

    std::string hex() {
        std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
        unsigned size = 0;
        EVP_DigestFinal_ex(context_.get(), digest.data(), &size);
        std::string text;
        for (unsigned i = 0; i < size; ++i) {
            text += fmt::format("{:02x}", digest[i]);
        }
        return text;
    }

  private:
    std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
};

}  // namespace

std::string sha256_text(std::string_view data) {
    Digest sum;
    sum.add(data);
    return sum.hex();
}

namespace {

std::string digest_of(const fs::path& path, const EVP_MD* algorithm) {
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd) {
        throw SystemError("cannot open " + path.string(), errno);
    }
    Digest sum(algorithm);
    std::vector<char> buffer(std::size_t{1} << 20);
    for (;;) {
        const auto count = ::read(fd.get(), buffer.data(), buffer.size());
        if (count == 0) {
            return sum.hex();
        }
        if (count < 0 && errno != EINTR) {
            throw SystemError("cannot read " + path.string(), errno);
        }
        if (count > 0) {
            sum.add({buffer.data(), static_cast<std::size_t>(count)});
        }
    }
}

}  // namespace

std::string sha256_file(const fs::path& path) {
    return digest_of(path, EVP_sha256());
}

std::string file_digest(const std::string& algorithm, const fs::path& path) {
    const EVP_MD* known = algorithm == "sha1"     ? EVP_sha1()
                          : algorithm == "sha256" ? EVP_sha256()
                          : algorithm == "sha512" ? EVP_sha512()
                                                  : nullptr;
    if (known == nullptr) {
        throw GuestImageError(
            fmt::format("there is no digest {} here, only sha1, sha256, sha512", algorithm));
    }
    return digest_of(path, known);
}

std::string hash_password(const std::string& password) {
    const char* salt = ::crypt_gensalt("$6$", 0, nullptr, 0);
    auto data = std::make_unique<crypt_data>();
    // Not crypt_r(): AddressSanitizer takes that over, and does not find the original in a module opened
    // later.
    const char* hash =
        salt != nullptr ? ::crypt_rn(password.c_str(), salt, data.get(), sizeof *data) : nullptr;
    if (hash == nullptr || *hash != '$') {
        throw GuestImageError("libcrypt cannot hash the guest's password with SHA-512");
    }
    return hash;
}

}  // namespace vt::bootstrap::module

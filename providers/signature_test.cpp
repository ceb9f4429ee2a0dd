// SPDX-License-Identifier: GPL-2.0-or-later
#include "providers/signature.hpp"

#include <string>

#include <doctest/doctest.h>

using namespace vt::providers;

TEST_CASE("armor comes off, whatever surrounds it") {
    CHECK(dearmored(std::string("\x99\x01raw", 5)) == std::string("\x99\x01raw", 5));
    const std::string block =
        "-----BEGIN PGP PUBLIC KEY BLOCK-----\r\nVersion: x\r\nComment: "
        "y\r\n\r\naGVsbG8g\r\nd29ybGQ=\r\n=AbCd\r\n"
        "-----END PGP PUBLIC KEY BLOCK-----\r\n";
    CHECK(dearmored("a note\n" + block) == "hello world");
    CHECK(dearmored(block + block) == "hello worldhello world");
    CHECK(dearmored("-----BEGIN PGP PUBLIC KEY BLOCK-----\naGVsbG8=\n-----END PGP PUBLIC KEY BLOCK-----") ==
          "hello");
    CHECK_THROWS_AS(dearmored("-----BEGIN PGP PUBLIC KEY BLOCK-----\n\naGVs"), GitError);
}

TEST_CASE("only a good signature by a valid key, and no bad one beside it, has a signer") {
    const SignedObject object{"tag v1", "", ""};
    const std::string good =
        "[GNUPG:] NEWSIG\n[GNUPG:] GOODSIG 0123 Alice A. <a@example.org>\n"
        "[GNUPG:] VALIDSIG ABCD 2026-01-01 1 0 4 0 22 8 00 ABCD\n";
    CHECK(signer_from_status(good, object) == "ABCD (Alice A. <a@example.org>)");
    for (const char* line : {"BADSIG 0123 Alice", "ERRSIG 0123 22 8 00 1 9", "EXPSIG 0123 Alice",
                             "EXPKEYSIG 0123 Alice", "REVKEYSIG 0123 Alice", "NODATA 4"}) {
        CAPTURE(line);
        CHECK_THROWS_AS(signer_from_status(good + "[GNUPG:] " + line + "\n", object), GitRefusedError);
        CHECK_THROWS_AS(signer_from_status("[GNUPG:] " + std::string(line) + "\n" + good, object),
                        GitRefusedError);
    }
    CHECK_THROWS_AS(signer_from_status("", object), GitRefusedError);
    CHECK_THROWS_AS(signer_from_status("GOODSIG 0123 Alice\nVALIDSIG ABCD\n", object), GitRefusedError);
    CHECK_THROWS_AS(signer_from_status("[GNUPG:] VALIDSIG ABCD\n", object), GitRefusedError);
}

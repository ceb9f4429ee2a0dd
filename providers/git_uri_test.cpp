// SPDX-License-Identifier: GPL-2.0-or-later
#include "providers/git_uri.hpp"

#include "providers/provider.hpp"

#include <string>

#include <doctest/doctest.h>

using namespace vt::providers;

TEST_CASE("git's transports and absolute paths are taken") {
    for (const char* uri :
         {"https://example.org/t.git", "http://example.org:8080/t", "git://example.org/t.git",
          "ssh://git@example.org:2222/t.git", "git@example.org:group/t.git", "host:t.git", "/srv/git/t.git",
          "/srv/my tests/t.git"}) {
        CHECK(checked_git_uri(uri) == uri);
    }
}

TEST_CASE("what runs commands, options in disguise, relative paths and unknown schemes are refused") {
    for (const char* uri :
         {"ext::sh -c id", "fd::3", "transport::address", "a::b", "ftp://example.org/t", "https://-oProxy/t",
          "-oProxyCommand=id:x", "user@-oProxyCommand=id:x", "relative/path", "./x", "ssh:///t", "://x",
          "https://example.org/a b", "https://example.org/a\nb", "/srv/a\nb", "c:", "", "x"}) {
        CAPTURE(uri);
        CHECK_THROWS_AS(checked_git_uri(uri), ProviderError);
    }
}

TEST_CASE("no secret is shown") {
    CHECK(uri_for_messages("https://me:pass@example.org/t") == "https://example.org/t");
    CHECK(uri_for_messages("https://token123@example.org/t") == "https://example.org/t");
    CHECK(uri_for_messages("https://me:p@ss@example.org/t") == "https://example.org/t");
    CHECK(uri_for_messages("ssh://git:pass@example.org/t") == "ssh://git@example.org/t");
    CHECK(uri_for_messages("ssh://git@example.org/t") == "ssh://git@example.org/t");
    CHECK(uri_for_messages("https://example.org/a@b") == "https://example.org/a@b");
    CHECK(without_secrets("cannot open https://me:pass@example.org/t: pass is wrong",
                          "https://me:pass@example.org/t") ==
          "cannot open https://example.org/t: *** is wrong");
    CHECK(without_secrets("plain", "/srv/t") == "plain");
    try {
        checked_git_uri("ftp://me:pass@example.org/t");
        FAIL("took ftp");
    } catch (const ProviderError& error) {
        CHECK(std::string(error.what()).find("pass") == std::string::npos);
    }
}

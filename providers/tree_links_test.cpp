// SPDX-License-Identifier: GPL-2.0-or-later
#include "providers/tree_links.hpp"

#include <doctest/doctest.h>

using namespace vt::providers;

TEST_CASE("links inside the tree stay in it") {
    TreeLinks links = {{"generic/deps/stress", "../../deps/stress"},
                       {"a/b", "c"},
                       {"top", "."},
                       {"loop", "loop"},
                       {"one", "two"},
                       {"two", "one/x"},
                       {"dangling", "nowhere/at/all"}};
    for (const auto& link : links) {
        CAPTURE(link.first);
        CHECK_FALSE(leads_out(links, link.first));
    }
}

TEST_CASE("absolute links, and those that climb out, do not, not even through other links") {
    TreeLinks links = {{"absolute", "/etc/passwd"},
                       {"up", ".."},
                       {"a/up", "../../x"},
                       {"out/and/in", "../../../tree/x"},
                       {"here", "."},
                       {"through", "here/../x"},
                       {"via", "through/y"}};
    for (const auto& link : links) {
        CAPTURE(link.first);
        CHECK(leads_out(links, link.first) == (link.first != "here"));
    }
}

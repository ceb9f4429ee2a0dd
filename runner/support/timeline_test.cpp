// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/support/timeline.hpp"

#include <doctest/doctest.h>

namespace vt {

TEST_CASE("a timeline has a bar for each, in the colour of its end") {
    const std::string picture =
        timeline("a <title>", {{"server", "TCP", "stopped", TimelineBar::Outcome::good, 0, 2},
                               {"app \"x\"", "a & b\x01", "failed", TimelineBar::Outcome::bad, 1, 1.5}});
    CHECK(picture.find(">a &lt;title&gt;</text>") != std::string::npos);
    CHECK(picture.find("<title>app &quot;x&quot;: a &amp; b </title>") != std::string::npos);
    // The second begins in the middle of the longest and is a quarter of it.
    CHECK(picture.find(
              "<rect x=\"220.0\" y=\"63\" width=\"640.0\" height=\"18\" rx=\"2\" fill=\"#5cb85c\"/>") !=
          std::string::npos);
    CHECK(picture.find(
              "<rect x=\"540.0\" y=\"87\" width=\"160.0\" height=\"18\" rx=\"2\" fill=\"#d9534f\"/>") !=
          std::string::npos);
    CHECK(picture.find("stopped, 2.000 s") != std::string::npos);
    CHECK(timeline("nothing", {}).find("</svg>") != std::string::npos);
}

}  // namespace vt

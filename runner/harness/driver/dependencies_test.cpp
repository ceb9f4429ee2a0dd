// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/harness/driver/dependencies.hpp"

#include <stdexcept>

#include <doctest/doctest.h>

namespace vt::driver {
namespace {

using Keys = std::vector<Dependencies::Key>;

Dependencies letters(int count) {
    Dependencies graph;
    for (int i = 0; i < count; ++i) {
        graph.add(static_cast<Dependencies::Key>(i), std::string(1, static_cast<char>('a' + i)));
    }
    return graph;
}

}  // namespace

TEST_CASE("what others wait for comes first") {
    Dependencies graph = letters(4);
    graph.add_edge(2, 0);
    graph.add_edge(0, 1);
    CHECK(graph.ready() == Keys{2, 3});
    graph.begin(2);
    CHECK(graph.ready() == Keys{3});
    graph.finish(2);
    CHECK(graph.ready() == Keys{0, 3});
    graph.begin(0);
    graph.finish(0);
    graph.begin(1);
    graph.begin(3);
    graph.finish(3);
    graph.finish(1);
    CHECK(graph.empty());
    CHECK(graph.finished() == Keys{2, 0, 3, 1});
}

TEST_CASE("a circle is named along its way") {
    Dependencies graph = letters(4);
    graph.add_edge(0, 1);
    graph.add_edge(1, 2);
    CHECK(graph.circle().empty());
    graph.add_edge(2, 1);
    CHECK(graph.circle() == std::vector<std::string>{"b", "c", "b"});
}

TEST_CASE("reversed, the last is the first") {
    Dependencies graph = letters(3);
    graph.add_edge(0, 1);
    graph.add_edge(1, 2);
    const Dependencies back = graph.reversed();
    CHECK(back.ready() == Keys{2});
    CHECK(back.followers(1) == Keys{0});
}

TEST_CASE("after a failure only what has begun is left") {
    Dependencies graph = letters(3);
    graph.add_edge(0, 1);
    graph.begin(0);
    graph.begin(2);
    graph.drop_waiting();
    graph.give_up(0);
    CHECK(graph.members() == Keys{2});
    CHECK_THROWS_AS(graph.finish(1), std::out_of_range);
    graph.finish(2);
    CHECK(graph.empty());
    CHECK(graph.finished() == Keys{2});
}

}  // namespace vt::driver

// SPDX-License-Identifier: GPL-2.0-or-later
// A chain of five images is committed into its base, first its middle, then all of it while it is written to.
#include "runner/native/block_api.hpp"

#include <string>
#include <vector>

#include <fmt/format.h>

namespace {

constexpr std::uint64_t size = 16 * 1024 * 1024;
constexpr int images = 5;

}  // namespace

VT_BLOCK_TEST(test, block) {
    std::vector<std::filesystem::path> chain;
    for (int i = 0; i < images; ++i) {
        chain.push_back(
            block.create_image(fmt::format("image{}", i), size, {}, chain.empty() ? "" : chain.back()));
        // Each has a MiB of its own, and overwrites half of the one below.
        block.io(chain.back(), {fmt::format("write -P {} {}k 1M", i + 1, i * 512)});
    }
    auto vm = block.start();
    for (int i = 0; i < images; ++i) {
        vm.add_node(fmt::format("node{}", i), chain[i], {}, i == 0 ? "" : fmt::format("node{}", i - 1));
    }
    vm.add_disk("node4");
    vm.start_job("middle", "block-commit",
                 R"({"device": "node4", "top-node": "node3", "base-node": "node1"})");
    vm.run_job("middle");
    vm.start_job("all", "block-commit", R"({"device": "node4", "base-node": "node0"})");
    vm.await_ready("all");
    vm.io("node4", "write -P 77 8M 1M");
    vm.run_job("all");
    vm.quit();
    const auto base = chain.front();
    for (int i = 0; i < images; ++i) {
        block.io(base, {fmt::format("read -P {} {}k 512k", i + 1, i * 512)});
    }
    block.io(base, {fmt::format("read -P {} {}k 512k", images, images * 512), "read -P 77 8M 1M",
                    "read -P 0 4M 4M"});
    block.check(base);
}

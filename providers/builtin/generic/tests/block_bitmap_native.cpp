// SPDX-License-Identifier: GPL-2.0-or-later
// A bitmap over a backup: a full one, then one of what was written since, which together are what the source
// was.
#include "runner/native/block_api.hpp"

#include <string>

namespace {

constexpr std::uint64_t size = 32 * 1024 * 1024;

bool has_count(const std::string& nodes, const std::string& count) {
    return nodes.find("\"count\":" + count) != std::string::npos;
}

}  // namespace

VT_BLOCK_TEST(test, block) {
    const auto source = block.create_image("source", size);
    const auto full = block.create_image("full", size);
    const auto increment = block.create_image("increment", size, {}, full);
    block.io(source, {"write -P 1 0 32M"});
    auto vm = block.start();
    vm.add_node("source", source);
    vm.add_node("full", full);
    vm.add_disk("source");
    // The bitmap begins in the moment of the full backup.
    vm.qmp("transaction",
           R"({"actions": [
               {"type": "block-dirty-bitmap-add", "data": {"node": "source", "name": "since", "granularity": 65536}},
               {"type": "blockdev-backup",
                "data": {"job-id": "full", "device": "source", "target": "full", "sync": "full", "auto-dismiss": false}}]})");
    vm.io("source", "write -P 2 4M 1M");
    vm.run_job("full");
    vm.io("source", "write -P 3 20M 64k");
    if (const auto nodes = vm.qmp("query-named-block-nodes"); !has_count(nodes, "1114112")) {
        test.fail("the bitmap should count 1 MiB and 64 KiB as written: " + nodes);
    }
    vm.qmp("blockdev-del", R"({"node-name": "full"})");
    vm.add_node("full", full);
    vm.add_node("increment", increment, {}, "full");
    vm.start_job("increment", "blockdev-backup",
                 R"({"device": "source", "target": "increment", "sync": "incremental", "bitmap": "since"})");
    vm.run_job("increment");
    if (const auto nodes = vm.qmp("query-named-block-nodes"); !has_count(nodes, "0")) {
        test.fail("the bitmap should be empty after the backup: " + nodes);
    }
    vm.quit();
    // The full backup has the moment of its beginning, the chain of both that of the second one.
    block.io(full, {"read -P 1 0 32M"});
    block.io(increment, {"read -P 2 4M 1M", "read -P 3 20M 64k", "read -P 1 5M 15M"});
    if (!block.same_content(source, increment)) {
        test.fail("source and the chain of backups differ");
    }
}

// SPDX-License-Identifier: GPL-2.0-or-later
// A mirror under load is cut off from its power, and nothing that was flushed is lost; begun again, it ends
// with two equal images.
#include "runner/native/block_api.hpp"

#include <fmt/format.h>

namespace {

constexpr std::uint64_t mib = 1024 * 1024;
constexpr int size_mib = 48;
constexpr int flushed = 32;  // MiB that are written and flushed before the cut

std::string mirror(const std::string& speed) {
    return R"({"device": "source", "target": "target", "sync": "full")" + speed + "}";
}

vt::api::BlockVm machine(vt::api::BlockTest& block, const std::filesystem::path& source,
                         const std::filesystem::path& target) {
    auto vm = block.start();
    vm.add_node("source", source);
    vm.add_node("target", target);
    vm.add_disk("source");
    return vm;
}

}  // namespace

VT_BLOCK_TEST(test, block) {
    const auto source = block.create_image("source", size_mib * mib);
    const auto target = block.create_image("target", size_mib * mib);
    auto vm = machine(block, source, target);
    for (int at = 0; at < flushed; ++at) {
        vm.io("source", fmt::format("write -P {} {}M 1M", at + 1, at));
    }
    vm.io("source", "flush");
    // Slow enough to be cut off in the middle.
    vm.start_job("mirror", "blockdev-mirror", mirror(R"(, "speed": 4194304)"));
    vm.await_event("JOB_STATUS_CHANGE", R"({"id": "mirror", "status": "running"})");
    for (int at = flushed; at < size_mib; ++at) {
        vm.io("source", fmt::format("aio_write -P {} {}M 1M", at + 1, at));
    }
    vm.power_cut();
    test.log("The power was cut while the mirror ran.");
    block.check(source);
    block.check(target);
    for (int at = 0; at < flushed; ++at) {
        block.io(source, {fmt::format("read -P {} {}M 1M", at + 1, at)});
    }
    if (block.same_content(source, target)) {
        test.fail("the mirror was through before the power cut: it was not under load");
    }

    auto again = machine(block, source, target);
    again.start_job("mirror", "blockdev-mirror", mirror(""));
    again.await_ready("mirror");
    again.io("source", "write -P 99 1M 2M");  // followed by the mirror
    again.run_job("mirror");
    again.quit();
    if (!block.same_content(source, target)) {
        test.fail("the mirror is complete, but source and target differ");
    }
}

// SPDX-License-Identifier: GPL-2.0-or-later
// A machine of 60 devices: parameters to the model, the model to the command line, the stored model read
// again, two models compared. Milliseconds each, the best of 20 tries; and what asking the binary from the
// cache costs.
//
//     cmake --build --preset release --target machine_bench && build/release/tests/machine_bench
#include "runner/caps/capabilities.hpp"
#include "runner/support/file.hpp"
#include "runner/vm/qemu/build/builder.hpp"
#include "runner/vm/qemu/wire/wire.hpp"

#include <algorithm>
#include <chrono>
#include <functional>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

namespace {

double best(const std::function<void()>& work) {
    double least = 1e9;
    for (int i = 0; i < 20; ++i) {
        const auto start = std::chrono::steady_clock::now();
        work();
        const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
        least = std::min(least, took.count());
    }
    return least;
}

vt::Params sixty_devices() {
    vt::Params params{{"machine_type", "q35"}, {"mem", "64"},
                      {"nics", "n1 n2 n3 n4"}, {"nic_model", "virtio"},
                      {"vga", "std"},          {"serials", "s1 s2 s3"},
                      {"usbs", "usb1"},        {"usb_type", "qemu-xhci"},
                      {"virtio_rngs", "r1"},   {"balloon", "b1"},
                      {"image_format", "raw"}, {"enable_watchdog", "yes"}};
    std::string images;
    for (int i = 0; i < 48; ++i) {
        const auto name = fmt::format("disk{}", i);
        images += name + " ";
        params.set("image_name_" + name, name);
        params.set("drive_format_" + name, i % 2 == 0 ? "virtio" : "scsi-hd");
        params.set("drive_serial_" + name, fmt::format("serial{}", i));
        params.set("drive_cache_" + name, "none");
    }
    params.set("images", images);
    for (int i = 0; i < 200; ++i) {
        params.set(fmt::format("parameter_that_nobody_reads_{}", i), "value");
    }
    return params;
}

}  // namespace

int main() {
    using namespace vt;
    using namespace vt::qemu;
    const TempDirectory cache("vt-machine-bench-");
    const auto params = sixty_devices();
    const auto caps = Capabilities::of("qemu-system-x86_64", cache.path());
    const auto read_spec = [&] { return MachineSpec::from_params(params, "vm1", "/data"); };
    const auto spec = read_spec();
    const auto machine = build_machine(spec, {}, caps);
    const auto stored = machine.to_json().dump();
    const auto devices = std::count_if(machine.nodes().begin(), machine.nodes().end(),
                                       [](const NodePtr& node) { return node->form == Form::device; });
    fmt::print("{} devices, {} nodes, {} words of argv\n", devices, machine.nodes().size(),
               argv(machine, caps).size());
    fmt::print("capabilities from the cache  {:7.3f} ms\n",
               best([&] { Capabilities::of("qemu-system-x86_64", cache.path()); }));
    fmt::print("parameters to argv           {:7.3f} ms (goal: 10)\n",
               best([&] { argv(build_machine(read_spec(), {}, caps), caps); }));
    fmt::print("  parameters read            {:7.3f} ms\n", best([&] { read_spec(); }));
    fmt::print("  model built                {:7.3f} ms\n", best([&] { build_machine(spec, {}, caps); }));
    fmt::print("  command line written       {:7.3f} ms\n", best([&] { argv(machine, caps); }));
    fmt::print("stored model read            {:7.3f} ms\n",
               best([&] { Machine::from_json(nlohmann::json::parse(stored), caps); }));
    fmt::print("two models compared          {:7.3f} ms\n", best([&] { machine.difference(machine); }));
    return 0;
}

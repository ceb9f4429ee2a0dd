// SPDX-License-Identifier: GPL-2.0-or-later
// Random numbers, balloon, sound, watchdog, panic device and other small ones.
#include "runner/support/strings.hpp"
#include "runner/vm/qemu/build/builder.hpp"

#include <fmt/core.h>

namespace vt::qemu {

namespace {

/// Each device has an id, so that it can be found and unplugged: its own name with a number.
std::string numbered(const Machine& machine, const std::string& base) {
    int number = 0;
    while (machine.find(base + std::to_string(number))) {
        ++number;
    }
    return base + std::to_string(number);
}

void add_sound(Builder& builder, const std::string& card) {
    if (card.find("hda") != std::string::npos) {
        const auto hda = builder.device("intel-hda", numbered(builder.machine, "sound"));
        builder.device("hda-duplex", hda->qid + "-codec0", {}, {}, {BusKind::hda, hda->qid + ".0", {}});
        return;
    }
    const std::string driver = card == "ac97" ? "AC97" : card == "es1370" ? "ES1370" : card;
    builder.device(driver, numbered(builder.machine, "sound"));
}

void add_rng(Builder& builder, const Rng& rng) {
    Node source;
    source.form = Form::object;
    source.driver = rng.backend;
    source.qid = "backend-" + rng.name;
    source.extra = rng.backend_properties;
    source.origin = rng.name;
    const auto back_end = builder.add(std::move(source));
    builder.device(builder.virtio("virtio-rng"), rng.name, {{"rng", back_end->qid}}, rng.device_properties,
                   {}, {back_end->qid}, rng.name);
}

}  // namespace

void Builder::add_small_devices() {
    for (const auto& rng : spec.rngs) {
        add_rng(*this, rng);
    }
    for (const auto& balloon : spec.balloons) {
        device(virtio("virtio-balloon"), balloon.name, {}, balloon.properties, {}, {}, balloon.name);
    }
    for (const auto& card : spec.sound_cards) {
        add_sound(*this, card);
    }
    if (!spec.watchdog.empty()) {
        device(spec.watchdog, "watchdog0");
        option("action", {{"watchdog", spec.watchdog_action}});
    }
    if (spec.pvpanic) {
        const bool isa = spec.arch.find("aarch64") == std::string::npos;
        Props props;
        if (isa) {
            props.set_text("ioport", spec.pvpanic->ioport);
        }
        props.set_text("events", spec.pvpanic->events);
        device(isa ? "pvpanic" : "pvpanic-pci", "pvpanic0", std::move(props));
        // Without this a panicked guest with pvpanic would take QEMU down, and with it what there is to look
        // at.
        option("action", {{"panic", "pause"}});
    }
    if (spec.vmcoreinfo) {
        device("vmcoreinfo", "vmcoreinfo0");
    }
    if (spec.isa_debug_exit) {
        device("isa-debug-exit", "isa-debug-exit0");
    }
}

}  // namespace vt::qemu

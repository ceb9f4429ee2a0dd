// SPDX-License-Identifier: GPL-2.0-or-later
// Random numbers, balloon, sound, watchdog, panic device and other small ones.
#include "runner/caps/capabilities.hpp"
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

/// QEMU makes no sound on its own any more where nobody says how; ours is silent unless `qemu_audio_drv` says
/// else.
std::string audio_back_end(Builder& builder, const std::string& device) {
    if (!builder.caps.device_property(device, "audiodev")) {
        return {};
    }
    if (!builder.machine.find("audiodev")) {
        const auto& driver = builder.spec.audio_driver;
        builder.option("audiodev", {{"", driver.empty() ? "none" : driver}, {"id", "audiodev0"}});
    }
    return "audiodev0";
}

void add_sound(Builder& builder, const std::string& card) {
    const auto add = [&](const std::string& driver, const std::string& id, Address address = {}) {
        Props props;
        std::vector<std::string> needs;
        if (const auto back_end = audio_back_end(builder, driver); !back_end.empty()) {
            props.set("audiodev", back_end);
            needs = {"audiodev"};
        }
        builder.device(driver, id, std::move(props), {}, std::move(address), std::move(needs));
    };
    if (card.find("hda") != std::string::npos) {
        const auto hda = builder.device("intel-hda", numbered(builder.machine, "sound"));
        add("hda-duplex", hda->qid + "-codec0", {BusKind::hda, hda->qid + ".0", {}});
        return;
    }
    const std::string driver = card == "ac97" ? "AC97" : card == "es1370" ? "ES1370" : card;
    add(driver, numbered(builder.machine, "sound"));
}

void add_rng(Builder& builder, const Rng& rng) {
    Node source;
    source.form = Form::object;
    source.driver = rng.backend;
    source.qid = "backend-" + rng.name;
    source.extra = rng.backend_properties;
    source.origin = rng.name;
    if (!rng.chardev.empty()) {
        Node daemon;
        daemon.form = Form::chardev;
        daemon.driver = rng.chardev;
        daemon.qid = "chardev_" + rng.name;
        daemon.origin = rng.name;
        for (const auto& [name, value] : rng.chardev_properties) {
            daemon.props.set(name, value);
        }
        source.needs = {builder.add(std::move(daemon))->qid};
        source.props.set("chardev", source.needs.front());
    }
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
        Props ports;
        ports.set_text("iobase", spec.debug_exit_iobase).set_text("iosize", spec.debug_exit_iosize);
        device("isa-debug-exit", "isa-debug-exit0", std::move(ports));
    }
}

}  // namespace vt::qemu

// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/guest/guest_access.hpp"

#include "runner/session/serial.hpp"
#include "runner/support/log.hpp"

#include <fmt/core.h>

namespace vt {

void GuestAccess::add(const void* key, WaysIn ways) {
    const std::lock_guard lock(mutex_);
    machines_[key] = std::move(ways);
}

void GuestAccess::remove(const void* key) {
    const std::lock_guard lock(mutex_);
    machines_.erase(key);
}

std::string GuestAccess::open_up() {
    const std::lock_guard lock(mutex_);
    std::string text;
    for (const auto& [key, machine] : machines_) {
        text += fmt::format("{} runs on:\n", machine.name);
        if (const auto shell = machine.shell ? machine.shell() : std::string(); !shell.empty()) {
            text += fmt::format("    {}\n", shell);
        }
        for (const auto& console : machine.consoles) {
            console->let_go();
            text += fmt::format(
                "    serial console:  socat -,rawer,escape=0x1d UNIX-CONNECT:{}  (Ctrl+] leaves)\n",
                console->socket().native());
        }
        for (const auto& line : machine.sockets) {
            text += fmt::format("    {}\n", line);
        }
    }
    return text;
}

void GuestAccess::close_up(const Deadline& deadline) {
    const std::lock_guard lock(mutex_);
    for (const auto& [key, machine] : machines_) {
        for (const auto& console : machine.consoles) {
            try {
                console->take_back(deadline);
            } catch (const std::exception& error) {
                log::warning("the serial console of {} is lost: {}", machine.name, error.what());
            }
        }
    }
}

}  // namespace vt

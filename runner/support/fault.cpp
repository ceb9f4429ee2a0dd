// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/support/fault.hpp"

#include <atomic>
#include <utility>

namespace vt::fault {
namespace {

std::atomic<const Injector*> current = nullptr;

}  // namespace

int at(Point point, std::string_view what) {
    const auto* injector = current.load(std::memory_order_acquire);
    return injector == nullptr ? 0 : (*injector)(point, what);
}

Injected::Injected(Injector injector) : injector_(std::move(injector)) {
    current.store(&injector_, std::memory_order_release);
}

Injected::~Injected() {
    current.store(nullptr, std::memory_order_release);
}

}  // namespace vt::fault

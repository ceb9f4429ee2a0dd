// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/support/deadline.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>

namespace vt {
namespace {

// Longer ones would overflow the clock's nanoseconds; nobody waits for thirty years.
constexpr Seconds longest{1e9};

std::atomic<Deadline::Clock::rep> paused{0};

/// The monotonic clock less all pauses.
Deadline::Clock::time_point now() {
    return Deadline::Clock::now() - Deadline::Clock::duration(paused.load());
}

}  // namespace

Deadline Deadline::after(Seconds timeout) {
    if (!(timeout < longest)) {
        return never();
    }
    const Seconds bounded = std::max(timeout, Seconds::zero());
    return {now() + std::chrono::duration_cast<Clock::duration>(bounded), bounded};
}

Deadline Deadline::never() {
    return {std::nullopt, Seconds::max()};
}

bool Deadline::expired() const {
    return at_ && now() >= *at_;
}

Seconds Deadline::remaining() const {
    if (!at_) {
        return Seconds::max();
    }
    return std::max(Seconds(*at_ - now()), Seconds::zero());
}

int Deadline::poll_timeout_ms() const {
    if (!at_) {
        return -1;
    }
    const double ms = std::ceil(remaining().count() * 1000);
    return static_cast<int>(std::min(ms, double(std::numeric_limits<int>::max())));
}

Deadline Deadline::sooner(const Deadline& other) const {
    if (!at_) {
        return other;
    }
    return other.at_ && *other.at_ < *at_ ? other : *this;
}

void Deadline::add_pause(Seconds pause) {
    paused += std::chrono::duration_cast<Clock::duration>(pause).count();
}

}  // namespace vt

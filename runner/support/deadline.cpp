// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/support/deadline.hpp"

#include "runner/support/error.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cmath>
#include <limits>
#include <new>

#include <sys/mman.h>

namespace vt {
namespace {

// Longer ones would overflow the clock's nanoseconds; nobody waits for thirty years.
constexpr Seconds longest{1e9};

using Pauses = std::atomic<Deadline::Clock::rep>;
static_assert(Pauses::is_always_lock_free, "pauses are shared between processes");

Pauses own_pauses{0};
Pauses* pauses = &own_pauses;  ///< ours, or a page that parent and children share

/// The monotonic clock less all pauses.
Deadline::Clock::time_point now() {
    return Deadline::Clock::now() - Deadline::Clock::duration(pauses->load());
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
    *pauses += std::chrono::duration_cast<Clock::duration>(pause).count();
}

void Deadline::share_pauses() {
    if (pauses != &own_pauses) {
        return;
    }
    void* page = ::mmap(nullptr, sizeof(Pauses), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) {
        throw SystemError("cannot share memory with the test's process", errno);
    }
    pauses = new (page) Pauses(own_pauses.load());
}

Seconds Deadline::pause_free_now() {
    return now().time_since_epoch();
}

}  // namespace vt

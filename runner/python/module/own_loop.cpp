// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/python/module/own_loop.hpp"

#include <mutex>

#include <unistd.h>

namespace vt::python {

IoLoop& own_loop() {
    static std::mutex mutex;
    static IoLoop* loop = nullptr;
    static pid_t owner = 0;
    const std::lock_guard lock(mutex);
    if (loop == nullptr || owner != ::getpid()) {
        loop = new IoLoop;  // leaked on purpose, see the header
        owner = ::getpid();
    }
    return *loop;
}

}  // namespace vt::python

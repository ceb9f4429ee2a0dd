// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/net/network_namespace.hpp"

#include "runner/support/error.hpp"

#include <cerrno>
#include <cstring>
#include <exception>
#include <thread>

#include <fcntl.h>
#include <fmt/core.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace vt {
namespace {

/// Calls \p work on a thread of its own, whose namespace may change without consequence for others.
void on_a_thread(const std::function<void()>& work) {
    std::exception_ptr thrown;
    std::thread([&] {
        try {
            work();
        } catch (...) {
            thrown = std::current_exception();
        }
    }).join();
    if (thrown) {
        std::rethrow_exception(thrown);
    }
}

void bring_up_loopback() {
    const UniqueFd control(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    ifreq request{};
    std::strncpy(request.ifr_name, "lo", IFNAMSIZ - 1);
    request.ifr_flags = IFF_UP | IFF_RUNNING | IFF_LOOPBACK;
    if (!control || ::ioctl(control.get(), SIOCSIFFLAGS, &request) != 0) {
        throw SystemError("bring up the loopback interface of a network namespace", errno);
    }
}

}  // namespace

NetworkNamespace::NetworkNamespace() {
    on_a_thread([this] {
        if (::unshare(CLONE_NEWNET) != 0) {
            throw SystemError("make a network namespace", errno);
        }
        fd_.reset(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
        if (!fd_) {
            throw SystemError("open a network namespace", errno);
        }
        bring_up_loopback();
    });
}

std::optional<std::string> NetworkNamespace::obstacle() {
    try {
        const NetworkNamespace tried;
        return std::nullopt;
    } catch (const SystemError& error) {
        return fmt::format(
            "a network namespace cannot be made here: it needs root (CAP_SYS_ADMIN) and a kernel "
            "and container that permit unshare(CLONE_NEWNET): {}",
            error.what());
    }
}

std::vector<std::string> NetworkNamespace::enter_words() const {
    return {"nsenter", fmt::format("--net=/proc/{}/fd/{}", ::getpid(), fd_.get()), "--"};
}

void NetworkNamespace::run_there(const std::function<void()>& work) const {
    on_a_thread([&] {
        if (::setns(fd_.get(), CLONE_NEWNET) != 0) {
            throw SystemError("enter a network namespace", errno);
        }
        work();
    });
}

}  // namespace vt

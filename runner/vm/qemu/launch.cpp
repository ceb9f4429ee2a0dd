// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/vm/qemu/launch.hpp"

#include "runner/support/error.hpp"

#include <array>
#include <cerrno>
#include <random>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <fcntl.h>
#include <fmt/core.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

namespace vt::qemu {

bool wait_for_socket(const std::filesystem::path& socket, int pidfd, const Deadline& deadline) {
    const UniqueFd watch(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    if (!watch || ::inotify_add_watch(watch.get(), socket.parent_path().c_str(), IN_CREATE) < 0) {
        throw SystemError("watch " + socket.parent_path().native(), errno);
    }
    // Looked at after the watch stands, so that no socket is missed.
    while (::access(socket.c_str(), F_OK) != 0) {
        std::array<pollfd, 2> ready{pollfd{watch.get(), POLLIN, 0}, pollfd{pidfd, POLLIN, 0}};
        if (::poll(ready.data(), ready.size(), deadline.poll_timeout_ms()) < 0 && errno != EINTR) {
            throw SystemError("wait for " + socket.native(), errno);
        }
        if ((ready[1].revents & POLLIN) != 0) {
            return false;
        }
        std::array<char, 4096> events{};
        while (::read(watch.get(), events.data(), events.size()) > 0) {
        }
        if (deadline.expired() && ::access(socket.c_str(), F_OK) != 0) {
            throw TimeoutError(fmt::format("QEMU did not make its socket {} within {:g} s", socket.native(),
                                           deadline.total().count()));
        }
    }
    return true;
}

struct EndWatch::Impl {
    Impl(IoLoop& loop, int fd, std::function<void()> handler)
        : descriptor(loop.context(), fd), on_end(std::move(handler)) {}

    boost::asio::posix::stream_descriptor descriptor;
    std::function<void()> on_end;
};

EndWatch::EndWatch(IoLoop& loop, int pidfd, std::function<void()> on_end) : loop_(loop) {
    const int copy = ::fcntl(pidfd, F_DUPFD_CLOEXEC, 0);
    if (copy < 0) {
        throw SystemError("watch a process", errno);
    }
    impl_ = std::make_shared<Impl>(loop, copy, std::move(on_end));
    loop_.run_there([impl = impl_] {
        impl->descriptor.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                                    [weak = std::weak_ptr(impl)](const boost::system::error_code& error) {
                                        const auto self = weak.lock();
                                        if (self && !error && self->on_end) {
                                            self->on_end();
                                        }
                                    });
    });
}

EndWatch::~EndWatch() {
    // On the loop's thread, so that a handler is either done or never runs.
    loop_.run_there([this] {
        impl_->on_end = {};
        boost::system::error_code ignored;
        impl_->descriptor.close(ignored);
        impl_.reset();
    });
}

std::string random_uuid() {
    std::random_device device;
    const auto a = device();
    const auto b = device();
    return fmt::format("{:08x}-{:04x}-4{:03x}-{:04x}-{:08x}{:04x}", a, b & 0xffff, (b >> 16) & 0xfff,
                       0x8000 | (device() & 0x3fff), device(), device() & 0xffff);
}

bool wait_for_end(int pidfd, const Deadline& deadline) {
    for (;;) {
        pollfd ready{pidfd, POLLIN, 0};
        const int count = ::poll(&ready, 1, deadline.poll_timeout_ms());
        if (count > 0) {
            return true;
        }
        if (count < 0 && errno != EINTR) {
            throw SystemError("wait for a process", errno);
        }
        if (count == 0 && deadline.expired()) {
            return false;
        }
    }
}

}  // namespace vt::qemu

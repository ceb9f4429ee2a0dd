// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The other end of a Unix socket in tests: greets, answers each line by a function, says what it is told to
/// at any time.
#pragma once

#include "runner/io/socket.hpp"
#include "runner/support/unique_fd.hpp"

#include <array>
#include <cstring>
#include <filesystem>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>

namespace vt {

class UnixPeer {
  public:
    /// Takes one line without its end; returns what to send.
    using Answer = std::function<std::string(const std::string& line)>;

    UnixPeer(const std::filesystem::path& path, std::string greeting, Answer answer)
        : greeting_(std::move(greeting)), answer_(std::move(answer)), stop_(::eventfd(0, EFD_CLOEXEC)) {
        listener_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::strncpy(address.sun_path, path.c_str(), sizeof(address.sun_path) - 1);
        if (::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
            ::listen(listener_.get(), 4) != 0) {
            throw SystemError("listen on " + path.string(), errno);
        }
        thread_ = std::thread([this] { serve(); });
    }
    ~UnixPeer() {
        ::eventfd_write(stop_.get(), 1);
        thread_.join();
    }

    /// Sends \p text once somebody is connected.
    void say(const std::string& text) {
        const std::lock_guard lock(mutex_);
        if (client_) {
            send_all(client_.get(), text, Deadline::after(Seconds{10}));
        } else {
            greeting_ += text;
        }
    }
    /// Ends the connection.
    void hang_up() {
        const std::lock_guard lock(mutex_);
        ::shutdown(client_.get(), SHUT_RDWR);
    }

  private:
    void serve() {
        std::string line;
        for (;;) {
            const int watched = client_ ? client_.get() : listener_.get();
            std::array<pollfd, 2> fds{{{watched, POLLIN, 0}, {stop_.get(), POLLIN, 0}}};
            ::poll(fds.data(), fds.size(), -1);
            if (fds[1].revents != 0) {
                return;
            }
            if (!client_) {
                const std::lock_guard lock(mutex_);
                client_.reset(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
                send_all(client_.get(), greeting_, Deadline::after(Seconds{10}));
                continue;
            }
            char c = 0;
            if (::recv(client_.get(), &c, 1, 0) <= 0) {
                const std::lock_guard lock(mutex_);
                client_.reset();
                line.clear();
            } else if (c == '\n') {
                const std::string said = answer_(std::exchange(line, {}));
                const std::lock_guard lock(mutex_);
                try {
                    // As long as a test may wait: answers of many megabytes take their time.
                    send_all(client_.get(), said, Deadline::after(Seconds{300}));
                } catch (const Error&) {
                    // The test may have closed already.
                }
            } else {
                line += c;
            }
        }
    }

    std::string greeting_;
    Answer answer_;
    UniqueFd stop_;
    UniqueFd listener_;
    std::mutex mutex_;
    UniqueFd client_;
    std::thread thread_;
};

}  // namespace vt

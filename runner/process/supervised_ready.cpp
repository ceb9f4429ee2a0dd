// SPDX-License-Identifier: GPL-2.0-or-later
// The conditions under which a supervised process counts as ready.
#include "runner/io/socket.hpp"
#include "runner/process/supervised_state.hpp"
#include "runner/support/error.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <functional>
#include <memory>
#include <variant>

#include <fcntl.h>
#include <fmt/core.h>
#include <netdb.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace vt::process {
namespace {

namespace fs = std::filesystem;
using Woken = SupervisedState::Woken;

/// A socket that begins to listen is no event; so is a file on a file system of the network.
constexpr Seconds look_again{0.02};
/// Where inotify tells: only for what it may miss (a directory that is replaced).
constexpr Seconds look_anyway{0.5};

/// Tells of changes in the directory of a file, which need not exist.
class DirectoryWatch {
  public:
    explicit DirectoryWatch(const fs::path& file)
        : directory_(file.has_parent_path() ? file.parent_path() : fs::path(".")),
          fd_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {
        add();
    }
    /// When to look if nothing is told.
    Seconds pause() {
        add();
        return watched_ ? look_anyway : look_again;
    }
    int fd() const { return watched_ ? fd_.get() : -1; }
    void clear() {
        std::array<char, 4096> events;
        while (fd_ && ::read(fd_.get(), events.data(), events.size()) > 0) {
        }
    }

  private:
    void add() {
        watched_ = watched_ || (fd_ && ::inotify_add_watch(fd_.get(), directory_.c_str(),
                                                           IN_CREATE | IN_MOVED_TO | IN_MODIFY) >= 0);
    }
    const fs::path directory_;
    UniqueFd fd_;
    bool watched_ = false;
};

/// The lines of a file that grows.
class FileLines {
  public:
    explicit FileLines(fs::path path) : path_(std::move(path)) {}

    /// True if a line that was added since the last call matches.
    bool search(const Pattern& pattern) {
        const UniqueFd fd(::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
        struct stat info {};
        if (!fd || ::fstat(fd.get(), &info) != 0) {
            return false;
        }
        if (info.st_size < offset_ || info.st_ino != inode_) {  // emptied or replaced
            offset_ = 0;
            partial_.clear();
            inode_ = info.st_ino;
        }
        std::array<char, 65536> chunk;
        for (;;) {
            const auto got = ::pread(fd.get(), chunk.data(), chunk.size(), offset_);
            if (got <= 0) {
                return false;
            }
            offset_ += got;
            partial_.append(chunk.data(), static_cast<std::size_t>(got));
            std::size_t start = 0;
            for (auto end = partial_.find('\n'); end != std::string::npos; end = partial_.find('\n', start)) {
                if (pattern.search(std::string_view(partial_).substr(start, end - start))) {
                    return true;
                }
                start = end + 1;
            }
            partial_.erase(0, start);
        }
    }

  private:
    const fs::path path_;
    off_t offset_ = 0;
    ino_t inode_ = 0;
    std::string partial_;
};

/// One attempt to connect; false if nobody accepts.
bool connects(int family, const sockaddr* address, socklen_t size, const Deadline& deadline) {
    const UniqueFd fd(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd) {
        throw SystemError("cannot make a socket", errno);
    }
    if (::connect(fd.get(), address, size) == 0) {
        return true;
    }
    if (errno != EINPROGRESS || !vt::wait_ready(fd.get(), POLLOUT, deadline)) {
        return false;
    }
    int error = 0;
    socklen_t length = sizeof error;
    return ::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &length) == 0 && error == 0;
}

bool accepts_unix(const fs::path& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    auto name = path.string();
    UniqueFd directory;
    if (name.size() >= sizeof address.sun_path) {  // by the directory's descriptor
        directory.reset(::open(path.parent_path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
        name = fmt::format("/proc/self/fd/{}/{}", directory.get(), path.filename().string());
    }
    if (name.size() >= sizeof address.sun_path) {
        throw Error(fmt::format("the socket name {} is too long for a Unix socket", path.string()));
    }
    std::memcpy(address.sun_path, name.c_str(), name.size() + 1);
    return connects(AF_UNIX, reinterpret_cast<const sockaddr*>(&address), sizeof address,
                    Deadline::after(Seconds(0)));
}

bool accepts_tcp(const ReadySocket& socket, const Deadline& deadline) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    const auto port = std::to_string(socket.port);
    if (const int error = ::getaddrinfo(socket.host.c_str(), port.c_str(), &hints, &found); error != 0) {
        throw Error(fmt::format("{} is no host to connect to: {}", socket.host, ::gai_strerror(error)));
    }
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> addresses(found, ::freeaddrinfo);
    for (const auto* address = found; address != nullptr; address = address->ai_next) {
        if (connects(address->ai_family, address->ai_addr, address->ai_addrlen, deadline)) {
            return true;
        }
    }
    return false;
}

/// The wait for one kind of condition.
class Waiter {
  public:
    Waiter(SupervisedState& state, const Deadline& deadline, const Interrupt* interrupt)
        : state_(state), deadline_(deadline), interrupt_(interrupt) {}

    void operator()(const std::monostate& /*unused*/) const {}

    void operator()(const ReadyLine& line) const {
        if (line.in == ReadyLine::In::file) {
            FileLines lines(line.file);
            by_directory(line.file,
                         fmt::format("a line matching '{}' in {}", line.pattern, line.file.string()),
                         [&] { return lines.search(*state_.ready_pattern); });
            return;
        }
        const auto what = fmt::format("a line matching '{}' in its output", line.pattern);
        // The end is noticed after the last line was read, so a line that comes with it counts.
        if (state_.await(state_.ready_flag.fd(), deadline_, interrupt_) != Woken::event &&
            !state_.ready_flag.is_set()) {
            fail(what);
        }
    }

    void operator()(const ReadyFile& file) const {
        by_directory(file.path, "the file " + file.path.string(), [&] {
            std::error_code ignored;
            return fs::exists(file.path, ignored);
        });
    }

    void operator()(const ReadySocket& socket) const {
        if (!socket.path.empty()) {
            by_time("a listener on " + socket.path.string(), look_again,
                    [&](const Deadline& /*unused*/) { return accepts_unix(socket.path); });
            return;
        }
        by_time(fmt::format("a listener on {} port {}", socket.host, socket.port), look_again,
                [&](const Deadline& deadline) { return accepts_tcp(socket, deadline); });
    }

    void operator()(const ReadyAnswer& answer) const {
        by_time(answer.what.empty() ? "its answer" : answer.what, answer.interval, answer.ask);
    }

  private:
    void by_directory(const fs::path& file, const std::string& what,
                      const std::function<bool()>& holds) const {
        DirectoryWatch watch(file);  // before the first look, so that nothing is missed
        for (;;) {
            watch.clear();
            if (holds()) {
                return;
            }
            const auto pause = deadline_.sooner(Deadline::after(watch.pause()));
            if (gives_up(state_.await(watch.fd(), pause, interrupt_)) && !holds()) {
                fail(what);
            }
        }
    }

    void by_time(const std::string& what, Seconds interval,
                 const std::function<bool(const Deadline&)>& holds) const {
        for (;;) {
            if (holds(deadline_)) {
                return;
            }
            const auto pause = deadline_.sooner(Deadline::after(interval));
            if (gives_up(state_.await(-1, pause, interrupt_))) {
                fail(what);
            }
        }
    }

    bool gives_up(Woken woken) const {
        return woken == Woken::ended || (woken == Woken::deadline && deadline_.expired());
    }

    [[noreturn]] void fail(const std::string& what) const {
        if (const auto status = state_.ended()) {
            throw EndedError(
                fmt::format("{} ended before there was {}: {}", state_.name, what, state_.report()), *status);
        }
        throw TimeoutError(fmt::format("{} was not ready within {:g} s: there was not {}{}", state_.name,
                                       deadline_.total().count(), what, state_.last_words()));
    }

    SupervisedState& state_;
    const Deadline& deadline_;
    const Interrupt* interrupt_;
};

}  // namespace

void await_ready(SupervisedState& state, const Deadline& deadline, const Interrupt* interrupt) {
    std::visit(Waiter(state, deadline, interrupt), state.description.ready);
    state.ready_flag.set();
}

}  // namespace vt::process

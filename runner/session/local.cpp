// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/session/local.hpp"

#include "runner/io/io_loop.hpp"
#include "runner/io/socket.hpp"
#include "runner/process/spawn.hpp"
#include "runner/support/log.hpp"
#include "runner/support/unique_fd.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <mutex>

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

namespace vt {
namespace asio = boost::asio;

namespace {

constexpr std::size_t kept_output = std::size_t{64} << 20;

/// Runs its first argument, reports its status, and waits until that was heard. The traps keep Ctrl-C from
/// ending it before the program; unlike ignored signals they are not inherited.
constexpr const char* leader =
    "trap : HUP INT QUIT TERM; /bin/sh -c \"$1\" 3>&-; echo $? >&3; read -r heard <&3";

/// The two ends of a new terminal.
struct Pty {
    UniqueFd master;
    UniqueFd slave;
};

/// \p result, unless it says that a system call failed.
int checked(int result, const char* what) {
    if (result < 0) {
        throw SystemError(what, errno);
    }
    return result;
}

Pty open_pty(bool echo) {
    Pty pty;
    pty.master =
        UniqueFd(checked(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK), "open a terminal"));
    checked(::grantpt(pty.master.get()), "grant a terminal");
    checked(::unlockpt(pty.master.get()), "unlock a terminal");
    std::array<char, 128> name{};
    checked(-::ptsname_r(pty.master.get(), name.data(), name.size()), "name a terminal");
    pty.slave = UniqueFd(checked(::open(name.data(), O_RDWR | O_NOCTTY | O_CLOEXEC), "open a terminal"));
    termios settings{};
    checked(::tcgetattr(pty.slave.get(), &settings), "read a terminal's settings");
    settings.c_iflag &= ~static_cast<tcflag_t>(INLCR | ICRNL | IGNCR);
    settings.c_oflag &= ~static_cast<tcflag_t>(OPOST);
    if (!echo) {
        settings.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    }
    checked(::tcsetattr(pty.slave.get(), TCSANOW, &settings), "set up a terminal");
    return pty;
}

}  // namespace

/// Lives as long as a handle or a handler does; what the loop touches is used on the loop's thread only.
///
/// The session's leader is a shell of ours around the program: when a leader ends, the kernel throws away
/// what its terminal has not delivered yet. So it reports the program's status on a socket and waits there
/// until we have read everything.
struct LocalProcess::State : std::enable_shared_from_this<State> {
    explicit State(IoLoop& loop) : reader(loop.context()), control(loop.context()), watcher(loop.context()) {}

    void read() {
        reader.async_wait(asio::posix::descriptor_base::wait_read,
                          [self = shared_from_this()](const auto& error) {
                              if (!error && self->drain()) {
                                  self->read();
                              }
                          });
    }

    /// Takes all that the terminal has; false if nobody holds its other end any more. poll(2), unlike a read,
    /// waits for what the kernel still has under way.
    bool drain() {
        pollfd waiting{reader.native_handle(), POLLIN, 0};
        while (::poll(&waiting, 1, 0) > 0) {
            const auto got = ::read(waiting.fd, chunk.data(), chunk.size());
            if (got <= 0) {
                return got < 0 && errno == EAGAIN;
            }
            take({chunk.data(), static_cast<std::size_t>(got)});
        }
        return true;
    }

    void take(std::string_view bytes) {
        {
            const std::lock_guard lock(mutex);
            kept += bytes;
            if (kept.size() > 2 * kept_output) {
                kept.erase(0, kept.size() - kept_output);
            }
        }
        output->append(bytes);
    }

    void watch() {
        control.async_wait(asio::posix::descriptor_base::wait_read,
                           [self = shared_from_this()](const auto& /*error*/) { self->on_report(); });
        watcher.async_wait(asio::posix::descriptor_base::wait_read,
                           [self = shared_from_this()](const auto& /*error*/) { self->on_leader_end(); });
    }

    void on_report() {
        std::array<char, 16> text{};
        const auto got = ::read(control.native_handle(), text.data(), text.size() - 1);
        if (got > 0) {
            end(std::atoi(text.data()));
        }
        boost::system::error_code ignored;
        control.close(ignored);  // lets the leader end
    }

    void on_leader_end() {
        process::ExitStatus status;
        {
            const std::lock_guard lock(mutex);
            status = child.reap(Deadline::never()).value();
        }
        end(status.signal != 0 ? -status.signal : status.code);
        boost::system::error_code ignored;
        watcher.close(ignored);
        reader.close(ignored);
    }

    /// The program has ended; the first report counts.
    void end(int status) {
        drain();
        output->finish(status, "the program ended");
        {
            const std::lock_guard lock(mutex);
            if (!exit_status) {
                exit_status = status;
            }
        }
        ended.notify_all();
    }

    process::ChildHandle child;  ///< the leader
    UniqueFd master;             ///< for writers; the loop reads a duplicate
    std::shared_ptr<OutputBuffer> output = std::make_shared<OutputBuffer>();
    asio::posix::stream_descriptor reader;
    asio::posix::stream_descriptor control;  ///< our end of the leader's socket
    asio::posix::stream_descriptor watcher;  ///< of the leader's pidfd
    std::array<char, 65536> chunk{};

    mutable std::mutex mutex;
    std::condition_variable ended;
    std::string kept;
    std::optional<int> exit_status;
};

namespace {

/// The session's end of the terminal.
class LocalTerminal : public Terminal {
  public:
    explicit LocalTerminal(std::shared_ptr<LocalProcess::State> state) : state_(std::move(state)) {}
    ~LocalTerminal() override { LocalTerminal::close(); }
    LocalTerminal(const LocalTerminal&) = delete;
    LocalTerminal& operator=(const LocalTerminal&) = delete;

    void write(std::string_view bytes, const Deadline& deadline) override {
        while (!bytes.empty()) {
            if (state_->output->finished()) {
                throw Error("the session has ended: " + state_->output->end_reason());
            }
            const auto sent = ::write(state_->master.get(), bytes.data(), bytes.size());
            if (sent > 0) {
                bytes.remove_prefix(static_cast<std::size_t>(sent));
            } else if (errno != EAGAIN && errno != EINTR) {
                throw SystemError("write to a program's terminal", errno);
            } else if (!wait_ready(state_->master.get(), POLLOUT, deadline)) {
                throw TimeoutError("a program does not read what is written to its terminal");
            }
        }
    }

    void close() override {
        LocalProcess(state_).kill(SIGKILL);
        state_->output->finish(std::nullopt, "closed by this side");
    }

    OutputBuffer& output() override { return *state_->output; }

  private:
    std::shared_ptr<LocalProcess::State> state_;
};

}  // namespace

pid_t LocalProcess::pid() const {
    return state_->child.pid();
}

std::optional<int> LocalProcess::status() const {
    const std::lock_guard lock(state_->mutex);
    return state_->exit_status;
}

std::optional<int> LocalProcess::wait(const Deadline& deadline) {
    std::unique_lock lock(state_->mutex);
    while (!state_->exit_status && !deadline.expired()) {
        state_->ended.wait_for(lock, std::min(deadline.remaining(), Seconds{86400}));
    }
    return state_->exit_status;
}

void LocalProcess::kill(int signal) {
    // Until the leader is reaped its number, which is the group's, is not used again.
    const std::lock_guard lock(state_->mutex);
    state_->child.signal_group(signal);
}

std::string LocalProcess::output() const {
    const std::lock_guard lock(state_->mutex);
    return state_->kept;
}

LocalSession local_session(IoLoop& loop, const std::string& command, const ShellOptions& options, bool echo,
                           LineHandler on_line) {
    auto pty = open_pty(echo);
    auto state = std::make_shared<LocalProcess::State>(loop);
    if (on_line) {
        state->output->set_line_handler(std::move(on_line));
    }
    std::array<int, 2> ends{};
    checked(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), "make a socket pair");
    UniqueFd ours(ends[0]);
    const UniqueFd theirs(ends[1]);
    const int slave = pty.slave.get();
    process::Command shell;
    shell.argv = {"/bin/sh", "-c", leader, "sh", command};
    process::SpawnOptions how;
    how.leads = process::Leads::session;
    state->child = process::spawn(shell, {{slave, 0}, {slave, 1}, {slave, 2}, {theirs.get(), 3}}, how);
    UniqueFd pidfd(checked(::fcntl(state->child.pidfd(), F_DUPFD_CLOEXEC, 0), "duplicate a pidfd"));
    UniqueFd duplicate(checked(::fcntl(pty.master.get(), F_DUPFD_CLOEXEC, 0), "duplicate a terminal"));
    state->master = std::move(pty.master);
    loop.run_there([&] {
        state->reader.assign(duplicate.release());
        state->control.assign(ours.release());
        state->watcher.assign(pidfd.release());
        state->read();
        state->watch();
    });
    return {std::make_unique<ShellSession>(std::make_unique<LocalTerminal>(state), options),
            LocalProcess(state)};
}

}  // namespace vt

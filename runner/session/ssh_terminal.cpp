// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/session/ssh_terminal.hpp"

#include "runner/io/io_loop.hpp"
#include "runner/support/error.hpp"
#include "runner/support/log.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <mutex>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <libssh/libssh.h>

namespace vt {
namespace asio = boost::asio;
namespace {

/// Wide, so that shells do not break the echo of long commands into lines.
constexpr int terminal_columns = 4096;
constexpr int terminal_rows = 24;
/// Read at most this much before other users of the loop get their turn.
constexpr std::size_t most_per_turn = std::size_t{1} << 20;
/// After the end of output the exit status may still come.
constexpr std::chrono::seconds status_grace{2};
/// What one turn of reading brought.
struct ReadTurn {
    std::string text;
    bool ended = false;  ///< nothing more will come
};

}  // namespace

struct SshTerminal::State : std::enable_shared_from_this<State> {
    State(IoLoop& its_loop, std::unique_ptr<SshConnection> its_connection)
        : loop(its_loop),
          connection(std::move(its_connection)),
          watched(its_loop.context()),
          grace(its_loop.context()) {}
    ~State() { free_channel(); }

    /// Before any ssh_disconnect(), which frees channels behind our back. Caller holds the mutex or is alone.
    void free_channel() {
        if (channel != nullptr) {
            ssh_channel_free(std::exchange(channel, nullptr));
        }
    }

    void open_shell(const SshTarget& target, const Deadline& deadline);
    void arm();
    void pump();
    ReadTurn read_some();
    void finish();
    void end(const std::string& why);

    IoLoop& loop;
    OutputBuffer output;
    std::mutex mutex;  ///< guards the connection and the channel
    std::unique_ptr<SshConnection> connection;
    ssh_channel channel = nullptr;      ///< null once closed
    std::condition_variable_any moved;  ///< something was read, so the peer's window may have grown
    std::atomic<bool> closed{false};

    // Only on the loop's thread:
    asio::posix::stream_descriptor watched;  ///< a duplicate of the connection's socket
    asio::steady_timer grace;
    bool reading = false;
    bool writing = false;
    bool ending = false;
};

void SshTerminal::State::open_shell(const SshTarget& target, const Deadline& deadline) {
    channel = ssh_channel_new(connection->session());
    if (channel == nullptr) {
        throw LoginError("cannot make an SSH channel", connection->error_text());
    }
    const auto step = [&](const char* what, const std::function<int()>& request) {
        return connection->complete(request, SSH_AGAIN, what, deadline) == SSH_OK;
    };
    if (!step("an SSH channel", [&] { return ssh_channel_open_session(channel); })) {
        throw LoginError("the SSH server opens no channel", connection->error_text());
    }
    if (!step("a terminal", [&] {
            return ssh_channel_request_pty_size(channel, target.terminal_type.c_str(), terminal_columns,
                                                terminal_rows);
        })) {
        log::info("the SSH server gives no terminal ({}): going on without", connection->error_text());
    }
    if (!step("a shell", [&] { return ssh_channel_request_shell(channel); })) {
        throw LoginError("the SSH server starts no shell", connection->error_text());
    }
    const int duplicate = ::fcntl(connection->fd(), F_DUPFD_CLOEXEC, 0);
    if (duplicate < 0) {
        throw LoginError("cannot duplicate a socket: " + errno_text(errno));
    }
    loop.run_there([&] { watched.assign(duplicate); });
    asio::post(loop.context(), [self = shared_from_this()] { self->pump(); });
}

/// Reads until there is nothing more, as far as one turn may go. Caller holds the mutex.
ReadTurn SshTerminal::State::read_some() {
    ReadTurn turn;
    std::array<char, 32768> chunk;
    while (turn.text.size() < most_per_turn) {
        const int got = ssh_channel_read_nonblocking(channel, chunk.data(), chunk.size(), 0);
        if (got <= 0) {
            turn.ended = got != 0 || ssh_channel_is_eof(channel) != 0 || ssh_channel_is_open(channel) == 0 ||
                         ssh_is_connected(connection->session()) == 0;
            break;
        }
        turn.text.append(chunk.data(), static_cast<std::size_t>(got));
    }
    return turn;
}

void SshTerminal::State::pump() {
    if (closed) {
        return;
    }
    ReadTurn turn;
    bool over = false;
    {
        const std::lock_guard lock(mutex);
        if (channel == nullptr) {
            return;
        }
        turn = read_some();
        over =
            turn.ended && (ssh_is_connected(connection->session()) == 0 ||
                           ssh_channel_is_closed(channel) != 0 || ssh_channel_get_exit_status(channel) >= 0);
    }
    moved.notify_all();
    if (!turn.text.empty()) {
        output.append(turn.text);
    }
    if (over) {
        finish();
        return;
    }
    if (turn.ended && !ending) {
        ending = true;
        grace.expires_after(status_grace);
        grace.async_wait([self = shared_from_this()](const boost::system::error_code& error) {
            if (!error) {
                self->finish();
            }
        });
    }
    if (turn.text.size() >= most_per_turn) {
        asio::post(loop.context(), [self = shared_from_this()] { self->pump(); });
    } else {
        arm();
    }
}

void SshTerminal::State::arm() {
    bool write_pending = false;
    {
        const std::lock_guard lock(mutex);
        if (channel == nullptr) {
            return;
        }
        write_pending = (ssh_get_poll_flags(connection->session()) & SSH_WRITE_PENDING) != 0;
    }
    const auto wait = [this](asio::posix::descriptor_base::wait_type type, bool State::*flag) {
        if (std::exchange(this->*flag, true)) {
            return;
        }
        watched.async_wait(type, [self = shared_from_this(), flag](const boost::system::error_code& error) {
            (*self).*flag = false;
            if (!error) {
                self->pump();
            }
        });
    };
    wait(asio::posix::descriptor_base::wait_read, &State::reading);
    if (write_pending) {
        wait(asio::posix::descriptor_base::wait_write, &State::writing);
    }
}

/// The peer has ended the session.
void SshTerminal::State::finish() {
    std::optional<int> status;
    std::string why = "the shell ended";
    {
        const std::lock_guard lock(mutex);
        if (channel == nullptr) {
            return;
        }
        const int told = ssh_channel_get_exit_status(channel);
        if (told >= 0) {
            status = told;
        } else if (ssh_is_connected(connection->session()) == 0) {
            why = "connection lost: " + connection->error_text();
        }
    }
    end(why);
    output.finish(status, why);
    moved.notify_all();
}

/// Stops watching; on the loop's thread.
void SshTerminal::State::end(const std::string& why) {
    if (!closed.exchange(true)) {
        log::debug("SSH session ended: {}", why);
    }
    boost::system::error_code ignored;
    watched.close(ignored);
    grace.cancel();
}

SshTerminal::SshTerminal(IoLoop& loop, std::unique_ptr<SshConnection> connection, const SshTarget& target,
                         const Deadline& deadline)
    : state_(std::make_shared<State>(loop, std::move(connection))) {
    state_->open_shell(target, deadline);
}

SshTerminal::~SshTerminal() {
    SshTerminal::close();
    // Handlers that still run hold the state; after this none will be started again.
    state_->loop.run_there([this] { state_->end("closed"); });
}

void SshTerminal::write(std::string_view bytes, const Deadline& deadline) {
    auto& state = *state_;
    while (!bytes.empty()) {
        std::unique_lock lock(state.mutex);
        if (state.closed || state.channel == nullptr) {
            throw Error("the session has ended: " + state.output.end_reason());
        }
        const int sent =
            ssh_channel_write(state.channel, bytes.data(),
                              static_cast<std::uint32_t>(std::min<std::size_t>(bytes.size(), 16384)));
        if (sent < 0) {
            throw Error("sending over SSH failed: " + state.connection->error_text());
        }
        bytes.remove_prefix(static_cast<std::size_t>(sent));
        // Writing may have read packets too, and may have left bytes to be flushed: the loop sees to both.
        asio::post(state.loop.context(), [self = state_] { self->pump(); });
        if (sent == 0) {
            if (deadline.expired()) {
                throw TimeoutError(
                    fmt::format("the guest took no input for {:.0f} s", deadline.total().count()));
            }
            state.moved.wait_for(lock, std::min(deadline.remaining(), Seconds{86400}));
        }
    }
}

void SshTerminal::close() {
    auto& state = *state_;
    if (state.closed.exchange(true)) {
        return;
    }
    state.output.finish(std::nullopt, "closed by this side");
    state.moved.notify_all();
    // Politely if nobody uses the connection just now (who does may be stuck in a send), else by cutting it.
    if (const std::unique_lock lock(state.mutex, std::try_to_lock); lock) {
        state.free_channel();  // closes it politely
        ssh_disconnect(state.connection->session());
    }
    state.connection->shut_down();
}

OutputBuffer& SshTerminal::output() {
    return state_->output;
}

}  // namespace vt

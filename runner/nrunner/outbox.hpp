// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Where messages go: status servers, and standard output.
///
/// Passive and non-blocking: the owner polls and tells it what is ready. A server that cannot be reached or
/// goes away is reported once and no longer served; the task goes on. A server whose queue is full (Avocado's
/// one loop has other work) is waited for, as nothing may be lost; messages that were not sent wait here.
///
/// A server is a Unix socket's path, or host:port as everywhere in Avocado.
#pragma once

#include "runner/nrunner/message.hpp"
#include "runner/support/deadline.hpp"
#include "runner/support/unique_fd.hpp"

#include <deque>
#include <string>
#include <vector>

#include <poll.h>
#include <sys/types.h>

namespace vt::nrunner {

/// One receiver of lines.
class Receiver {
  public:
    /// A status server; connecting begins at once and does not wait.
    explicit Receiver(std::string uri);
    /// Standard output of this process.
    struct StandardOutput {};
    explicit Receiver(StandardOutput);

    /// Queues a line with its newline.
    void post(std::string line);
    /// What to poll: its descriptor is -1 if nothing is to be done.
    pollfd wanted() const;
    /// Goes on after poll(2).
    void serve(short revents);
    /// Milliseconds until serve() should be called even if nothing is ready; -1: never.
    int patience_ms() const;

    bool dead() const { return state_ == State::dead; }
    bool idle() const { return dead() || lines_.empty(); }
    std::size_t waiting_bytes() const { return waiting_; }
    bool is_standard_output() const { return uri_.empty(); }
    /// Whether it was connected at any time.
    bool reached() const { return reached_; }
    /// The process that listens at its Unix socket; 0 if that cannot be told.
    pid_t server_pid() const;
    /// Why it was given up, once.
    std::string take_problem() { return std::exchange(problem_, {}); }

  private:
    enum class State { connecting, retrying, open, dead };

    void connect();
    void connect_unix();
    void connect_inet();
    void write_some();
    /// The connection broke: one new try with what was not sent, as Avocado's runners do.
    void lost(int errnum);
    void give_up(const std::string& why);

    std::string uri_;
    UniqueFd fd_;
    State state_ = State::dead;
    bool reached_ = false;
    std::deque<std::string> lines_;
    std::size_t sent_ = 0;     ///< bytes of the first line
    std::size_t waiting_ = 0;  ///< bytes in all lines
    int reconnects_left_ = 1;
    Deadline retry_until_ = Deadline::never();
    std::string problem_;
};

/// All receivers of a task.
class Outbox {
  public:
    /// \param echo false: standard output gets nothing
    Outbox(const std::vector<std::string>& uris, bool echo);

    /// Queues \p message for everybody.
    void post(const Message& message);
    /// True while so much waits that no more should be made.
    bool congested() const;
    bool idle() const;
    /// True if there are status servers, and not one of them could ever be reached.
    bool nobody_there() const;
    /// The process that serves a status server on this host, which is Avocado; 0 if that cannot be told.
    pid_t server_pid() const;

    /// Appends what to poll, one entry a receiver; after poll(2) serve() gets the same entries.
    void add_to(std::vector<pollfd>& fds) const;
    void serve(const pollfd* fds);
    int patience_ms() const;

    /// Sentences about receivers given up since the last call.
    std::vector<std::string> take_problems();

  private:
    std::vector<Receiver> receivers_;
};

}  // namespace vt::nrunner

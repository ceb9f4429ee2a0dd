// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Where messages go: status servers, and standard output.
///
/// Passive and non-blocking: the owner polls and tells it what is ready. A server that cannot be reached or
/// goes away is reported once and no longer served; the task goes on. A server whose queue is full (Avocado's
/// one loop has other work) is waited for, as nothing may be lost; messages that were not sent wait here.
///
/// A server is a Unix socket's path, or host:port as everywhere in Avocado.
///
/// What has been sent is booked in a DeliveryRecord. Another process that got a copy of the outbox by fork
/// can so go on where a killed one left off (take_over()): on the same connection, since Avocado reads
/// several connections in no order and must read nothing behind `finished`. Only where the dead one may have
/// left half a line there, a new connection is made, once the server has read the old one.
#pragma once

#include "runner/io/poll_set.hpp"
#include "runner/nrunner/delivery_record.hpp"
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
    /// A status server; connecting begins at once and does not wait. What is sent is booked in \p record.
    Receiver(std::string uri, DeliveryRecord& record);
    /// Standard output of this process.
    struct StandardOutput {};
    explicit Receiver(StandardOutput);

    /// Queues a line with its newline.
    void post(std::string line);
    /// Queues the line behind which there will be none.
    void post_last(std::string line);
    /// Forgets the lines before the last that nothing has been sent of.
    void drop_all_but_last();
    /// Makes a copy of a dead process's receiver this process's own, with nothing queued. False if nothing
    /// more needs to be said to it, or can be.
    bool take_over();
    /// Whether the record knows of a line that was sent.
    bool was_told() const;
    /// What to poll: its descriptor is -1 if nothing is to be done.
    pollfd wanted() const;
    /// The connection's descriptor; -1 if there is none.
    int fd() const { return fd_.get(); }
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
    enum class State { connecting, retrying, draining, open, dead };

    void connect();
    void connect_unix();
    void connect_inet();
    void write_some();
    /// Writes into the record what became of the line that is being sent.
    void book();
    /// The connection broke: one new try with what was not sent, as Avocado's runners do.
    void lost(int errnum);
    void give_up(const std::string& why);
    /// Whether the server has read all that was sent by the connection.
    bool drained() const;

    std::string uri_;
    DeliveryRecord* record_ = nullptr;
    std::uint32_t connection_ = 0;  ///< as the record counts them
    std::uint32_t posted_ = 0;
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
    /// Queues the message behind which there will be none.
    void post_last(const Message& message);
    /// Forgets what waits before the last message, for servers that do not read in time.
    void drop_all_but_last();
    /// In a copy of a dead process's outbox: goes on in its place, with \p first where nothing has been sent
    /// yet, then with \p rest, the last of which is `finished`. Servers that had it are left alone.
    void take_over(const Message& first, const std::vector<Message>& rest);
    /// The connections' descriptors.
    std::vector<int> descriptors() const;
    /// True while so much waits that no more should be made.
    bool congested() const;
    bool idle() const;
    /// True if there are status servers, and not one of them could ever be reached.
    bool nobody_there() const;
    /// The process that serves a status server on this host, which is Avocado; 0 if that cannot be told.
    pid_t server_pid() const;

    /// Adds what to poll, one entry a receiver; after the wait serve() gets the same entries.
    using Entries = std::vector<PollSet::Ticket>;
    Entries add_to(PollSet& polls) const;
    void serve(const PollSet& polls, const Entries& entries);
    int patience_ms() const;

    /// Sentences about receivers given up since the last call.
    std::vector<std::string> take_problems();

  private:
    template <typename Action>
    void for_each_line(const Message& message, Action&& action);

    DeliveryRecords records_;
    std::vector<Receiver> receivers_;
};

/// Sends until nothing waits or \p deadline has passed.
void drive(Outbox& outbox, const Deadline& deadline);

}  // namespace vt::nrunner

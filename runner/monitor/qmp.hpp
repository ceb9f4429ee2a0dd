// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// QEMU's machine protocol (docs/interop/qmp-spec in QEMU's sources) over a Unix socket.
///
/// The IoLoop reads whatever the test does: replies go to whoever sent the command with that id, events into
/// a queue and to handlers, the end of the connection to whoever waits and to on_closed(). Several threads
/// may run commands at once. QEMU is not trusted: a line beyond the limit or one that is no JSON object ends
/// the connection with a MonitorProtocolError for everyone, of greetings only the first counts, and of events
/// the latest are kept.
#pragma once

#include "runner/io/interrupt.hpp"
#include "runner/monitor/monitor_error.hpp"
#include "runner/support/deadline.hpp"
#include "runner/support/unique_fd.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace vt {

class IoLoop;

/// One asynchronous event.
class QmpEvent {
  public:
    explicit QmpEvent(nlohmann::json object);

    /// "SHUTDOWN", "GUEST_PANICKED", …
    const std::string& name() const { return name_; }
    /// QEMU's clock, seconds since the epoch.
    double timestamp() const { return timestamp_; }
    /// The "data" member, an empty object if there is none.
    const nlohmann::json& data() const;
    /// The whole message, as tests see it.
    const nlohmann::json& object() const { return *object_; }

  private:
    std::shared_ptr<const nlohmann::json> object_;
    std::string name_;
    double timestamp_ = 0;
};

/// What a monitor is and where it listens.
struct MonitorAddress {
    std::string name;     ///< as in parameter `monitors`
    std::string vm_name;  ///< for messages and logs
    std::filesystem::path socket;
    /// Traffic goes here, a line a message ("MONITOR-VM-pid-PID.log"); empty for no log.
    std::filesystem::path log_file;
    /// Ends the wait for the socket early, may be empty.
    std::shared_ptr<Interrupt> interrupt = {};
    /// A command that has had no answer for so long is spoken of in the log.
    Seconds silence{30};
};

/// A connected QMP monitor.
class QmpMonitor {
  public:
    using EventHandler = std::function<void(const QmpEvent&)>;

    /// Connects, reads the greeting, negotiates capabilities; a socket that is not there yet is awaited. \p
    /// loop must outlive the monitor. Throws MonitorConnectError, MonitorProtocolError, MonitorSocketError.
    static std::unique_ptr<QmpMonitor> connect(IoLoop& loop, const MonitorAddress& address,
                                               const Deadline& deadline);
    /// The same on a connection that is there already (one end of a pair whose other end QEMU inherits, or an
    /// accepted one). \p negotiate: false leaves greeting and capabilities to the caller.
    static std::unique_ptr<QmpMonitor> attach(IoLoop& loop, const MonitorAddress& address, UniqueFd socket,
                                              const Deadline& deadline, bool negotiate = true);
    ~QmpMonitor();
    QmpMonitor(const QmpMonitor&) = delete;
    QmpMonitor& operator=(const QmpMonitor&) = delete;

    /// Runs \p name and returns the reply's "return". Throws QMPCmdError, MonitorProtocolError (no reply in
    /// time), MonitorSocketError (connection lost).
    nlohmann::json command(const std::string& name, const nlohmann::json& arguments,
                           const Deadline& deadline);
    nlohmann::json command(const std::string& name, const Deadline& deadline);
    /// Sends \p object as it is and returns the whole reply object, errors included. An id is added if there
    /// is none.
    nlohmann::json command_object(nlohmann::json object, const Deadline& deadline);
    /// Runs a human monitor command line; returns its output.
    std::string human_monitor_cmd(const std::string& line, const Deadline& deadline);

    /// Events since the last clear_events(), oldest first (the latest 10,000, of 32 MiB together).
    std::vector<QmpEvent> get_events() const;
    /// The oldest kept event named \p name.
    std::optional<QmpEvent> get_event(const std::string& name) const;
    void clear_events();
    /// Drops the kept events named \p name.
    void clear_event(const std::string& name);
    /// The first kept or coming event that \p wanted accepts; nothing if \p deadline passes.
    /// Throws MonitorSocketError if the connection ends first.
    std::optional<QmpEvent> wait_event(const std::function<bool(const QmpEvent&)>& wanted,
                                       const Deadline& deadline);
    std::optional<QmpEvent> wait_event(const std::string& name, const Deadline& deadline);

    /// Takes out the first kept or coming event that \p wanted (empty: any) accepts; nothing if \p deadline
    /// passes. \p wanted must not use this object. Throws MonitorSocketError if the connection ends first.
    std::optional<QmpEvent> take_event(const std::function<bool(const QmpEvent&)>& wanted,
                                       const Deadline& deadline);
    /// Takes out all kept events, oldest first.
    std::vector<QmpEvent> take_events();
    /// Passes \p descriptor to QEMU, for its next command `getfd` or `add-fd`. Throws MonitorSocketError.
    void send_descriptor(int descriptor);

    /// Calls \p handler for each event from now on, on the loop's thread, which it must not block; it must
    /// not run commands. Returns a number for remove_handler().
    std::uint64_t on_event(EventHandler handler);
    void remove_handler(std::uint64_t id);
    /// Calls \p handler with the reason once, on the loop's thread, when the connection ends other than by
    /// close(); at once, on this thread, if it has.
    void on_closed(std::function<void(const std::string& reason)> handler);

    /// Throws unless query-status is answered.
    void verify_responsive(const Deadline& deadline);
    bool is_responsive(const Deadline& deadline);
    /// The names of query-commands; asked once.
    const std::vector<std::string>& supported_commands(const Deadline& deadline);
    /// Throws MonitorNotSupportedCmdError.
    void verify_supported_cmd(const std::string& name, const Deadline& deadline);
    /// The greeting message.
    const nlohmann::json& greeting() const;

    bool is_open() const;
    /// Ends the connection; whoever waits gets a MonitorSocketError. From any thread, idempotent.
    void close();
    const MonitorAddress& address() const;

    struct Impl;

  private:
    explicit QmpMonitor(std::shared_ptr<Impl> impl);
    std::shared_ptr<Impl> impl_;
};

}  // namespace vt

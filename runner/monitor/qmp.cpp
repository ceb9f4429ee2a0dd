// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/monitor/qmp.hpp"

#include "runner/io/io_loop.hpp"
#include "runner/io/socket.hpp"
#include "runner/io/socket_reader.hpp"
#include "runner/monitor/qmp_parser.hpp"
#include "runner/monitor/redact.hpp"
#include "runner/monitor/silence.hpp"
#include "runner/session/shell_error.hpp"
#include "runner/session/timestamped_log.hpp"
#include "runner/support/log.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <map>
#include <mutex>

#include <fcntl.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/socket.h>

namespace vt {
namespace {

/// A test that never clears events must not fill the memory.
constexpr std::size_t most_events = 10'000;
constexpr std::size_t most_event_bytes = std::size_t{32} << 20;  ///< as they came

using Json = nlohmann::json;

struct KeptEvent {
    std::uint64_t number;  ///< running
    QmpEvent event;
    std::size_t bytes;  ///< as it came
};

}  // namespace

QmpEvent::QmpEvent(Json object) {
    name_ = object.value("event", Json()).is_string() ? object["event"].get<std::string>() : std::string();
    const auto stamp = object.value("timestamp", Json());
    if (stamp.is_object() && stamp.value("seconds", Json()).is_number()) {
        const auto micros = stamp.value("microseconds", Json());
        timestamp_ = stamp["seconds"].get<double>() + (micros.is_number() ? micros.get<double>() / 1e6 : 0.0);
    }
    object_ = std::make_shared<const Json>(std::move(object));
}

const Json& QmpEvent::data() const {
    static const Json none = Json::object();
    const auto found = object_->find("data");
    return found != object_->end() ? *found : none;
}

struct QmpMonitor::Impl {
    Impl(IoLoop& its_loop, MonitorAddress its_address) : loop(its_loop), address(std::move(its_address)) {
        if (!address.log_file.empty()) {
            traffic.emplace(address.log_file);
        }
    }

    // On the loop's thread:
    void on_bytes(std::string_view bytes);
    void on_message(Json message, std::size_t bytes);
    void on_event(const QmpEvent& event, std::size_t bytes);
    void on_end(const std::string& reason, bool broken);

    void log_traffic(const std::string& line) {
        if (traffic) {
            traffic->write(line);
        }
    }
    /// Throws what tells why the connection is over. Caller holds the mutex.
    [[noreturn]] void throw_closed() const;
    Json await_reply(const std::string& id, const std::string& what, const Deadline& deadline);
    void await_greeting(const Deadline& deadline);
    Json run(const std::string& name, const Json& arguments, const Deadline& deadline);
    Json exchange(Json object, const Deadline& deadline);
    /// The kept events whose running number is at least \p number.
    std::vector<QmpEvent> events_from(std::uint64_t number) const;
    /// Waits for a change; false if \p deadline passed.
    bool wait(std::unique_lock<std::mutex>& lock, const Deadline& deadline);

    IoLoop& loop;
    MonitorAddress address;
    std::optional<TimestampedLog> traffic;
    QmpParser parser;
    std::unique_ptr<SocketReader> reader;  ///< made and destroyed on the loop's thread, which uses it
    pid_t peer = 0;                        ///< QEMU, if that can be told
    UniqueFd descriptors;                  ///< the same connection, for passing descriptors

    mutable std::mutex mutex;
    std::condition_variable changed;
    Json greeting;
    std::map<std::string, std::optional<Json>> pending;  ///< by id; filled when the reply has come
    std::uint64_t next_id = 1;
    std::deque<KeptEvent> events;
    std::size_t event_bytes = 0;
    std::uint64_t next_event = 0;
    std::vector<std::pair<std::uint64_t, EventHandler>> handlers;
    std::uint64_t next_handler = 1;
    std::vector<std::function<void(const std::string&)>> close_handlers;
    bool closed = false;
    bool broken = false;  ///< closed because of what QEMU sent
    std::string reason;
    std::vector<std::string> commands;
};

void QmpMonitor::Impl::on_bytes(std::string_view bytes) {
    try {
        for (const auto& line : parser.feed(bytes)) {
            log_traffic(line);
            on_message(QmpParser::parse(line), line.size());
        }
    } catch (const MonitorProtocolError& error) {
        reader->close();
        on_end(error.what(), true);
    }
}

void QmpMonitor::Impl::on_message(Json message, std::size_t bytes) {
    if (message.contains("event")) {
        on_event(QmpEvent(std::move(message)), bytes);
        return;
    }
    {
        const std::lock_guard lock(mutex);
        if (message.contains("QMP")) {
            if (!greeting.is_null()) {
                // Somebody may hold a reference to the first one, and no QEMU sends two.
                log::debug("(monitor {}.{}) A further greeting is ignored", address.vm_name, address.name);
                return;
            }
            greeting = std::move(message);
        } else {
            const auto id = message.value("id", Json());
            const auto waiting = id.is_string() ? pending.find(id.get<std::string>()) : pending.end();
            if (waiting == pending.end()) {
                // A late reply, or QEMU's complaint about something that it could not parse.
                log::debug("(monitor {}.{}) Nobody waits for reply {}", address.vm_name, address.name,
                           id.dump());
                return;
            }
            waiting->second = std::move(message);
        }
    }
    changed.notify_all();
}

void QmpMonitor::Impl::on_event(const QmpEvent& event, std::size_t bytes) {
    std::vector<std::pair<std::uint64_t, EventHandler>> called;
    {
        const std::lock_guard lock(mutex);
        events.push_back({next_event++, event, bytes});
        event_bytes += bytes;
        while (events.size() > most_events || (event_bytes > most_event_bytes && events.size() > 1)) {
            event_bytes -= events.front().bytes;
            events.pop_front();
        }
        called = handlers;
    }
    changed.notify_all();
    for (const auto& [id, handler] : called) {
        handler(event);
    }
}

void QmpMonitor::Impl::on_end(const std::string& why, bool is_broken) {
    std::vector<std::function<void(const std::string&)>> called;
    {
        const std::lock_guard lock(mutex);
        if (closed) {
            return;
        }
        closed = true;
        broken = is_broken;
        reason = why;
        called.swap(close_handlers);
    }
    changed.notify_all();
    log::debug("(monitor {}.{}) Connection ended: {}", address.vm_name, address.name, why);
    for (const auto& handler : called) {
        handler(why);
    }
}

void QmpMonitor::Impl::throw_closed() const {
    if (broken) {
        throw MonitorProtocolError(reason);
    }
    throw MonitorSocketError("Could not receive data from monitor", reason);
}

std::vector<QmpEvent> QmpMonitor::Impl::events_from(std::uint64_t number) const {
    std::vector<QmpEvent> found;
    const std::lock_guard lock(mutex);
    for (const auto& kept : events) {
        if (kept.number >= number) {
            found.push_back(kept.event);
        }
    }
    return found;
}

bool QmpMonitor::Impl::wait(std::unique_lock<std::mutex>& lock, const Deadline& deadline) {
    if (deadline.expired()) {
        return false;
    }
    changed.wait_for(lock, std::min(deadline.remaining(), Seconds{86400}));
    return true;
}

void QmpMonitor::Impl::await_greeting(const Deadline& deadline) {
    std::unique_lock lock(mutex);
    while (greeting.is_null()) {
        if (closed) {
            throw_closed();
        }
        if (!wait(lock, deadline)) {
            throw MonitorProtocolError(fmt::format("No QMP greeting message received within {:.0f} s from {}",
                                                   deadline.total().count(), address.socket.string()));
        }
    }
}

Json QmpMonitor::Impl::await_reply(const std::string& id, const std::string& what, const Deadline& deadline) {
    Silence silence(fmt::format("{}.{}", address.vm_name, address.name), what, peer, address.silence);
    std::unique_lock lock(mutex);
    for (;;) {
        const auto waiting = pending.find(id);
        if (waiting->second) {
            Json reply = std::move(*waiting->second);
            pending.erase(waiting);
            return reply;
        }
        if (closed || deadline.expired()) {
            pending.erase(id);
            if (closed) {
                throw_closed();
            }
            throw MonitorProtocolError(fmt::format(
                "Received no response to QMP command '{}', or received a response with an incorrect id, "
                "within {:.0f} s{}",
                what, deadline.total().count(), Silence::state_words(peer)));
        }
        if (!wait(lock, deadline.sooner(silence.due()))) {
            lock.unlock();
            silence.speak();
            lock.lock();
        }
    }
}

Json QmpMonitor::Impl::exchange(Json object, const Deadline& deadline) {
    const std::string what = object.value("execute", object.value("exec-oob", std::string("?")));
    std::string id;
    {
        const std::lock_guard lock(mutex);
        if (closed) {
            throw_closed();
        }
        const auto given = object.find("id");
        id = given != object.end() && given->is_string() ? given->get<std::string>()
                                                         : fmt::format("vt-{}", next_id++);
        if (!pending.emplace(id, std::nullopt).second) {
            throw MonitorLockError(fmt::format("a QMP command with id '{}' is still running", id));
        }
    }
    object["id"] = id;
    constexpr auto replace = Json::error_handler_t::replace;
    log_traffic(redact(object).dump(-1, ' ', false, replace));
    try {
        reader->write(object.dump(-1, ' ', true, replace) + "\n", deadline);
    } catch (const Error& error) {
        const std::lock_guard lock(mutex);
        pending.erase(id);
        throw MonitorSocketError(fmt::format("Could not send QMP command '{}'", what), error.what());
    }
    return await_reply(id, what, deadline);
}

Json QmpMonitor::Impl::run(const std::string& name, const Json& arguments, const Deadline& deadline) {
    Json object{{"execute", name}};
    if (!arguments.is_null()) {
        object["arguments"] = arguments;
    }
    Json reply = exchange(std::move(object), deadline);
    const auto error = reply.find("error");
    if (error != reply.end()) {
        throw QMPCmdError(name, arguments, *error);
    }
    const auto value = reply.find("return");
    if (value == reply.end()) {
        throw MonitorProtocolError(
            fmt::format("the reply to QMP command '{}' has neither 'return' nor 'error'", name));
    }
    return std::move(*value);
}

QmpMonitor::QmpMonitor(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

QmpMonitor::~QmpMonitor() {
    close();
    // There, since a handler that runs just now uses it.
    impl_->loop.run_there([this] { impl_->reader.reset(); });
}

std::unique_ptr<QmpMonitor> QmpMonitor::connect(IoLoop& loop, const MonitorAddress& address,
                                                const Deadline& deadline) {
    UniqueFd socket;
    try {
        socket = connect_unix(address.socket, deadline, address.interrupt.get());
    } catch (const Error& error) {
        throw MonitorConnectError(address.name, error.what());
    }
    return attach(loop, address, std::move(socket), deadline);
}

std::unique_ptr<QmpMonitor> QmpMonitor::attach(IoLoop& loop, const MonitorAddress& address, UniqueFd socket,
                                               const Deadline& deadline, bool negotiate) {
    auto impl = std::make_shared<Impl>(loop, address);
    impl->peer = socket_peer(socket.get());
    impl->descriptors.reset(::fcntl(socket.get(), F_DUPFD_CLOEXEC, 0));
    const std::weak_ptr<Impl> weak = impl;
    // Made on the loop's thread, so that it is stored before the first bytes are handled.
    loop.run_there([&] {
        impl->reader =
            std::make_unique<SocketReader>(loop, std::move(socket),
                                           SocketReader::Handlers{[weak](std::string_view bytes) {
                                                                      if (const auto self = weak.lock()) {
                                                                          self->on_bytes(bytes);
                                                                      }
                                                                  },
                                                                  [weak](const std::string& reason) {
                                                                      if (const auto self = weak.lock()) {
                                                                          self->on_end(reason, false);
                                                                      }
                                                                  }});
    });
    std::unique_ptr<QmpMonitor> monitor(new QmpMonitor(std::move(impl)));
    if (negotiate) {
        monitor->impl_->await_greeting(deadline);
        monitor->impl_->run("qmp_capabilities", {}, deadline);
    }
    return monitor;
}

Json QmpMonitor::command(const std::string& name, const Json& arguments, const Deadline& deadline) {
    log::debug("(monitor {}.{}) Sending command '{}'", impl_->address.vm_name, impl_->address.name, name);
    return impl_->run(name, arguments, deadline);
}

Json QmpMonitor::command(const std::string& name, const Deadline& deadline) {
    return command(name, Json(), deadline);
}

Json QmpMonitor::command_object(Json object, const Deadline& deadline) {
    return impl_->exchange(std::move(object), deadline);
}

std::string QmpMonitor::human_monitor_cmd(const std::string& line, const Deadline& deadline) {
    log::debug("(monitor {}.{}) Sending command '{}' (via Human Monitor)", impl_->address.vm_name,
               impl_->address.name, redact_line(line));
    const auto output = impl_->run("human-monitor-command", {{"command-line", line}}, deadline);
    return output.is_string() ? output.get<std::string>() : output.dump();
}

std::vector<QmpEvent> QmpMonitor::get_events() const {
    return impl_->events_from(0);
}

std::optional<QmpEvent> QmpMonitor::get_event(const std::string& name) const {
    const std::lock_guard lock(impl_->mutex);
    for (const auto& kept : impl_->events) {
        if (kept.event.name() == name) {
            return kept.event;
        }
    }
    return std::nullopt;
}

void QmpMonitor::clear_events() {
    const std::lock_guard lock(impl_->mutex);
    impl_->events.clear();
    impl_->event_bytes = 0;
}

void QmpMonitor::clear_event(const std::string& name) {
    const std::lock_guard lock(impl_->mutex);
    auto& events = impl_->events;
    for (auto kept = events.begin(); kept != events.end();) {
        if (kept->event.name() == name) {
            impl_->event_bytes -= kept->bytes;
            kept = events.erase(kept);
        } else {
            ++kept;
        }
    }
}

std::optional<QmpEvent> QmpMonitor::wait_event(const std::function<bool(const QmpEvent&)>& wanted,
                                               const Deadline& deadline) {
    std::uint64_t next = 0;
    for (;;) {
        std::uint64_t seen = 0;
        {
            const std::lock_guard lock(impl_->mutex);
            seen = impl_->next_event;
        }
        // Looked at without the lock: a test's predicate may take other locks (Python's).
        for (const auto& event : impl_->events_from(next)) {
            if (wanted(event)) {
                return event;
            }
        }
        next = seen;
        std::unique_lock lock(impl_->mutex);
        while (impl_->next_event == next) {
            if (impl_->closed) {
                impl_->throw_closed();
            }
            if (!impl_->wait(lock, deadline)) {
                return std::nullopt;
            }
        }
    }
}

std::optional<QmpEvent> QmpMonitor::wait_event(const std::string& name, const Deadline& deadline) {
    return wait_event([&](const QmpEvent& event) { return event.name() == name; }, deadline);
}

std::optional<QmpEvent> QmpMonitor::take_event(const std::function<bool(const QmpEvent&)>& wanted,
                                               const Deadline& deadline) {
    std::unique_lock lock(impl_->mutex);
    for (std::uint64_t next = 0;;) {
        auto& events = impl_->events;
        for (auto kept = events.begin(); kept != events.end(); ++kept) {
            if (kept->number >= next && (!wanted || wanted(kept->event))) {
                auto event = std::move(kept->event);
                impl_->event_bytes -= kept->bytes;
                events.erase(kept);
                return event;
            }
        }
        next = impl_->next_event;
        while (impl_->next_event == next) {
            if (impl_->closed) {
                impl_->throw_closed();
            }
            if (!impl_->wait(lock, deadline)) {
                return std::nullopt;
            }
        }
    }
}

std::vector<QmpEvent> QmpMonitor::take_events() {
    std::vector<QmpEvent> taken;
    const std::lock_guard lock(impl_->mutex);
    for (auto& kept : impl_->events) {
        taken.push_back(std::move(kept.event));
    }
    impl_->events.clear();
    impl_->event_bytes = 0;
    return taken;
}

void QmpMonitor::send_descriptor(int descriptor) {
    // QEMU skips white space between messages; a descriptor travels with at least one byte.
    char blank = ' ';
    iovec part{&blank, 1};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    auto* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(header), &descriptor, sizeof(int));
    if (::sendmsg(impl_->descriptors.get(), &message, MSG_NOSIGNAL) != 1) {
        throw MonitorSocketError("Could not pass a descriptor to QEMU", std::strerror(errno));
    }
}

std::uint64_t QmpMonitor::on_event(EventHandler handler) {
    const std::lock_guard lock(impl_->mutex);
    impl_->handlers.emplace_back(impl_->next_handler, std::move(handler));
    return impl_->next_handler++;
}

void QmpMonitor::remove_handler(std::uint64_t id) {
    {
        const std::lock_guard lock(impl_->mutex);
        auto& handlers = impl_->handlers;
        handlers.erase(std::remove_if(handlers.begin(), handlers.end(),
                                      [&](const auto& entry) { return entry.first == id; }),
                       handlers.end());
    }
    impl_->loop.run_there([] {});  // it may be running just now
}

void QmpMonitor::on_closed(std::function<void(const std::string&)> handler) {
    std::string reason;
    {
        const std::lock_guard lock(impl_->mutex);
        if (!impl_->closed) {
            impl_->close_handlers.push_back(std::move(handler));
            return;
        }
        reason = impl_->reason;
    }
    handler(reason);
}

void QmpMonitor::verify_responsive(const Deadline& deadline) {
    impl_->run("query-status", {}, deadline);
}

bool QmpMonitor::is_responsive(const Deadline& deadline) {
    try {
        verify_responsive(deadline);
        return true;
    } catch (const MonitorError&) {
        return false;
    }
}

const std::vector<std::string>& QmpMonitor::supported_commands(const Deadline& deadline) {
    {
        const std::lock_guard lock(impl_->mutex);
        if (!impl_->commands.empty()) {
            return impl_->commands;
        }
    }
    const auto listed = impl_->run("query-commands", {}, deadline);
    std::vector<std::string> names;
    for (const auto& entry : listed) {
        if (entry.is_object() && entry.value("name", Json()).is_string()) {
            names.push_back(entry["name"].get<std::string>());
        }
    }
    const std::lock_guard lock(impl_->mutex);
    if (impl_->commands.empty()) {
        impl_->commands = std::move(names);
    }
    return impl_->commands;
}

void QmpMonitor::verify_supported_cmd(const std::string& name, const Deadline& deadline) {
    const auto& names = supported_commands(deadline);
    if (std::find(names.begin(), names.end(), name) == names.end()) {
        throw MonitorNotSupportedCmdError(impl_->address.name, name);
    }
}

const Json& QmpMonitor::greeting() const {
    return impl_->greeting;
}

bool QmpMonitor::is_open() const {
    const std::lock_guard lock(impl_->mutex);
    return !impl_->closed;
}

void QmpMonitor::close() {
    {
        const std::lock_guard lock(impl_->mutex);
        if (impl_->closed) {
            return;
        }
        impl_->closed = true;
        impl_->reason = "closed by this side";
        impl_->close_handlers.clear();
    }
    impl_->changed.notify_all();
    impl_->reader->close();
}

const MonitorAddress& QmpMonitor::address() const {
    return impl_->address;
}

}  // namespace vt

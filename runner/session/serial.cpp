// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/session/serial.hpp"

#include "runner/io/io_loop.hpp"
#include "runner/io/socket.hpp"
#include "runner/io/socket_reader.hpp"
#include "runner/session/prompts.hpp"
#include "runner/session/timestamped_log.hpp"
#include "runner/support/log.hpp"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <vector>

#include <fmt/format.h>

namespace vt {
namespace {

/// What tail() can show at most.
constexpr std::size_t kept_output = std::size_t{64} << 10;
/// How long each answer may take during a login; then an empty line is sent, then the attempt starts anew.
constexpr Seconds login_step{10};
/// A refused password is believed when it was refused so often: kernel messages can make an answer look
/// refused.
constexpr int most_refusals = 2;

}  // namespace

struct SerialConsole::Impl : std::enable_shared_from_this<SerialConsole::Impl> {
    void on_bytes(std::string_view bytes);
    void on_end(const std::string& reason);
    void on_line(std::string_view line);
    /// What was printed after the last newline: a prompt that somebody waits at, or nothing.
    std::string unfinished_line() const;
    /// Reads \p connected from now on.
    void read(UniqueFd connected);
    /// The connection; waits for it while the console is somebody else's. Throws TimeoutError.
    std::shared_ptr<SocketReader> connection(const Deadline& deadline);

    explicit Impl(IoLoop& its_loop, std::filesystem::path its_socket)
        : loop(its_loop), socket(std::move(its_socket)) {}

    IoLoop& loop;
    const std::filesystem::path socket;
    std::optional<TimestampedLog> log;
    OutputBuffer lines;  ///< only cuts the stream into lines

    mutable std::mutex mutex;
    std::condition_variable taken_back;
    std::shared_ptr<SocketReader> reader;  ///< none while somebody else has the console
    std::string kept;
    std::vector<std::shared_ptr<OutputBuffer>> sessions;
    std::vector<LineHandler> watchers;
    std::vector<std::function<void()>> close_handlers;
    bool open = true;
};

namespace {

/// A session's end of the console: closing it leaves the console open.
class ConsoleTerminal : public Terminal {
  public:
    explicit ConsoleTerminal(std::shared_ptr<SerialConsole::Impl> console) : console_(std::move(console)) {
        const std::lock_guard lock(console_->mutex);
        if (console_->open) {
            console_->sessions.push_back(output_);
        } else {
            output_->finish(std::nullopt, "the console is closed");
        }
    }
    ~ConsoleTerminal() override { detach(); }
    ConsoleTerminal(const ConsoleTerminal&) = delete;
    ConsoleTerminal& operator=(const ConsoleTerminal&) = delete;

    void write(std::string_view bytes, const Deadline& deadline) override {
        if (output_->finished()) {
            throw Error("the session has ended: " + output_->end_reason());
        }
        console_->connection(deadline)->write(bytes, deadline);
    }
    void close() override {
        detach();
        output_->finish(std::nullopt, "closed by this side");
    }
    OutputBuffer& output() override { return *output_; }

  private:
    void detach() {
        const std::lock_guard lock(console_->mutex);
        auto& sessions = console_->sessions;
        sessions.erase(std::remove(sessions.begin(), sessions.end(), output_), sessions.end());
    }

    std::shared_ptr<SerialConsole::Impl> console_;
    std::shared_ptr<OutputBuffer> output_ = std::make_shared<OutputBuffer>();
};

}  // namespace

void SerialConsole::Impl::on_bytes(std::string_view bytes) {
    std::vector<std::shared_ptr<OutputBuffer>> readers;
    {
        const std::lock_guard lock(mutex);
        kept += bytes;
        if (kept.size() > 2 * kept_output) {
            kept.erase(0, kept.size() - kept_output);
        }
        readers = sessions;
    }
    for (const auto& session : readers) {
        session->append(bytes);
    }
    lines.append(bytes);
    lines.take();
}

void SerialConsole::Impl::on_line(std::string_view line) {
    const auto text = strip_control_sequences(line);
    if (log) {
        log->write(text);
    }
    std::vector<LineHandler> called;
    {
        const std::lock_guard lock(mutex);
        called = watchers;
    }
    for (const auto& watcher : called) {
        watcher(text);
    }
}

void SerialConsole::Impl::on_end(const std::string& reason) {
    lines.finish(std::nullopt, reason);
    std::vector<std::function<void()>> called;
    std::vector<std::shared_ptr<OutputBuffer>> readers;
    {
        const std::lock_guard lock(mutex);
        open = false;
        readers.swap(sessions);
        called.swap(close_handlers);
    }
    for (const auto& session : readers) {
        session->finish(std::nullopt, reason);
    }
    for (const auto& handler : called) {
        handler();
    }
}

std::string SerialConsole::Impl::unfinished_line() const {
    const std::lock_guard lock(mutex);
    const std::size_t end = kept.find_last_of('\n');
    return strip_control_sequences(end == std::string::npos ? kept : kept.substr(end + 1));
}

void SerialConsole::Impl::read(UniqueFd connected) {
    const std::weak_ptr<Impl> weak = weak_from_this();
    SocketReader::Handlers handlers{[weak](std::string_view bytes) {
                                        if (const auto self = weak.lock()) {
                                            self->on_bytes(bytes);
                                        }
                                    },
                                    [weak](const std::string& reason) {
                                        if (const auto self = weak.lock()) {
                                            self->on_end(reason);
                                        }
                                    }};
    // Made on the loop's thread, so that it is stored before the first bytes are handled.
    loop.run_there([&] {
        auto made = std::make_shared<SocketReader>(loop, std::move(connected), std::move(handlers));
        const std::lock_guard lock(mutex);
        reader = std::move(made);
    });
    taken_back.notify_all();
}

std::shared_ptr<SocketReader> SerialConsole::Impl::connection(const Deadline& deadline) {
    std::unique_lock lock(mutex);
    while (!reader) {
        if (!open) {
            throw Error("the console is closed");
        }
        if (deadline.expired()) {
            throw TimeoutError(fmt::format("the console {} was somebody else's for {:g} s", socket.native(),
                                           deadline.total().count()));
        }
        taken_back.wait_for(lock, std::min(deadline.remaining(), Seconds{86400}));
    }
    return reader;
}

SerialConsole::SerialConsole(IoLoop& loop, const std::filesystem::path& socket,
                             const std::filesystem::path& log_file, const Deadline& deadline,
                             const Interrupt* interrupt)
    : impl_(std::make_shared<Impl>(loop, socket)) {
    if (!log_file.empty()) {
        impl_->log.emplace(log_file);
    }
    const std::weak_ptr<Impl> weak = impl_;
    impl_->lines.set_line_handler([weak](std::string_view line) {
        if (const auto self = weak.lock()) {
            self->on_line(line);
        }
    });
    impl_->read(connect_unix(socket, deadline, interrupt));
}

SerialConsole::~SerialConsole() {
    std::shared_ptr<SocketReader> reader;
    {
        const std::lock_guard lock(impl_->mutex);
        reader.swap(impl_->reader);
        impl_->taken_back.notify_all();
    }
    if (reader) {
        reader->close();
    }
    reader.reset();
    // Sessions may live on; they see the end. The last partial line reaches the log.
    impl_->on_end("the console was closed");
}

void SerialConsole::watch(LineHandler watcher) {
    const std::lock_guard lock(impl_->mutex);
    impl_->watchers.push_back(std::move(watcher));
}

void SerialConsole::on_closed(std::function<void()> handler) {
    {
        const std::lock_guard lock(impl_->mutex);
        if (impl_->open) {
            impl_->close_handlers.push_back(std::move(handler));
            return;
        }
    }
    handler();
}

std::string SerialConsole::tail(std::size_t bytes) const {
    std::string text;
    {
        const std::lock_guard lock(impl_->mutex);
        text = impl_->kept;
    }
    TerminalFilter filter;
    text = strip_control_sequences(filter.feed(text));
    if (text.size() > bytes) {
        text.erase(0, text.size() - bytes);
        const std::size_t begin = text.find('\n');
        text.erase(0, begin == std::string::npos ? 0 : begin + 1);
    }
    return text;
}

bool SerialConsole::is_open() const {
    const std::lock_guard lock(impl_->mutex);
    return impl_->open;
}

void SerialConsole::let_go() {
    std::shared_ptr<SocketReader> reader;
    {
        const std::lock_guard lock(impl_->mutex);
        reader.swap(impl_->reader);
    }
    // Ended without the lock, which its handlers take.
    if (reader) {
        reader->close();
    }
}

void SerialConsole::take_back(const Deadline& deadline) {
    {
        const std::lock_guard lock(impl_->mutex);
        if (!impl_->open || impl_->reader) {
            return;
        }
    }
    auto connected = connect_unix(impl_->socket, deadline, nullptr);
    if (impl_->log) {
        impl_->log->write("(the console was left to others while the test was paused)");
    }
    impl_->read(std::move(connected));
}

const std::filesystem::path& SerialConsole::socket() const {
    return impl_->socket;
}

std::unique_ptr<ShellSession> SerialConsole::session(ShellOptions options) {
    return std::make_unique<ShellSession>(std::make_unique<ConsoleTerminal>(impl_), std::move(options));
}

std::unique_ptr<ShellSession> SerialConsole::login(const ConsoleLogin& login, const Deadline& deadline) {
    auto session = this->session(login.shell);
    // An interrupt ends the session, which wakes the wait.
    const InterruptWatch watch(login.interrupt, [&session] { session->close(); });
    // Where somebody waits at a prompt, it is asked for again; where a guest is booting, the prompt will come
    // by itself.
    if (!impl_->unfinished_line().empty()) {
        session->sendline();
    }
    int refusals = 0;
    for (;;) {
        try {
            handle_prompts(*session, login.username, login.password, login_step, deadline);
            session->learn_prompt(login_step);
            return session;
        } catch (const LoginAuthenticationError& error) {
            if (++refusals >= most_refusals || deadline.expired()) {
                throw;
            }
            log::debug("serial login: {}; trying again", error.what());
        } catch (const LoginTimeoutError& error) {
            if (deadline.expired()) {
                throw LoginTimeoutError(tail());
            }
        } catch (const ExpectTimeoutError& error) {
            if (deadline.expired()) {
                throw LoginTimeoutError(tail());
            }
        } catch (const LoginProcessTerminatedError&) {
            if (login.interrupt && login.interrupt->reason()) {
                throw LoginError(*login.interrupt->reason(), tail());
            }
            throw;
        }
        session->sendline();
    }
}

}  // namespace vt

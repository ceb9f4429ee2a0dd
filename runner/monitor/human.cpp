// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/monitor/human.hpp"

#include "runner/io/io_loop.hpp"
#include "runner/io/socket.hpp"
#include "runner/io/socket_reader.hpp"
#include "runner/monitor/redact.hpp"
#include "runner/monitor/silence.hpp"
#include "runner/session/expect_text.hpp"
#include "runner/session/shell_error.hpp"
#include "runner/session/timestamped_log.hpp"
#include "runner/support/log.hpp"
#include "runner/support/strings.hpp"

#include <fmt/format.h>

namespace vt {
namespace {

constexpr std::string_view prompt = "(qemu)";

/// The output between the echo (the first line, redrawn letter by letter) and the prompt.
std::string without_echo_and_prompt(const std::string& read) {
    const auto lines = lines_of(read);
    std::vector<std::string> kept;
    for (std::size_t i = 1; i + 1 < lines.size(); ++i) {
        kept.emplace_back(lines[i]);
    }
    return join(kept, "\n");
}

}  // namespace

struct HumanMonitor::Impl {
    explicit Impl(MonitorAddress its_address) : address(std::move(its_address)) {
        if (!address.log_file.empty()) {
            traffic.emplace(address.log_file);
        }
    }

    /// What comes up to the prompt.
    std::string read_up_to_prompt(const Deadline& deadline, const std::string& what) {
        std::string read;
        Silence silence(fmt::format("{}.{}", address.vm_name, address.name), what, peer, address.silence);
        for (;;) {
            if (output.wait(deadline.sooner(silence.due()))) {
                read += output.take();
                if (last_word(read).ends_with(prompt)) {
                    return read;
                }
            } else if (output.finished()) {
                throw MonitorSocketError("Could not receive data from monitor", output.end_reason());
            } else if (deadline.expired()) {
                throw MonitorProtocolError(
                    fmt::format("Could not find (qemu) prompt {} within {:.0f} s. Output so far: {}{}", what,
                                deadline.total().count(), python_repr(read), Silence::state_words(peer)));
            } else {
                silence.speak();
            }
        }
    }

    MonitorAddress address;
    pid_t peer = 0;  ///< QEMU, if that can be told
    OutputBuffer output;
    std::optional<TimestampedLog> traffic;
    std::timed_mutex mutex;  ///< held by the thread whose command runs
    std::unique_ptr<SocketReader> reader;
};

HumanMonitor::HumanMonitor(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

HumanMonitor::~HumanMonitor() {
    close();
}

std::unique_ptr<HumanMonitor> HumanMonitor::connect(IoLoop& loop, const MonitorAddress& address,
                                                    const Deadline& deadline) {
    auto impl = std::make_unique<Impl>(address);
    auto* output = &impl->output;
    try {
        auto socket = connect_unix(address.socket, deadline, address.interrupt.get());
        impl->peer = socket_peer(socket.get());
        impl->reader = std::make_unique<SocketReader>(
            loop, std::move(socket),
            SocketReader::Handlers{
                [output](std::string_view bytes) { output->append(bytes); },
                [output](const std::string& reason) { output->finish(std::nullopt, reason); }});
    } catch (const Error& error) {
        throw MonitorConnectError(address.name, error.what());
    }
    impl->read_up_to_prompt(deadline, "after connecting to monitor");
    return std::unique_ptr<HumanMonitor>(new HumanMonitor(std::move(impl)));
}

std::string HumanMonitor::command(const std::string& line, const Deadline& deadline) {
    log::debug("(monitor {}.{}) Sending command '{}'", impl_->address.vm_name, impl_->address.name,
               redact_line(line));
    const std::unique_lock lock(impl_->mutex, std::min(deadline.remaining(), Seconds{86400}));
    if (!lock) {
        throw MonitorLockError(
            fmt::format("Could not acquire exclusive lock to send monitor command '{}'", redact_line(line)));
    }
    impl_->output.take();
    if (impl_->traffic) {
        impl_->traffic->write(redact_line(line));
    }
    try {
        impl_->reader->write(line + "\n", deadline);
    } catch (const Error& error) {
        throw MonitorSocketError("Could not send monitor command " + python_repr(redact_line(line)),
                                 error.what());
    }
    auto output = without_echo_and_prompt(
        impl_->read_up_to_prompt(deadline, fmt::format("after command '{}'", redact_line(line))));
    if (impl_->traffic) {
        for (const auto shown : lines_of(output)) {
            impl_->traffic->write(shown);
        }
    }
    if (output.find("Error: ") != std::string::npos) {
        throw HumanCmdError(line, output);
    }
    return output;
}

void HumanMonitor::verify_responsive(const Deadline& deadline) {
    command("info status", deadline);
}

bool HumanMonitor::is_responsive(const Deadline& deadline) {
    try {
        verify_responsive(deadline);
        return true;
    } catch (const MonitorError&) {
        return false;
    }
}

bool HumanMonitor::is_open() const {
    return !impl_->output.finished();
}

void HumanMonitor::close() {
    impl_->output.finish(std::nullopt, "closed by this side");
    if (impl_->reader) {
        impl_->reader->close();
    }
}

}  // namespace vt

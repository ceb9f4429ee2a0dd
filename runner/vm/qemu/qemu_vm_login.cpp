// SPDX-License-Identifier: GPL-2.0-or-later
// Sessions with the guest, and file copies.
#include "runner/support/log.hpp"
#include "runner/support/strings.hpp"
#include "runner/vm/qemu/port_knock.hpp"
#include "runner/vm/qemu/qemu_vm_impl.hpp"

#include <chrono>

#include <fmt/chrono.h>
#include <fmt/core.h>

namespace vt::qemu {

namespace {

/// `shell_linesep` and its like are written with Python's escapes ("\n", "\r\n").
std::string unescape(const std::string& text) {
    return replace_all(replace_all(replace_all(text, "\\r", "\r"), "\\n", "\n"), "\\t", "\t");
}

/// A session that ends when the guest panics: its connection alone would stay silent for ever.
struct WatchedSession {
    WatchedSession(std::unique_ptr<ShellSession> watched, std::shared_ptr<Interrupt> interrupt)
        : session(std::move(watched)), watch(std::move(interrupt), [this] { session->close(); }) {}

    std::unique_ptr<ShellSession> session;
    InterruptWatch watch;  ///< goes first
};

// QEMU's user-mode network, unless `-netdev` says otherwise (its documentation: net, host, dhcpstart); the
// gateway's hardware address is made of its other one.
constexpr Ipv4Bytes guest_address{10, 0, 2, 15};
constexpr Ipv4Bytes gateway_address{10, 0, 2, 2};
constexpr MacBytes gateway_mac{0x52, 0x55, 10, 0, 2, 2};

std::string now_text() {
    return fmt::format("{:%Y%m%d-%H%M%S}", fmt::localtime(std::time(nullptr)));
}

/// Files go over SSH; what waits for them in the guest by another protocol would wait for ever.
void check_transfer_client(const Params& view) {
    if (const auto client = view.get("file_transfer_client", "scp"); client != "scp") {
        throw TransferBadClientError(client);
    }
}

}  // namespace

Params QemuVm::nic_params(std::size_t nic) const {
    const Params view = params_.object_params(name_);
    const auto& nics = running().machine.nics;
    if (nics.empty() && nic == 0) {
        throw VMAddressError(
            fmt::format("VM {} has no network card to log in by; use the serial console", name_));
    }
    if (nic >= nics.size()) {
        throw VMInterfaceIndexError(
            fmt::format("VM {} has {} network cards, number {} is none of them", name_, nics.size(), nic));
    }
    return view.object_params(nics[nic].name);
}

ShellOptions QemuVm::shell_options(const Params& view) const {
    ShellOptions options;
    options.prompt = view.get("shell_prompt", options.prompt);
    if (const auto separator = view.get("shell_linesep"); !separator.empty()) {
        options.line_separator = unescape(separator);
    }
    options.status_test_command = view.get("status_test_command", options.status_test_command);
    options.log_prefix = name_;
    return options;
}

SshTarget QemuVm::ssh_target(std::size_t nic, const char* port_key) {
    const Params view = nic_params(nic);
    const auto client = view.get("shell_client", "ssh");
    if (client != "ssh") {
        throw LoginBadClientError(client);
    }
    SshTarget target;
    target.host = get_address(nic);
    const auto guest_port = static_cast<std::uint16_t>(view.get_numeric(port_key, 22));
    target.port = get_port(guest_port, nic);
    if (target.host.starts_with("fe80:")) {
        target.interface = running().machine.nics[nic].netdst;
    }
    target.username = view.get("username", "root");
    target.password = view.get("password");
    target.shell = shell_options(view);
    target.interrupt = running().watch->interrupt();
    target.sign = server_sign(nic, guest_port);
    return target;
}

/// Behind a bridge the host's own kernel keeps connections that come too early from the guest.
std::shared_ptr<ServerSign> QemuVm::server_sign(std::size_t nic, std::uint16_t port) {
    Running& run = running();
    const auto& card = run.machine.nics[nic];
    if (*run.answers || run.placement.taps.contains(card.name)) {
        return nullptr;
    }
    if (!card.netdev_properties.empty()) {
        log::debug("NIC {} may have other addresses than QEMU's usual ones: nothing is asked on its network",
                   card.name);
        return nullptr;
    }
    try {
        const KnockPlace place{*context_.loop,
                               monitor(),
                               instance_dir_,
                               "netdev_" + card.name,
                               {guest_address, port, gateway_address, gateway_mac}};
        return std::make_shared<PortKnock>(place);
    } catch (const std::exception& error) {
        throw_if_gone();
        log::info(
            "QEMU does not show the network of VM {} ({}): connections have to find out when it listens",
            name_, error.what());
        return nullptr;
    }
}

std::shared_ptr<ShellSession> QemuVm::adopt_session(std::unique_ptr<ShellSession> session) {
    const auto watched = std::make_shared<WatchedSession>(std::move(session), running().watch->interrupt());
    std::shared_ptr<ShellSession> shared(watched, watched->session.get());
    const auto file =
        context_.log_dir / fmt::format("session-{}-{}-{}.log", name_, now_text(), random_name().substr(0, 4));
    shared->set_line_handler(
        [log = std::make_shared<TimestampedLog>(file)](std::string_view line) { log->write(line); });
    std::erase_if(sessions_, [](const auto& known) { return known.expired(); });
    sessions_.push_back(shared);
    running().let_us_in = true;
    return shared;
}

std::string QemuVm::serial_tail(std::size_t lines) const {
    const Running& run = running();
    if (run.consoles.empty()) {
        return "there is no serial console to look at";
    }
    const auto text = run.consoles.begin()->second->tail(4000);
    std::vector<std::string> seen;
    for (const auto& line : split(text, '\n')) {
        if (const auto words = trim(line); !words.empty()) {
            seen.emplace_back(words);
        }
    }
    if (seen.empty()) {
        return "nothing was seen on the serial console";
    }
    if (seen.size() > lines) {
        seen.erase(seen.begin(), seen.end() - static_cast<std::ptrdiff_t>(lines));
    }
    return "last seen on the serial console: " + join(seen, " | ");
}

std::shared_ptr<ShellSession> QemuVm::log_in(std::size_t nic, Seconds timeout, bool wait) {
    throw_if_gone();
    const auto deadline = Deadline::after(timeout);
    const auto target = ssh_target(nic, "shell_port");
    log::debug("Logging in to {} ({}:{}, timeout {} s)", name_, target.host, target.port, timeout.count());
    try {
        auto session = adopt_session(wait ? wait_for_ssh_login(*context_.loop, target, deadline)
                                          : ssh_login(*context_.loop, target, deadline));
        *running().answers = true;
        return session;
    } catch (const LoginAuthenticationError& refused) {
        running().shut_us_out = wait;
        throw LoginAuthenticationError(
            fmt::format("VM {} refuses user {} (parameters username and password): {}", name_,
                        target.username, refused.msg()),
            refused.output());
    } catch (const LoginImpossibleError& failed) {
        running().shut_us_out = wait;
        throw LoginImpossibleError(fmt::format("nobody can log in to VM {} as user '{}' (parameters username "
                                               "and password): {}",
                                               name_, target.username, failed.msg()),
                                   failed.output());
    } catch (const LoginError& failed) {
        throw_if_gone();
        if (!wait) {
            throw;
        }
        running().shut_us_out = true;
        // Same type as Avocado-VT's, so that tests catch it; what a person needs stands in its output.
        throw LoginTimeoutError(fmt::format("VM {} let nobody in within {:g} s ({}); {}", name_,
                                            timeout.count(), failed.msg(), serial_tail(5)));
    }
}

std::shared_ptr<ShellSession> QemuVm::login(std::size_t nic, std::optional<Seconds> timeout) {
    return log_in(nic, timeout.value_or(Seconds{VmTimeouts::login}), false);
}

std::shared_ptr<ShellSession> QemuVm::wait_for_login(std::size_t nic, std::optional<Seconds> timeout) {
    const auto configured = params_.object_params(name_).get_double("login_timeout", VmTimeouts::login_wait);
    return log_in(nic, timeout.value_or(Seconds{configured}), true);
}

std::shared_ptr<ShellSession> QemuVm::serial_login(std::optional<Seconds> timeout) {
    throw_if_gone();
    Running& run = running();
    if (run.consoles.empty()) {
        throw LoginError(fmt::format("VM {} has no serial console (parameter serials)", name_));
    }
    const Params view = params_.object_params(name_);
    ConsoleLogin login;
    login.username = view.get("username", "root");
    login.password = view.get("password");
    login.shell = shell_options(view);
    login.interrupt = run.watch->interrupt();
    try {
        auto& console = *run.consoles.at(run.machine.serials.front().name);
        return adopt_session(
            console.login(login, Deadline::after(timeout.value_or(Seconds{VmTimeouts::login}))));
    } catch (const LoginError&) {
        throw_if_gone();
        throw;
    }
}

std::shared_ptr<ShellSession> QemuVm::wait_for_serial_login(std::optional<Seconds> timeout) {
    const auto configured = params_.object_params(name_).get_double("login_timeout", VmTimeouts::login_wait);
    return serial_login(timeout.value_or(Seconds{configured}));
}

void QemuVm::copy_files_to(const std::filesystem::path& host, const std::string& guest, std::size_t nic,
                           std::optional<Seconds> timeout) {
    throw_if_gone();
    CopyOptions options;
    options.log = [](const std::string& line) { log::debug("{}", line); };
    check_transfer_client(nic_params(nic));
    copy_to(ssh_target(nic, "file_transfer_port"), {host}, guest, options,
            Deadline::after(timeout.value_or(Seconds{VmTimeouts::copy_files})));
}

void QemuVm::copy_files_from(const std::string& guest, const std::filesystem::path& host, std::size_t nic,
                             std::optional<Seconds> timeout) {
    throw_if_gone();
    CopyOptions options;
    options.log = [](const std::string& line) { log::debug("{}", line); };
    check_transfer_client(nic_params(nic));
    copy_from(ssh_target(nic, "file_transfer_port"), {guest}, host, options,
              Deadline::after(timeout.value_or(Seconds{VmTimeouts::copy_files})));
}

void QemuVm::close_sessions() {
    for (const auto& known : std::exchange(sessions_, {})) {
        if (const auto session = known.lock()) {
            session->close();
        }
    }
}

}  // namespace vt::qemu

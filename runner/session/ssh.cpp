// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/session/ssh.hpp"

#include "runner/io/socket.hpp"
#include "runner/session/ssh_connect.hpp"
#include "runner/session/ssh_terminal.hpp"
#include "runner/support/log.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace vt {
namespace {

/// How long one attempt may take from the banner to the prompt, so that a stuck one is not the last.
constexpr Seconds attempt_limit{60};
/// After this time without a prompt an empty line is sent: messages may hide the prompt.
constexpr Seconds prompt_patience{10};
/// Pauses after refused passwords. A guest may listen before its passwords are set (cloud images), and
/// nothing tells when they are; the pauses grow because servers punish those who ask too often.
constexpr std::array<double, 4> refusal_pauses{1, 2, 4, 8};
/// After a connection that broke in the middle: a server that is overloaded must not be kept so.
constexpr Seconds first_broken_pause{0.2};
constexpr Seconds longest_broken_pause{8};

std::unique_ptr<ShellSession> login_over(IoLoop& loop, UniqueFd socket, const SshTarget& target,
                                         const Deadline& deadline) {
    auto connection = std::make_unique<SshConnection>(std::move(socket), target, deadline);
    auto terminal = std::make_unique<SshTerminal>(loop, std::move(connection), target, deadline);
    auto session = std::make_unique<ShellSession>(std::move(terminal), target.shell);
    std::string seen;
    for (;;) {
        try {
            session->read_up_to_prompt(std::min(deadline.remaining(), prompt_patience));
            return session;
        } catch (const ExpectTimeoutError& error) {
            seen += error.output();
            if (deadline.expired()) {
                throw LoginTimeoutError(seen);
            }
            session->sendline();
        } catch (const ExpectProcessTerminatedError& error) {
            throw LoginProcessTerminatedError(error.status(), seen + error.output());
        }
    }
}

/// Nothing to await but time, or the interrupt.
void pause(Seconds time, const SshTarget& target, const Deadline& deadline) {
    try {
        wait_ready(-1, 0, deadline.sooner(Deadline::after(time)), target.interrupt.get());
    } catch (const InterruptedError& error) {
        throw LoginError(error.what());
    }
}

}  // namespace

std::unique_ptr<ShellSession> ssh_login(IoLoop& loop, const SshTarget& target, const Deadline& deadline) {
    check_target(target);
    return login_over(loop, connect_to_banner(target, deadline, false), target, deadline);
}

std::unique_ptr<ShellSession> wait_for_ssh_login(IoLoop& loop, const SshTarget& target,
                                                 const Deadline& deadline) {
    log::debug("Attempting to log into {}:{} using ssh (timeout {:.0f}s)", target.host, target.port,
               deadline.total().count());
    check_target(target);
    std::size_t refusals = 0;
    auto broken_pause = first_broken_pause;
    for (;;) {
        auto socket = connect_to_banner(target, deadline, true);
        Seconds wait = broken_pause;
        try {
            return login_over(loop, std::move(socket), target,
                              deadline.sooner(Deadline::after(attempt_limit)));
        } catch (const LoginAuthenticationError& error) {
            if (refusals == refusal_pauses.size() ||
                deadline.remaining().count() <= refusal_pauses[refusals]) {
                throw;
            }
            wait = Seconds(refusal_pauses[refusals++]);
            log::debug("{}; trying again in {:.0f} s", error.what(), wait.count());
        } catch (const LoginImpossibleError&) {
            throw;
        } catch (const LoginError& error) {
            if (deadline.expired() || (target.interrupt && target.interrupt->reason())) {
                throw;
            }
            broken_pause = std::min(2 * broken_pause, longest_broken_pause);
            log::debug("{}; trying again in {:g} s", error.what(), wait.count());
        }
        pause(wait, target, deadline);
    }
}

}  // namespace vt

// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/nrunner/pause_switch.hpp"

#include "runner/nrunner/pause.hpp"
#include "runner/support/log.hpp"

#include <csignal>
#include <utility>

namespace vt::nrunner {
namespace {

constexpr Seconds key_repeat{0.7};  // what comes faster is a key that is held down

}  // namespace

void PauseSwitch::take_signal(int number, BodyProcess& body, bool may_pause) {
    bool repeated = false;
    if (number == SIGTSTP) {
        const auto now = Deadline::Clock::now();
        repeated = now - std::exchange(last_key_, now) < key_repeat;
    }
    if (!may_pause || repeated) {
        return;
    }
    if (since_ || waits_) {
        resume(body);
    } else if (number == SIGTSTP) {
        waits_ = true;
        due_ = Deadline::after(grace_);
        body.tell(Word::pause);
    }
}

void PauseSwitch::take_answer(const std::string& ways_in, BodyProcess& body) {
    if (waits_) {
        pause(ways_in, body);
    }
}

void PauseSwitch::call_off() {
    waits_ = false;
    due_ = Deadline::never();
}

void PauseSwitch::serve(BodyProcess& body) {
    if (due_.expired()) {
        log::warning("the test did not say within {:g} s how one gets into its machines", grace_.count());
        pause({}, body);
    }
}

void PauseSwitch::pause(const std::string& ways_in, BodyProcess& body) {
    call_off();
    body.freeze();
    since_ = Deadline::Clock::now();
    const auto words = pause_words(task_, ways_in);
    log::warning("{}", words);
    tell_terminal(words);
}

void PauseSwitch::resume(BodyProcess& body) {
    const bool begun = std::exchange(waits_, false);
    due_ = Deadline::never();
    if (const auto since = std::exchange(since_, std::nullopt)) {
        const Seconds took = Deadline::Clock::now() - *since;
        Deadline::add_pause(took);
        const auto words = fmt::format("Test {} goes on after a pause of {:.1f} s",
                                       task_.id.empty() ? task_.runnable.uri : task_.id, took.count());
        log::warning("{}", words);
        tell_terminal(words);
    } else if (!begun) {
        return;
    }
    body.tell(Word::resume);
    body.thaw();
}

}  // namespace vt::nrunner

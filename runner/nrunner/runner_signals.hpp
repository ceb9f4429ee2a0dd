// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The signals that a supervisor hears, as something to poll.
#pragma once

#include "runner/support/unique_fd.hpp"

#include <string>

#include <signal.h>

namespace vt::nrunner {

/// Signals that mean "end" or "pause", held back so that the loop can read them; what was before is put back
/// at the end. A signal that is held back reaches us though Avocado has made us ignore it (SIGTSTP). Those of
/// a broken pipe and of a file that may not grow (SIGXFSZ) are ignored: the call that failed says so.
class RunnerSignals {
  public:
    /// Throws SystemError.
    RunnerSignals();
    ~RunnerSignals();
    RunnerSignals(const RunnerSignals&) = delete;
    RunnerSignals& operator=(const RunnerSignals&) = delete;

    int fd() const { return fd_.get(); }
    /// The mask before, which test code gets.
    const sigset_t& before() const { return before_; }
    /// The number of a signal that came; 0 if none did.
    int take() const;

  private:
    UniqueFd fd_;
    sigset_t before_{};
    void (*pipe_before_)(int) = SIG_DFL;
    void (*file_size_before_)(int) = SIG_DFL;
};

/// Whether a signal that was taken means the end, and not a pause.
bool means_end(int number);

/// The words for a test that ends because of \p number.
std::string signal_reason(int number);

}  // namespace vt::nrunner

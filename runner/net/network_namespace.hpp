// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// A network namespace without a name: what a daemon under test may do to interfaces stays in there.
///
/// It is held by a descriptor rather than by a file below /run/netns, so nothing has to be journalled: with
/// the last descriptor and the last process in it the kernel takes it down, and the veths, taps and bridges
/// in it too, however its maker ended. No thread of ours moves into it for longer than a call.
#pragma once

#include "runner/support/unique_fd.hpp"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace vt {

/// One namespace, held from construction to destruction.
class NetworkNamespace {
  public:
    /// Makes one, its loopback interface up. Throws SystemError.
    NetworkNamespace();

    /// Why the caller cannot make any, with what is needed; nothing if it can. Tried, not guessed.
    static std::optional<std::string> obstacle();

    /// The descriptor that holds it.
    int fd() const { return fd_.get(); }
    /// Words before a command that is to run in there (util-linux's nsenter, which becomes that command).
    /// Good while this object lives.
    std::vector<std::string> enter_words() const;
    /// Calls \p work on a thread that is in there; a socket that it makes stays in there. What \p work throws
    /// comes out.
    void run_there(const std::function<void()>& work) const;

  private:
    UniqueFd fd_;
};

}  // namespace vt

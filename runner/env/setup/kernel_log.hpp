// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// What a kernel said during a test, without taking it away from anybody: Avocado-VT clears the ring buffer
/// (`dmesg -C`), after which neither a person nor the test beside it finds the message.
///
/// The host's log is /dev/kmsg (Documentation/ABI/testing/dev-kmsg): a reader has a place of his own in it. A
/// guest's comes from `dmesg -r` in a shell.
#pragma once

#include "runner/support/unique_fd.hpp"

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace vt {

/// One message.
struct KernelMessage {
    int level = 6;           ///< 0 emergency, 1 alert, 2 critical, 3 error, 4 warning, …
    std::uint64_t usec = 0;  ///< since the kernel's start
    std::string text;
};

/// The host's log from the construction on.
class KernelLog {
  public:
    /// Throws SystemError where this user may not read it.
    explicit KernelLog(const std::filesystem::path& device = "/dev/kmsg");
    /// What was said since; each message once.
    std::vector<KernelMessage> read();

  private:
    UniqueFd fd_;
    std::string rest_;  ///< of a line that is not whole yet
};

/// The messages in the output of `dmesg -r`: "<4>[    1.234567] text".
std::vector<KernelMessage> parse_raw_dmesg(std::string_view text);

/// Those that fail a test: the first \p levels levels of severity (1: emergency, 2: and alert, 3: and
/// critical, …), but for those that match one of \p expected, a list of regular expressions in quotes,
/// separated by commas. Throws Error for a bad expression.
std::vector<KernelMessage> unexpected_messages(const std::vector<KernelMessage>& messages, int levels,
                                               const std::string& expected);

/// One line each, "crit [12.345678] text".
std::string to_text(const std::vector<KernelMessage>& messages);

}  // namespace vt

// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Taps and macvtaps of guests, made by us and handed to QEMU as open descriptors.
///
/// QEMU then needs no right to make any, several queues are several descriptors, and a tap goes by itself
/// when the last of them is closed, however QEMU ends. A macvtap is an interface of its own that stays;
/// whoever makes one has it in the journal first.
#pragma once

#include "runner/sharing/ports.hpp"
#include "runner/support/journal.hpp"
#include "runner/support/unique_fd.hpp"

#include <optional>
#include <string>
#include <vector>

namespace vt {

/// One interface; move-only.
struct Tap {
    std::string name;
    std::vector<UniqueFd> queues;  ///< one descriptor each
    JournalEntry entry;            ///< of a macvtap

    Tap() = default;
    Tap(Tap&&) = default;
    Tap& operator=(Tap&&) = default;
};

/// A tap called \p name with \p queues queues and virtio headers. Throws SystemError, Error for a bad name.
Tap make_tap(const std::string& name, int queues);

/// A macvtap called \p name on the host's interface \p parent with the guest's \p mac. It is
/// left alone while \p holder lives. Throws SystemError,
/// Error.
Tap make_macvtap(const std::string& name, const std::string& parent, const MacAddress& mac, int queues,
                 const std::filesystem::path& journals, const ProcessId& holder);

/// Why \p parent can have no macvtap; nothing if it can.
std::optional<std::string> macvtap_obstacle(const std::string& parent);

/// Removes an interface that was made here; false if there is none of that name.
bool remove_interface(const std::string& name);

}  // namespace vt

// SPDX-License-Identifier: GPL-2.0-or-later
/// \file host_programs.hpp
/// Which QEMU a test uses when nobody says.
///
/// Upstream takes `qemu-kvm`, else `kvm`, in directories of random order. Debian's `kvm` is a shell script
/// that forces
/// `-enable-kvm`, which is wrong where KVM cannot be used, so scripts are passed over and the emulator for
/// the host's architecture comes last. Where there is none the parameters stay unset: listing needs no QEMU.
#pragma once

#include "resolver/selection.hpp"

#include <string>

namespace vt::resolver {

/// Full paths; empty where there is no such program.
struct HostPrograms {
    std::string qemu;
    std::string qemu_img;
    std::string qemu_io;
    std::string qemu_dst;
};

/// The programs of this host. \param qemu_bin, qemu_dst_bin the user's choice, or empty
HostPrograms find_host_programs(const std::string& qemu_bin, const std::string& qemu_dst_bin);

/// `bridge` if the caller may use a bridge and the selection's one is there, else `user`.
std::string network_of_host(const Selection& selection);

}  // namespace vt::resolver

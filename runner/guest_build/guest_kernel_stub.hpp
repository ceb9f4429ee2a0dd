// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The code that starts the repacked kernel: machine code for the guest, never run on the host.
///
/// It is entered as the 32-bit boot protocol says (flat segments, interrupts off, ESI at the boot
/// parameters), anywhere in memory, unpacks LZ4 blocks, clears what the kernel wants zero, maps the first 4
/// GiB one to one, switches to long mode and jumps.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace vt::bootstrap {

/// What the stub finds at boot_stub_parameters_at(), little-endian.
struct BootStubParameters {
    std::uint32_t target = 0;   ///< address that the kernel is unpacked to
    std::uint32_t end = 0;      ///< address up to which memory is cleared after it
    std::uint32_t entry = 0;    ///< address of the kernel's 64-bit entry
    std::uint32_t payload = 0;  ///< offset of the LZ4 blocks from the stub's beginning
    std::uint32_t scratch = 0;  ///< offset of boot_stub_scratch_size bytes to use, page-aligned
};

/// Six page tables and a stack.
inline constexpr std::size_t boot_stub_scratch_size = 0x10000;

/// The stub's code, parameters blank. Throws GuestImageError if this binary was not built for x86-64.
std::string_view boot_stub();

/// Where the parameters lie in it.
std::size_t boot_stub_parameters_at();

}  // namespace vt::bootstrap

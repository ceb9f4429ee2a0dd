// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Takes a distribution's bzImage apart and makes two kernels of it that start fast under emulation.
///
/// A bzImage (Documentation/arch/x86/boot.rst of Linux) is a real-mode part with a header, then a
/// protected-mode part that unpacks the real kernel, an ELF file. Unpacking xz takes seconds under TCG, so
/// the ELF file goes to QEMU as it is (its PVH note makes `-kernel` take it), and for a boot from disk the
/// protected-mode part is replaced by a stub of ours (guest_kernel_stub.cpp) and the kernel's memory image in
/// LZ4.
///
/// The kernel is entered where the ELF file says, in long mode with identity-mapped memory, as the 64-bit
/// boot protocol demands. What is lost against the original: the EFI entry, and the kernel's random
/// placement.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace vt::bootstrap {

/// What the header of a bzImage says that matters here.
struct BzImageHeader {
    std::uint16_t version = 0;       ///< of the boot protocol, 0x020f for instance
    std::size_t real_mode_size = 0;  ///< bytes before the protected-mode part
    std::size_t payload_offset = 0;  ///< of the compressed kernel, from the beginning of the file
    std::size_t payload_length = 0;
};

/// Reads the header of \p image. Throws GuestImageError if it is not a bzImage of protocol 2.08 or later
/// (Linux 2.6.26), or if what it says does not fit the file.
BzImageHeader parse_bzimage(std::string_view image);

/// The kernel inside the bzImage \p image: an ELF file. Throws GuestImageError.
std::string extract_vmlinux(std::string_view image);

/// \p vmlinux without section headers, symbols and the zeros at the end of its segments, which the loader
/// supplies. Throws GuestImageError if it is not a 64-bit x86 ELF program.
std::string slim_vmlinux(std::string_view vmlinux);

/// True if \p vmlinux has the note that names a PVH entry, without which QEMU does not take it for `-kernel`.
bool has_pvh_entry(std::string_view vmlinux);

/// A bzImage with the real-mode part of \p image which starts \p vmlinux. Throws GuestImageError.
std::string repack_bzimage(std::string_view image, std::string_view vmlinux);

}  // namespace vt::bootstrap

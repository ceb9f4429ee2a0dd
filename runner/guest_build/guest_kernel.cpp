// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/guest_build/guest_kernel.hpp"

#include "runner/guest_build/guest_image.hpp"
#include "runner/guest_build/guest_kernel_stub.hpp"
#include "runner/guest_build/guest_libraries.hpp"

#include <algorithm>
#include <cstring>
#include <type_traits>
#include <vector>

#include <elf.h>
#include <fmt/core.h>

namespace vt::bootstrap {
namespace {

// Offsets in the setup header of the boot protocol.
constexpr std::size_t setup_sectors_at = 0x1f1;
constexpr std::size_t protected_mode_size_at = 0x1f4;  // in 16-byte units
constexpr std::size_t magic_at = 0x202;
constexpr std::size_t version_at = 0x206;
constexpr std::size_t load_flags_at = 0x211;
constexpr std::size_t extended_load_flags_at = 0x236;
constexpr std::size_t payload_offset_at = 0x248;
constexpr std::size_t payload_length_at = 0x24c;
constexpr std::size_t preferred_address_at = 0x258;
constexpr std::size_t init_size_at = 0x260;
constexpr std::size_t handover_offset_at = 0x264;
constexpr std::size_t header_end = 0x268;

template <typename T>
T get(std::string_view data, std::size_t offset) {
    static_assert(std::is_trivially_copyable_v<T>);
    if (offset > data.size() || data.size() - offset < sizeof(T)) {
        throw GuestImageError(fmt::format("the kernel image is cut off: it has {} bytes, {} are wanted at {}",
                                          data.size(), sizeof(T), offset));
    }
    T value{};
    std::memcpy(&value, data.data() + offset, sizeof value);
    return value;
}

template <typename T>
void put(std::string& data, std::size_t offset, T value) {
    static_assert(std::is_trivially_copyable_v<T>);
    std::memcpy(data.data() + offset, &value, sizeof value);
}

std::size_t align(std::size_t value, std::size_t to) {
    return (value + to - 1) / to * to;
}

/// A program header and where it stands in the file.
struct Segment {
    Elf64_Phdr header{};
    std::size_t header_at = 0;
    std::string_view data;  ///< without the zeros at its end
};

std::string_view without_zeros(std::string_view data) {
    const auto last = data.find_last_not_of('\0');
    return data.substr(0, last == std::string_view::npos ? 0 : last + 1);
}

Elf64_Ehdr elf_header(std::string_view vmlinux) {
    const auto header = get<Elf64_Ehdr>(vmlinux, 0);
    if (std::memcmp(static_cast<const void*>(header.e_ident), ELFMAG, SELFMAG) != 0 ||
        header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB ||
        header.e_machine != EM_X86_64 || header.e_phentsize != sizeof(Elf64_Phdr)) {
        throw GuestImageError("the kernel is not a 64-bit x86 ELF file");
    }
    return header;
}

/// The segments of \p type, each within the file.
std::vector<Segment> segments(std::string_view vmlinux, std::uint32_t type) {
    const auto header = elf_header(vmlinux);
    std::vector<Segment> found;
    for (std::size_t i = 0; i < header.e_phnum; ++i) {
        Segment segment;
        segment.header_at = header.e_phoff + i * sizeof(Elf64_Phdr);
        segment.header = get<Elf64_Phdr>(vmlinux, segment.header_at);
        if (segment.header.p_type != type) {
            continue;
        }
        const auto offset = segment.header.p_offset;
        if (offset > vmlinux.size() || segment.header.p_filesz > vmlinux.size() - offset ||
            (type == PT_LOAD && segment.header.p_memsz < segment.header.p_filesz)) {
            throw GuestImageError("the kernel's ELF file has a segment beyond its end");
        }
        segment.data = vmlinux.substr(offset, segment.header.p_filesz);
        if (type == PT_LOAD) {
            segment.data = without_zeros(segment.data);
        }
        found.push_back(segment);
    }
    return found;
}

/// The kernel as it lies in memory.
struct MemoryImage {
    std::uint64_t begin = 0;  ///< physical address
    std::uint64_t end = 0;    ///< with what is zero
    std::string bytes;        ///< from begin, without the zeros at the end
};

MemoryImage memory_image(std::string_view vmlinux) {
    const auto loads = segments(vmlinux, PT_LOAD);
    if (loads.empty()) {
        throw GuestImageError("the kernel's ELF file has nothing to load");
    }
    MemoryImage image{UINT64_MAX, 0, {}};
    // Above 1 MiB and below 1 GiB: where kernels live, and what the stub's 32-bit arithmetic can hold.
    constexpr std::uint64_t lowest = 0x100000;
    constexpr std::uint64_t highest = 0x40000000;
    for (const auto& load : loads) {
        if (load.header.p_paddr < lowest || load.header.p_paddr > highest ||
            load.header.p_memsz > highest - load.header.p_paddr) {
            throw GuestImageError("the kernel's ELF file wants to be loaded beyond 1 GiB");
        }
        image.begin = std::min(image.begin, load.header.p_paddr);
        image.end = std::max(image.end, load.header.p_paddr + load.header.p_memsz);
    }
    for (const auto& load : loads) {
        const auto at = load.header.p_paddr - image.begin;
        image.bytes.resize(std::max<std::size_t>(image.bytes.size(), at + load.data.size()));
        std::copy(load.data.begin(), load.data.end(), image.bytes.begin() + static_cast<std::ptrdiff_t>(at));
    }
    return image;
}

}  // namespace

BzImageHeader parse_bzimage(std::string_view image) {
    if (image.size() < header_end || image.substr(magic_at, 4) != "HdrS") {
        throw GuestImageError("the kernel is not a bzImage: it lacks the boot protocol's header");
    }
    BzImageHeader header;
    header.version = get<std::uint16_t>(image, version_at);
    constexpr std::uint16_t with_payload = 0x0208;
    if (header.version < with_payload || (get<std::uint8_t>(image, load_flags_at) & 1) == 0) {
        throw GuestImageError(
            fmt::format("the kernel speaks boot protocol {:#x}, 0x208 is needed", header.version));
    }
    const std::size_t sectors = get<std::uint8_t>(image, setup_sectors_at);
    header.real_mode_size = ((sectors == 0 ? 4 : sectors) + 1) * 512;
    header.payload_offset = header.real_mode_size + get<std::uint32_t>(image, payload_offset_at);
    header.payload_length = get<std::uint32_t>(image, payload_length_at);
    if (header.payload_offset > image.size() ||
        header.payload_length > image.size() - header.payload_offset || header.payload_length < 8) {
        throw GuestImageError(fmt::format("the kernel is cut off: {} bytes at {} do not lie in its {}",
                                          header.payload_length, header.payload_offset, image.size()));
    }
    return header;
}

std::string extract_vmlinux(std::string_view image) {
    const auto header = parse_bzimage(image);
    auto payload = image.substr(header.payload_offset, header.payload_length);
    if (payload.starts_with("\x7f"
                            "ELF")) {
        return std::string(payload);
    }
    // All formats but gzip, which has it already, are followed by the size of the unpacked kernel.
    if (!payload.starts_with("\x1f\x8b")) {
        payload.remove_suffix(4);
    }
    auto vmlinux = decompress(payload);
    elf_header(vmlinux);
    return vmlinux;
}

std::string slim_vmlinux(std::string_view vmlinux) {
    auto header = elf_header(vmlinux);
    std::string slim(vmlinux);
    std::size_t end = header.e_phoff + header.e_phnum * sizeof(Elf64_Phdr);
    for (const auto& load : segments(vmlinux, PT_LOAD)) {
        auto changed = load.header;
        changed.p_filesz = load.data.size();
        put(slim, load.header_at, changed);
        end = std::max<std::size_t>(end, load.header.p_offset + load.data.size());
    }
    for (const auto& note : segments(vmlinux, PT_NOTE)) {
        end = std::max<std::size_t>(end, note.header.p_offset + note.data.size());
    }
    header.e_shoff = 0;
    header.e_shnum = 0;
    header.e_shstrndx = 0;
    put(slim, 0, header);
    slim.resize(end);
    return slim;
}

bool has_pvh_entry(std::string_view vmlinux) {
    constexpr std::uint32_t physical_entry = 18;  // XEN_ELFNOTE_PHYS32_ENTRY
    for (const auto& segment : segments(vmlinux, PT_NOTE)) {
        auto notes = segment.data;
        while (notes.size() >= sizeof(Elf64_Nhdr)) {
            const auto note = get<Elf64_Nhdr>(notes, 0);
            const auto name = align(note.n_namesz, 4);
            const auto whole = sizeof note + name + align(note.n_descsz, 4);
            if (whole > notes.size()) {
                break;
            }
            if (note.n_type == physical_entry &&
                notes.substr(sizeof note, 4) == std::string_view("Xen\0", 4)) {
                return true;
            }
            notes.remove_prefix(whole);
        }
    }
    return false;
}

std::string repack_bzimage(std::string_view image, std::string_view vmlinux) {
    const auto header = parse_bzimage(image);
    const auto kernel = memory_image(vmlinux);
    const auto blocks = lz4_blocks(kernel.bytes);

    // The stub runs right above the kernel's place, so that unpacking never overwrites what is yet to be
    // read.
    constexpr std::size_t large_page = std::size_t{2} << 20;
    const auto stub_address = align(kernel.end, large_page);
    const auto payload_at = align(boot_stub().size(), 16);
    const auto scratch_at = align(payload_at + blocks.size(), 4096);

    BootStubParameters parameters;
    parameters.target = static_cast<std::uint32_t>(kernel.begin);
    parameters.end = static_cast<std::uint32_t>(kernel.end);
    parameters.entry = static_cast<std::uint32_t>(elf_header(vmlinux).e_entry);
    parameters.payload = static_cast<std::uint32_t>(payload_at);
    parameters.scratch = static_cast<std::uint32_t>(scratch_at);

    std::string protected_mode(boot_stub());
    put(protected_mode, boot_stub_parameters_at(), parameters);
    protected_mode.resize(payload_at);
    protected_mode += blocks;
    protected_mode.resize(align(protected_mode.size(), 16));

    std::string result(image.substr(0, header.real_mode_size));
    put(result, protected_mode_size_at, static_cast<std::uint32_t>(protected_mode.size() / 16));
    put(result, payload_offset_at, static_cast<std::uint32_t>(payload_at));
    put(result, payload_length_at, static_cast<std::uint32_t>(blocks.size()));
    put(result, preferred_address_at, static_cast<std::uint64_t>(stub_address));
    put(result, init_size_at, static_cast<std::uint32_t>(scratch_at + boot_stub_scratch_size));
    put(result, handover_offset_at, std::uint32_t{0});
    // No 64-bit entry point, no EFI.
    put(result, extended_load_flags_at, std::uint16_t{0});
    return result + protected_mode;
}

}  // namespace vt::bootstrap

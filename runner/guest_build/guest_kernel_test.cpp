// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/guest_build/guest_kernel.hpp"

#include "runner/guest_build/guest_image.hpp"
#include "runner/guest_build/guest_kernel_stub.hpp"

#include <cstring>
#include <string>

#include <doctest/doctest.h>
#include <elf.h>

using namespace vt::bootstrap;

namespace {

template <typename T>
void put(std::string& data, std::size_t offset, T value) {
    std::memcpy(data.data() + offset, &value, sizeof value);
}

template <typename T>
T get(const std::string& data, std::size_t offset) {
    T value{};
    REQUIRE(offset + sizeof value <= data.size());
    std::memcpy(&value, data.data() + offset, sizeof value);
    return value;
}

/// A bzImage of one setup sector and \p payload at the beginning of its protected-mode part.
std::string bzimage(const std::string& payload) {
    std::string image(1024, '\0');
    image[0x1f1] = 1;
    image.replace(0x202, 4, "HdrS");
    put<std::uint16_t>(image, 0x206, 0x020f);
    image[0x211] = 1;
    put<std::uint32_t>(image, 0x24c, static_cast<std::uint32_t>(payload.size()));
    return image + payload;
}

/// An ELF file with a segment of \p bytes at 16 MiB that takes \p memory bytes there, and a note segment.
std::string elf(const std::string& bytes, std::uint64_t memory, const std::string& note = {}) {
    constexpr std::size_t data_at = 0x1000;
    std::string file(data_at, '\0');
    Elf64_Ehdr header{};
    std::memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    header.e_ident[EI_DATA] = ELFDATA2LSB;
    header.e_machine = EM_X86_64;
    header.e_phentsize = sizeof(Elf64_Phdr);
    header.e_phoff = sizeof header;
    header.e_phnum = 2;
    header.e_entry = 0x1000040;
    header.e_shoff = 0x999999;
    put(file, 0, header);
    Elf64_Phdr load{};
    load.p_type = PT_LOAD;
    load.p_offset = data_at;
    load.p_paddr = 0x1000000;
    load.p_filesz = bytes.size();
    load.p_memsz = memory;
    put(file, sizeof header, load);
    Elf64_Phdr notes{};
    notes.p_type = PT_NOTE;
    notes.p_offset = data_at + bytes.size();
    notes.p_filesz = note.size();
    put(file, sizeof header + sizeof load, notes);
    return file + bytes + note;
}

std::string pvh_note() {
    std::string note(20, '\0');
    put(note, 0, Elf64_Nhdr{4, 4, 18});
    note.replace(12, 3, "Xen");
    return note;
}

}  // namespace

TEST_CASE("a bzImage's header says where the kernel is") {
    const auto header = parse_bzimage(bzimage("0123456789"));
    CHECK(header.version == 0x020f);
    CHECK(header.real_mode_size == 1024);
    CHECK(header.payload_offset == 1024);
    CHECK(header.payload_length == 10);
}

TEST_CASE("what is no bzImage, or a damaged one, is refused") {
    CHECK_THROWS_AS(parse_bzimage(""), GuestImageError);
    CHECK_THROWS_AS(parse_bzimage(std::string(4096, 'x')), GuestImageError);
    const auto good = bzimage("0123456789");
    for (std::size_t size = 0; size < good.size(); ++size) {
        CHECK_THROWS_AS(parse_bzimage(std::string_view(good).substr(0, size)), GuestImageError);
    }
    auto bad = good;
    put<std::uint32_t>(bad, 0x248, 0xffffffff);
    CHECK_THROWS_AS(parse_bzimage(bad), GuestImageError);
    bad = good;
    put<std::uint32_t>(bad, 0x24c, 0xffffffff);
    CHECK_THROWS_AS(parse_bzimage(bad), GuestImageError);
    bad = good;
    put<std::uint16_t>(bad, 0x206, 0x0200);
    CHECK_THROWS_WITH_AS(parse_bzimage(bad), "the kernel speaks boot protocol 0x200, 0x208 is needed",
                         GuestImageError);
    CHECK_THROWS_AS(extract_vmlinux(bzimage("not compressed at all")), GuestImageError);
}

TEST_CASE("an uncompressed kernel is taken as it is") {
    const auto kernel = elf("code", 4);
    CHECK(extract_vmlinux(bzimage(kernel)) == kernel);
}

TEST_CASE("a slim kernel loses the zeros at its end and its section headers, not its notes") {
    const auto kernel = elf("code" + std::string(100, '\0'), 200);
    const auto slim = slim_vmlinux(kernel);
    CHECK(slim.size() == 0x1000 + 104);  // the empty note segment begins after the zeros
    CHECK(get<Elf64_Ehdr>(slim, 0).e_shoff == 0);
    CHECK(get<Elf64_Phdr>(slim, sizeof(Elf64_Ehdr)).p_filesz == 4);
    CHECK(get<Elf64_Phdr>(slim, sizeof(Elf64_Ehdr)).p_memsz == 200);
    CHECK_FALSE(has_pvh_entry(slim));
    CHECK(has_pvh_entry(slim_vmlinux(elf("code", 4, pvh_note()))));
}

TEST_CASE("a damaged ELF file is refused or read within its bounds") {
    CHECK_THROWS_AS(slim_vmlinux("\x7f"
                                 "ELF"),
                    GuestImageError);
    CHECK_THROWS_AS(slim_vmlinux(elf("code", 3)), GuestImageError);
    CHECK_THROWS_AS(repack_bzimage(bzimage("01234567"), elf("code", 0x7fffffffffffffff)), GuestImageError);
    const auto good = elf("code", 4, pvh_note());
    for (std::size_t size = 0; size < good.size(); size += 7) {
        try {
            has_pvh_entry(std::string_view(good).substr(0, size));
            slim_vmlinux(std::string_view(good).substr(0, size));
        } catch (const GuestImageError&) {
        }
    }
    auto bad = good;
    for (std::size_t i = 0; i < sizeof(Elf64_Ehdr) + 2 * sizeof(Elf64_Phdr); ++i) {
        bad = good;
        bad[i] = '\xff';
        try {
            slim_vmlinux(bad);
            has_pvh_entry(bad);
            repack_bzimage(bzimage("01234567"), bad);
        } catch (const GuestImageError&) {
        }
    }
}

TEST_CASE("a repacked kernel asks to be loaded above the place it unpacks to") {
    const auto image = bzimage("01234567");
    const auto repacked = repack_bzimage(image, elf("some kernel code", 0x300000));
    const auto header = parse_bzimage(repacked);
    CHECK(get<std::uint64_t>(repacked, 0x258) == 0x1400000);
    CHECK(get<std::uint16_t>(repacked, 0x236) == 0);
    CHECK(repacked.size() == header.real_mode_size + std::size_t{16} * get<std::uint32_t>(repacked, 0x1f4));
    const auto parameters =
        get<BootStubParameters>(repacked, header.real_mode_size + boot_stub_parameters_at());
    CHECK(parameters.target == 0x1000000);
    CHECK(parameters.end == 0x1300000);
    CHECK(parameters.entry == 0x1000040);
    CHECK(header.payload_offset == header.real_mode_size + parameters.payload);
    CHECK(parameters.scratch % 4096 == 0);
    CHECK(get<std::uint32_t>(repacked, 0x260) == parameters.scratch + boot_stub_scratch_size);
}

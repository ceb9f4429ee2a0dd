// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/guest_build/guest_libraries.hpp"

#include "runner/guest_build/guest_image.hpp"
#include "runner/support/file.hpp"

#include <fstream>

#include <doctest/doctest.h>

using namespace vt::bootstrap;
namespace fs = std::filesystem;

namespace {

/// Unpacks LZ4 blocks as the boot stub does.
std::string unpack_lz4(std::string_view blocks) {
    const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(blocks.at(at)); };
    std::string out;
    std::size_t at = 0;
    const auto length = [&](std::size_t base) {
        unsigned char more = 255;
        while (base >= 15 && more == 255) {
            more = byte(at++);
            base += more;
        }
        return base;
    };
    for (;;) {
        const auto size = byte(at) | byte(at + 1) << 8 | byte(at + 2) << 16 | (byte(at + 3) & 0x7f) << 24;
        const bool stored = (byte(at + 3) & 0x80) != 0;
        at += 4;
        if (size == 0) {
            return out;
        }
        const auto end = at + static_cast<std::size_t>(size);
        if (stored) {
            out += blocks.substr(at, end - at);
            at = end;
        }
        while (at < end) {
            const auto token = byte(at++);
            const auto literals = length(token >> 4);
            out += blocks.substr(at, literals);
            at += literals;
            if (at < end) {
                const std::size_t distance = byte(at) | byte(at + 1) << 8;
                at += 2;
                const auto match = length(token & 15) + 4;
                REQUIRE(distance <= out.size());
                for (std::size_t i = 0; i < match; ++i) {
                    out += out[out.size() - distance];
                }
            }
        }
    }
}

std::string kernel_like(std::size_t size) {
    std::string data;
    unsigned seed = 1;
    while (data.size() < size) {
        seed = seed * 1103515245 + 12345;
        data.append((seed >> 16) % 40, static_cast<char>(seed >> 24));
        data += "mov $0x1234,%eax; ret";
    }
    return data;
}

}  // namespace

TEST_CASE("LZ4 blocks unpack to what went in, across blocks") {
    CHECK(unpack_lz4(lz4_blocks("x")) == "x");
    const auto data = kernel_like(std::size_t{9} << 20);
    const auto blocks = lz4_blocks(data);
    CHECK(blocks.size() < data.size());
    CHECK(unpack_lz4(blocks) == data);
}

TEST_CASE("streams are decompressed, garbage is refused") {
    // printf hello | gzip -n
    const std::string gzip(
        "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xcb\x48\xcd\xc9\xc9\x07\x00\x86\xa6\x10\x36\x05\x00\x00"
        "\x00",
        25);
    CHECK(decompress(gzip) == "hello");
    CHECK_THROWS_AS(decompress(gzip, 4), GuestImageError);
    CHECK_THROWS_AS(decompress("hello"), GuestImageError);
    CHECK_THROWS_AS(decompress(""), GuestImageError);
    CHECK_THROWS_AS(decompress(gzip.substr(0, 14)), GuestImageError);
}

TEST_CASE("an initramfs holds the tree and the devices, all root's") {
    const vt::TempDirectory dir("guest-cpio-");
    const auto tree = dir.path() / "tree";
    fs::create_directories(tree / "bin");
    vt::write_file_atomically(tree / "init", "#!/bin/sh\n", 0755);
    fs::create_symlink("busybox", tree / "bin/sh");
    write_initramfs(tree, {{"dev/console", 5, 1}}, dir.path() / "initrd");
    const auto cpio = vt::read_file(dir.path() / "initrd");
    CHECK(cpio.starts_with("070701"));
    CHECK(cpio.find("TRAILER!!!") != std::string::npos);
    CHECK(cpio.find("#!/bin/sh\n") != std::string::npos);
    CHECK(cpio.find("busybox") != std::string::npos);
    // Fields of eight hexadecimal digits: inode, mode, uid, gid, ..., at 9 and 10 the device's numbers; then
    // the name.
    const auto name = cpio.find("dev/console");
    REQUIRE(name != std::string::npos);
    const auto header = cpio.substr(name - 110, 110);
    CHECK(header.substr(6 + 8, 8) == "00002180");
    CHECK(header.substr(6 + 16, 16) == "0000000000000000");
    CHECK(header.substr(6 + 72, 16) == "0000000500000001");
}

TEST_CASE("what is no Debian package is refused") {
    const vt::TempDirectory dir("guest-deb-");
    const auto deb = dir.path() / "x.deb";
    const auto all = [](const std::string& path) { return std::optional(path); };
    CHECK_THROWS_AS(unpack_deb(deb, dir.path(), all), vt::Error);
    vt::write_file_atomically(deb, "garbage");
    CHECK_THROWS_AS(unpack_deb(deb, dir.path(), all), GuestImageError);
    vt::write_file_atomically(deb, "!<arch>\n");
    CHECK_THROWS_AS(unpack_deb(deb, dir.path(), all), GuestImageError);
}

TEST_CASE("digests and password hashes are what other programs compute") {
    CHECK(sha256_text("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    const vt::TempDirectory dir("guest-sha-");
    vt::write_file_atomically(dir.path() / "f", "abc");
    CHECK(sha256_file(dir.path() / "f") == sha256_text("abc"));
    CHECK_THROWS_AS(sha256_file(dir.path() / "none"), vt::SystemError);
    CHECK(hash_password("123456").starts_with("$6$"));
    CHECK(hash_password("123456") != hash_password("123456"));
}

// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/assets/download.hpp"

#include <doctest/doctest.h>

using namespace vt::bootstrap;

namespace {

const std::string sha1(40, 'a');
const std::string sha256(64, 'b');

std::string found(const std::string& text) {
    auto checksum = find_checksum(text, "disk.qcow2.xz");
    return checksum ? checksum->text() : "none";
}

}  // namespace

TEST_CASE("checksums: the length tells the algorithm") {
    CHECK(checksum_of(sha1)->algorithm == "sha1");
    CHECK(checksum_of(sha256)->algorithm == "sha256");
    CHECK(checksum_of(std::string(128, 'C'))->hex == std::string(128, 'c'));
    CHECK_FALSE(checksum_of(std::string(40, 'g')));
    CHECK_FALSE(checksum_of(std::string(39, 'a')));
    CHECK_FALSE(checksum_of(""));
}

TEST_CASE("checksums: files as sha1sum, as BSD and as upstream write them") {
    CHECK(found(sha1 + "  disk.qcow2.xz\n") == "sha1:" + sha1);
    CHECK(found(sha256 + " *disk.qcow2.xz\r\n") == "sha256:" + sha256);
    CHECK(found(sha256 + "  ./pub/disk.qcow2.xz\n") == "sha256:" + sha256);
    CHECK(found("SHA256 (disk.qcow2.xz) = " + sha256 + "\n") == "sha256:" + sha256);
    CHECK(found("# comment\n" + sha1 + "  other\n" + sha256 + "  disk.qcow2.xz\n") == "sha256:" + sha256);
    CHECK(found(sha1) == "sha1:" + sha1);
    CHECK(found(sha1 + " JeOS\n") == "sha1:" + sha1);
    // Of several that are called otherwise none is meant.
    CHECK(found(sha1 + "  other\n" + sha256 + "  another\n") == "none");
    CHECK(found("<html>404</html>") == "none");
    CHECK(found("") == "none");
}

TEST_CASE("sizes are as people say them") {
    CHECK(size_text(0) == "0 KiB");
    CHECK(size_text(350 << 10) == "350 KiB");
    CHECK(size_text(3 << 20) == "3.0 MiB");
    CHECK(size_text(std::uint64_t{210} << 20) == "210 MiB");
    CHECK(size_text(std::uint64_t{5} << 29) == "2.5 GiB");
}

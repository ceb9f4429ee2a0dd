// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/harness/block/filters.hpp"

#include <doctest/doctest.h>

using namespace vt::block;

namespace {

const Names names{"/var/tmp/t", "/tmp/s", "qcow2", 42, true};

}  // namespace

TEST_CASE("directories and own files become fixed words") {
    CHECK(filter_test_dir("a /var/tmp/t/x /var/tmp/t", names) == "a TEST_DIR/x TEST_DIR");
    CHECK(filter_testfiles("/var/tmp/t/42-a.img and /tmp/s/42-b, /var/tmp/t/43-c", names) ==
          "TEST_DIR/PID-a.img and SOCK_DIR/PID-b, /var/tmp/t/43-c");
    CHECK(file_name("a.img", names) == "42-a.img");
    CHECK(filter_imgfmt("a qcow2 image", names) == "a IMGFMT image");
}

TEST_CASE("the speeds of qemu-io") {
    const std::string filtered = "X ops; XX:XX:XX.X (XXX YYY/sec and XXX ops/sec)";
    CHECK(filter_qemu_io("64 KiB, 1 ops; 00.00 sec (3.2 MiB/sec and 51.2 ops/sec)\r\n") ==
          "64 KiB, " + filtered + "\n");
    CHECK(filter_qemu_io(
              "64 KiB, 12 ops; 0:00:01.5 (inf EiB/sec and inf ops/sec), 1 ops; 1 sec (1 bytes/sec and 1 "
              "ops/sec)") == "64 KiB, " + filtered + ", " + filtered);
    // Near to one, and none.
    CHECK(filter_qemu_io("1 ops; nothing else") == "1 ops; nothing else");
    CHECK(filter_qemu_io(" ops; (1 B/sec and") == " ops; (1 B/sec and");
    CHECK(filter_qemu_io("").empty());
}

TEST_CASE("generated names, numbers of users, buses, exports") {
    CHECK(filter_generated_node_ids("#block12,#block,#block7x") == "NODE_NAME,#block,NODE_NAMEx");
    CHECK(filter_chown("chown 0:12 chown a:b chown 1: chown 3:4") ==
          "chown UID:GID chown a:b chown 1: chown UID:GID");
    CHECK(filter_virtio_scsi("virtio-scsi-pci,virtio-scsi-ccw,virtio-scsi-x") ==
          "virtio-scsi,virtio-scsi,virtio-scsi-x");
    CHECK(filter_nbd_exports("min block: 512\nmax block: x\nopt block: 4") ==
          "min block: XXX\nmax block: x\nopt block: XXX");
}

TEST_CASE("image information") {
    const std::string given =
        "image: /var/tmp/t/i.qcow2\nfile format: qcow2\ndisk size: 4 KiB\n\"actual-size\": 1\niters: 123\n"
        "uuid: 12ab-ff\ncid: 99\ncompression type: zstd\nbase: /var/tmp/t/42-b\n";
    CHECK(filter_img_info(given, "/var/tmp/t/i.qcow2", names) ==
          "image: TEST_IMG\nfile format: IMGFMT\niters: XXX\nuuid: XXXXXXXX-XXXX-XXXX-XXXX-XXXXXXXXXXXX\n"
          "cid: XXXXXXXXXX\ncompression type: COMPRESSION_TYPE\nbase: TEST_DIR/PID-b\n");
    CHECK(filter_img_info("a qcow2", "", names) == "a IMGFMT");
    auto older = names;
    older.compression = false;
    CHECK(filter_img_info("compression type: zlib", "", older) == "compression type: zlib");
}

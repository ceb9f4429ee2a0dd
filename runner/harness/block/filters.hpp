// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Filters: what makes the output of two runs of one block test differ (directories, process numbers, speeds,
/// generated names) becomes fixed words, those of QEMU's expected outputs.
///
/// Hand-written scanners rather than regular expressions: outputs are filtered line by line, and the patterns
/// are fixed.
#pragma once

#include <string>
#include <string_view>

#include <sys/types.h>

namespace vt::block {

/// What a run's own names are.
struct Names {
    std::string test_dir;
    std::string sock_dir;
    std::string format;
    pid_t pid = 0;  ///< of the process that makes file names (see file_name())
    bool compression =
        true;  ///< the kind of compression is a fixed word in image information (QEMU since 7.0)
};

/// TEST_DIR for the directory's path, wherever it stands.
std::string filter_test_dir(std::string text, const Names& names);
/// TEST_DIR/PID- and SOCK_DIR/PID- for the beginnings of the run's own file names.
std::string filter_testfiles(std::string text, const Names& names);
/// IMGFMT for the format's name, wherever it stands.
std::string filter_imgfmt(std::string text, const Names& names);
/// Without carriage returns.
std::string filter_win32(std::string text);
/// qemu-io's speeds: "X ops; XX:XX:XX.X (XXX YYY/sec and XXX ops/sec)". Carriage returns go, too.
std::string filter_qemu_io(std::string text);
/// "chown UID:GID" for any numbers.
std::string filter_chown(std::string_view text);
/// virtio-scsi for virtio-scsi-pci and virtio-scsi-ccw.
std::string filter_virtio_scsi(std::string text);
/// NODE_NAME for the names that QEMU gives to nodes without one (#block123).
std::string filter_generated_node_ids(std::string_view text);
/// The block sizes of an NBD export ("min block: 512") as XXX.
std::string filter_nbd_exports(std::string_view text);
/// The output of `qemu-img info`: \p file_name becomes TEST_IMG; sizes on disk are left out; identifiers,
/// counts and compression are fixed words.
std::string filter_img_info(std::string_view output, const std::string& file_name, const Names& names);

/// PID-NAME, the name of a run's own file.
std::string file_name(std::string_view name, const Names& names);

}  // namespace vt::block

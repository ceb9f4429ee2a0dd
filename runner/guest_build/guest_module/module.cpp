// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/guest_build/guest_module/libraries.hpp"

extern "C" {

extern const vt::bootstrap::module::Functions vt_guest_libraries;

const vt::bootstrap::module::Functions vt_guest_libraries{
    vt::bootstrap::module::decompress,      vt::bootstrap::module::lz4_blocks,
    vt::bootstrap::module::unpack_deb,      vt::bootstrap::module::unpack_zip,
    vt::bootstrap::module::decompress_file, vt::bootstrap::module::write_initramfs,
    vt::bootstrap::module::sha256_text,     vt::bootstrap::module::sha256_file,
    vt::bootstrap::module::file_digest,     vt::bootstrap::module::hash_password,
};
}

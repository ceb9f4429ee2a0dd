# SPDX-License-Identifier: GPL-2.0-or-later
"""iotests: the module of QEMU's block tests, on the runner's core. The names are QEMU's (6.1 and 7.2).

A name is imported when it is first used: each script needs a few, and most of the time that an import takes goes into
Python's own logging, subprocess and unittest.
"""

import importlib

from iotests.settings import *

_NAMES = {
    "files": """
        file_path file_path_remover FilePath remote_filename try_remove unarchive_sample_image
    """,
    "filters": """
        chown_re file_pattern filter_chown filter_generated_node_ids filter_img_info filter_imgfmt
        filter_nbd_exports filter_qemu_io filter_qmp filter_qmp_event filter_qmp_generated_node_ids
        filter_qmp_imgfmt filter_qmp_testfiles filter_qmp_virtio_scsi filter_test_dir filter_testfiles
        filter_virtio_scsi filter_win32 is_str qemu_io_re test_dir_re win32_re
    """,
    "logs": """
        activate_logging change_log_level log logger ordered_qmp test_logger
    """,
    "tools": """
        compare_images create_image image_size img_info_log qemu_img qemu_img_check qemu_img_create
        qemu_img_create_prepare_args qemu_img_info qemu_img_json qemu_img_log qemu_img_map qemu_img_measure
        qemu_img_pipe qemu_img_pipe_and_status qemu_img_verbose qemu_io qemu_io_log qemu_io_popen
        qemu_io_silent qemu_io_silent_check qemu_io_wrap_args qemu_nbd qemu_nbd_early_pipe qemu_nbd_list_log
        qemu_nbd_popen qemu_tool qemu_tool_pipe_and_status qemu_tool_popen QemuIoInteractive
        QemuStorageDaemon
    """,
    "verify": """
        _verify_aio_mode _verify_cache_mode _verify_formats _verify_image_format _verify_imgopts
        _verify_platform _verify_protocol _verify_virtio_blk _verify_virtio_scsi_pci_or_ccw case_notrun
        has_working_luks notrun qemu_pipe skip_for_formats skip_if_unsupported skip_if_user_is_root
        supported_formats supports_qcow2_zstd_compression supports_quorum verify_qcow2_zstd_compression
        verify_quorum verify_working_luks
    """,
    "vm": """
        get_virtio_scsi_device Timeout VM
    """,
    "cases": """
        execute_unittest index_re QMPTestCase ReproducibleStreamWrapper ReproducibleTestResult
        ReproducibleTestRunner
    """,
    "run": """
        execute_setup_common execute_test main script_initialize script_main
    """,
}
_PLACES = {name: place for place, names in _NAMES.items() for name in names.split()}

#: What log() takes, and a whole QMP message.
Msg = object
QMPMessage = dict


def __getattr__(name):
    place = _PLACES.get(name)
    if place is None:
        raise AttributeError("module %r has no attribute %r" % (__name__, name))
    value = getattr(importlib.import_module("iotests." + place), name)
    globals()[name] = value
    return value


def __dir__():
    return sorted({*globals(), *_PLACES})

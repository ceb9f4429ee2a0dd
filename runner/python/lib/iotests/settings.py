# SPDX-License-Identifier: GPL-2.0-or-later
"""What the runner has set: names of iotests that are values."""

import os
import sys


def _words(name):
    text = os.environ.get(name, "").strip()
    return text.split(" ") if text else []


qemu_img_args = [os.environ.get("QEMU_IMG_PROG", "qemu-img"), *_words("QEMU_IMG_OPTIONS")]
qemu_io_args = [os.environ.get("QEMU_IO_PROG", "qemu-io"), *_words("QEMU_IO_OPTIONS")]
qemu_io_args_no_fmt = [os.environ.get("QEMU_IO_PROG", "qemu-io"), *_words("QEMU_IO_OPTIONS_NO_FMT")]
qemu_nbd_prog = os.environ.get("QEMU_NBD_PROG", "qemu-nbd")
qemu_nbd_args = [qemu_nbd_prog, *_words("QEMU_NBD_OPTIONS")]
qemu_prog = os.environ.get("QEMU_PROG", "qemu")
qemu_opts = os.environ.get("QEMU_OPTIONS", "").strip().split(" ")
qsd_prog = os.environ.get("QSD_PROG", "qemu-storage-daemon")

gdb_qemu_env = os.environ.get("GDB_OPTIONS")
qemu_gdb = ["gdbserver", *_words("GDB_OPTIONS")] if gdb_qemu_env else []
qemu_print = os.environ.get("PRINT_QEMU", False)

imgfmt = os.environ.get("IMGFMT", "raw")
imgproto = os.environ.get("IMGPROTO", "file")
output_dir = os.environ.get("OUTPUT_DIR", ".")

try:
    test_dir = os.environ["TEST_DIR"]
    sock_dir = os.environ["SOCK_DIR"]
    cachemode = os.environ["CACHEMODE"]
    aiomode = os.environ["AIOMODE"]
    qemu_default_machine = os.environ["QEMU_DEFAULT_MACHINE"]
    sample_img_dir = os.environ["SAMPLE_IMG_DIR"]
except KeyError as missing:
    sys.stderr.write(
        'Please run this test via the "check" script, avocado, or "avocado-runner-vt iotests": %s is not set\n' % missing
    )
    sys.exit(os.EX_USAGE)

qemu_valgrind = []
if os.environ.get("VALGRIND_QEMU") == "y" and os.environ.get("NO_VALGRIND") != "y":
    valgrind_logfile = "--log-file=%s/%%p.valgrind" % test_dir
    qemu_valgrind = ["valgrind", valgrind_logfile, "--error-exitcode=99"]

socket_scm_helper = os.environ.get("SOCKET_SCM_HELPER", "socket_scm_helper")
luks_default_secret_object = "secret,id=keysec0,data=" + os.environ.get("IMGKEYSECRET", "")
luks_default_key_secret_opt = "key-secret=keysec0"

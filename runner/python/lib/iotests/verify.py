# SPDX-License-Identifier: GPL-2.0-or-later
"""What a script needs: it is not run where that is missing."""

import functools
import json
import os
import sys

from iotests import logs, settings
from iotests.tools import qemu_img_pipe, qemu_img_pipe_and_status, qemu_tool_pipe_and_status


def _note(ending, mode, text):
    path = os.path.join(settings.test_dir, os.path.basename(sys.argv[0]) + ending)
    with open(path, mode, encoding="utf-8") as file:
        file.write(text)


def note_notrun(reason):
    """Notes that the script is not run, whatever it does further."""
    _note(".notrun", "w", reason + "\n")


def notrun(reason):
    """Ends the script as not run."""
    note_notrun(reason)
    logs.logger.warning("%s not run: %s", os.path.basename(sys.argv[0]), reason)
    sys.exit(0)


def case_notrun(reason):
    """Notes that a case is not run; skipping it is the caller's."""
    _note(".casenotrun", "a", "    [case not run] " + reason + "\n")


#: What this host lacked in cases that were skipped for it.
lacks = []


def without(reason):
    """Ends a running unittest case, or a script that is none, as not run: this host lacks something."""
    cases = sys.modules.get("iotests.cases")
    if cases is None or not cases.ReproducibleTestRunner.running:
        notrun(reason)
    if reason not in lacks:
        case_notrun(reason)
        lacks.append(reason)
    raise cases.unittest.SkipTest(reason)


@functools.lru_cache(maxsize=None)
def _facts():
    """What the runner knows of the programs."""
    try:
        with open(os.environ.get("VT_IOTESTS_FACTS", ""), encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError):
        return {}


def qemu_pipe(*args):
    """What QEMU prints for an option that makes it print something and end."""
    if args == ("-drive", "format=help") and "drive_formats" in _facts():
        return _facts()["drive_formats"]
    return qemu_tool_pipe_and_status("qemu", [settings.qemu_prog, *settings.qemu_opts, *args])[0]


def _has_device(*names):
    """Whether this QEMU has one of these devices; "virtio-blk" stands for its kinds (-pci, -ccw, …), too."""
    known = _facts().get("devices")
    if known is None:
        text = qemu_pipe("-M", "none", "-device", "help")
        return any(name in text for name in names)
    return any(name in device for name in names for device in known)


def supported_formats(read_only=False):
    """The formats that this QEMU may write, or may read."""
    if not hasattr(supported_formats, "formats"):
        supported_formats.formats = {}
    if read_only not in supported_formats.formats:
        lines = qemu_pipe("-drive", "format=help").splitlines()
        supported_formats.formats[read_only] = lines[1 if read_only else 0].split(":")[1].split()
    return supported_formats.formats[read_only]


def _verify_image_format(supported_fmts=(), unsupported_fmts=()):
    if "generic" in supported_fmts and os.environ.get("IMGFMT_GENERIC", "true") == "true":
        supported_fmts = ()
    if (supported_fmts and settings.imgfmt not in supported_fmts) or settings.imgfmt in unsupported_fmts:
        notrun("not suitable for this image format: %s" % settings.imgfmt)
    if settings.imgfmt == "luks":
        verify_working_luks()


def _verify_protocol(supported=(), unsupported=()):
    assert not (supported and unsupported)
    if "generic" in supported:
        return
    if (supported and settings.imgproto not in supported) or settings.imgproto in unsupported:
        notrun("not suitable for this protocol: %s" % settings.imgproto)


def _verify_platform(supported=(), unsupported=()):
    if any(sys.platform.startswith(name) for name in unsupported) or (
        supported and not any(sys.platform.startswith(name) for name in supported)
    ):
        notrun("not suitable for this OS: %s" % sys.platform)


def _verify_cache_mode(supported_cache_modes=()):
    if supported_cache_modes and settings.cachemode not in supported_cache_modes:
        notrun("not suitable for this cache mode: %s" % settings.cachemode)


def _verify_aio_mode(supported_aio_modes=()):
    if supported_aio_modes and settings.aiomode not in supported_aio_modes:
        notrun("not suitable for this aio mode: %s" % settings.aiomode)


def _verify_formats(required_formats=()):
    missing = list(set(required_formats) - set(supported_formats()))
    if missing:
        notrun("formats %s are not whitelisted" % missing)


def _verify_virtio_blk():
    if not _has_device("virtio-blk"):
        notrun("Missing virtio-blk in QEMU binary")


def _verify_virtio_scsi_pci_or_ccw():
    if not _has_device("virtio-scsi-pci", "virtio-scsi-ccw"):
        notrun("Missing virtio-scsi-pci or virtio-scsi-ccw in QEMU binary")


def _verify_imgopts(unsupported=()):
    imgopts = os.environ.get("IMGOPTS")
    # Options with $ are for bash, which replaces variables in them.
    if imgopts and any(word in imgopts for word in (*unsupported, "$")):
        notrun("not suitable for this imgopts: %s" % imgopts)


def supports_quorum():
    return "quorum" in qemu_img_pipe("--help")


def verify_quorum():
    if not supports_quorum():
        notrun("quorum support missing")


def has_working_luks():
    """Whether images can be encrypted, and why not."""
    image = os.path.join(settings.test_dir, "luks-test.luks")
    output, code = qemu_img_pipe_and_status(
        "create", "-f", "luks", "--object", settings.luks_default_secret_object,
        "-o", settings.luks_default_key_secret_opt, "-o", "iter-time=10", image, "1G",
    )  # fmt: skip
    if os.path.exists(image):
        os.remove(image)
    if code == 0:
        return True, ""
    for line in output.splitlines():
        if image + ":" in line:
            return False, line.split(image + ":", 1)[1].strip()
    return False, output


def verify_working_luks():
    working, reason = has_working_luks()
    if not working:
        notrun(reason)


def supports_qcow2_zstd_compression():
    image = os.path.join(settings.test_dir, "qcow2-zstd-test.qcow2")
    output, code = qemu_img_pipe_and_status("create", "-f", "qcow2", "-o", "compression_type=zstd", image, "0")
    if os.path.exists(image):
        os.remove(image)
    return not (code == 1 and "'compression-type' does not accept value 'zstd'" in output)


def verify_qcow2_zstd_compression():
    if not supports_qcow2_zstd_compression():
        notrun("zstd compression not supported")


def skip_if_unsupported(required_formats=(), read_only=False):
    """Skips a case where QEMU lacks a format. The formats may be a function of the case."""

    def decorator(func):
        @functools.wraps(func)
        def wrapper(test_case, *args, **kwargs):
            wanted = required_formats(test_case) if callable(required_formats) else required_formats
            missing = list(set(wanted) - set(supported_formats(read_only)))
            if missing:
                test_case.case_skip("%s: formats %s are not whitelisted" % (test_case, missing))
            else:
                func(test_case, *args, **kwargs)

        return wrapper

    return decorator


def skip_for_formats(formats=()):
    """Skips a case for some formats of the run."""

    def decorator(func):
        @functools.wraps(func)
        def wrapper(test_case, *args, **kwargs):
            if settings.imgfmt in formats:
                test_case.case_skip("%s: Skipped for format %s" % (test_case, settings.imgfmt))
            else:
                func(test_case, *args, **kwargs)

        return wrapper

    return decorator


def skip_if_user_is_root(func):
    """Skips a case for root."""

    @functools.wraps(func)
    def wrapper(*args, **kwargs):
        if os.getuid() == 0:
            case_notrun("%s: cannot be run as root" % args[0])
            return None
        return func(*args, **kwargs)

    return wrapper

# SPDX-License-Identifier: GPL-2.0-or-later
"""Files of a script: named after its process, removed with it."""

import atexit
import os

from iotests import settings
from iotests.filters import file_pattern


def try_remove(img):
    try:
        os.remove(img)
    except OSError:
        pass


class FilePath:
    """Names of files (one alone without a list) that are removed at the end of the block."""

    def __init__(self, *names, base_dir=settings.test_dir):
        self.paths = [os.path.join(base_dir, file_pattern(name)) for name in names]

    def __enter__(self):
        return self.paths[0] if len(self.paths) == 1 else self.paths

    def __exit__(self, exc_type, exc_val, exc_tb):
        for path in self.paths:
            try_remove(path)
        return False


def file_path_remover():
    for path in reversed(file_path_remover.paths):
        try_remove(path)


def file_path(*names, base_dir=settings.test_dir):
    """Names of files (one alone without a list) that are removed at the script's end."""
    if not hasattr(file_path_remover, "paths"):
        file_path_remover.paths = []
        atexit.register(file_path_remover)
    paths = [os.path.join(base_dir, file_pattern(name)) for name in names]
    file_path_remover.paths += paths
    return paths[0] if len(paths) == 1 else paths


def remote_filename(path):
    """The path in the words of the run's protocol."""
    if settings.imgproto == "file":
        return path
    if settings.imgproto == "ssh":
        return "ssh://%s@127.0.0.1:22%s" % (os.environ.get("USER"), path)
    raise Exception("Protocol %s not supported" % settings.imgproto)


def unarchive_sample_image(sample, fname):
    """Unpacks one of the images that come with the tests."""
    import bz2
    import shutil

    with bz2.open(os.path.join(settings.sample_img_dir, sample + ".bz2")) as packed, open(fname, "wb") as unpacked:
        shutil.copyfileobj(packed, unpacked)

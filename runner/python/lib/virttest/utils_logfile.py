# SPDX-License-Identifier: GPL-2.0-or-later
"""Log files of a test's own, line by line with time stamps, in the test's log directory."""

import os
import threading
import time

import _vt

_files = {}
_lock = threading.Lock()
_directory = None


def set_log_file_dir(directory):
    """Sets where relative names lie; the test's log directory unless set."""
    global _directory
    _directory = directory


def get_log_file_dir():
    """Where relative names lie."""
    from virttest import data_dir

    if _directory is None and data_dir._context is not None:
        return data_dir._context.logdir
    return _directory or os.getcwd()


def get_log_filename(filename):
    """The path of a log file."""
    return os.path.realpath(os.path.join(get_log_file_dir(), filename))


def log_line(filename, line):
    """Appends a line with the time before it."""
    path = get_log_filename(filename)
    with _lock:
        if path not in _files:
            _files[path] = open(path, "a", encoding="utf-8", errors="replace")
        _files[path].write("%s: %s\n" % (time.strftime("%Y-%m-%d %H:%M:%S"), _vt.printable(str(line))))
        _files[path].flush()


def close_log_file(filename="*"):
    """Closes a log file, or all; a later line opens it again."""
    wanted = None if filename == "*" else get_log_filename(filename)
    with _lock:
        for path in [path for path in _files if wanted in (None, path)]:
            _files.pop(path).close()


def close_own_log_file(log_file):
    """A session's close hook that closes its log file."""
    return lambda self: close_log_file(log_file)

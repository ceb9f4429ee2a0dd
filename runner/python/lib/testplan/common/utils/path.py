# SPDX-License-Identifier: GPL-2.0-or-later
"""Directories and files."""

import contextlib
import os
import threading

import _vt
from testplan.common.utils.strings import slugify

VAR_TMP = os.path.join(os.sep, "var", "tmp")
PWD = "PWD"
CHDIR_LOCK = threading.RLock()


def fix_home_prefix(path):
    """The path below the home directory as the user writes it, if that is a link."""
    home = os.path.expanduser("~")
    real = os.path.realpath(home)
    if real != home and (path == real or path.startswith(real + os.sep)):
        return home + path[len(real) :]
    return path


def module_abspath(module):
    return fix_home_prefix(os.path.abspath(module.__file__))


def pwd():
    return fix_home_prefix(os.getcwd())


def default_runpath(entity):
    """Where an entity works that was told nothing: below /var/tmp, by user and by its name."""
    import getpass
    import tempfile

    place = VAR_TMP if os.path.exists(VAR_TMP) else tempfile.gettempdir()
    return os.path.join(place, getpass.getuser(), "testplan", slugify(entity.uid()))


@contextlib.contextmanager
def change_directory(directory):
    """Works in another directory meanwhile; one thread at a time, since a process has only one."""
    with CHDIR_LOCK:
        if not directory:
            yield
            return
        directory = os.fspath(directory)
        before, variable = os.getcwd(), os.environ.get(PWD)
        os.chdir(directory)
        os.environ[PWD] = fix_home_prefix(directory)
        try:
            yield
        finally:
            os.chdir(before)
            if variable is None:
                os.environ.pop(PWD, None)
            else:
                os.environ[PWD] = variable


def makedirs(path):
    os.makedirs(path, exist_ok=True)


def makeemptydirs(path):
    """The directory without anything in it; those that hold a user's things are refused."""
    if os.path.lexists(path) and not os.path.isdir(path):
        os.remove(path)
    _vt.driver.make_run_path(path, True)


def removeemptydir(path):
    """Removes it if it is an empty directory."""
    with contextlib.suppress(OSError):
        os.rmdir(path)


class StdFiles:
    """The files `stdout` and `stderr` in a directory, open for writing."""

    def __init__(self, directory):
        self.err_path = os.path.join(directory, "stderr")
        self.out_path = os.path.join(directory, "stdout")
        self.err = open(self.err_path, "w", encoding="utf-8")
        self.out = open(self.out_path, "w", encoding="utf-8")

    def open_out(self, mode="r"):
        return open(self.out_path, mode)

    def open_err(self, mode="r"):
        return open(self.err_path, mode)

    def close(self):
        self.err.close()
        self.out.close()


def instantiate(template, values, destination):
    """Fills a file's {{names}} in and writes it to another file, or into a directory. Bytes are copied as they are."""
    from testplan.common.utils.context import _dotted, render

    makedirs(os.path.dirname(os.path.abspath(destination)))
    lookup = _dotted(values if callable(values) else values.get)
    try:
        with open(template, encoding="utf-8") as source:
            text = source.read()
    except UnicodeDecodeError:
        text = ""
    try:
        if _vt.driver.is_simple(text):
            return _vt.driver.install_file(template, destination, lookup)
        target = os.path.join(destination, os.path.basename(template)) if os.path.isdir(destination) else destination
        with open(target, "w", encoding="utf-8") as file:
            file.write(render(text, values))
        os.chmod(target, os.stat(template).st_mode & 0o7777)
        return target
    except Exception as error:
        raise Exception(f"On reading/writing template: {error} - of file {template}") from error


def unique_name(name, names):
    """The name, or the first of name-1, name-2, … (before the extension) that is not among `names`."""
    base, extension = os.path.splitext(name)
    number, candidate = 0, name
    while candidate in names:
        number += 1
        candidate = f"{base}-{number}{extension}"
    return candidate


def rebase_path(path, old_base, new_base):
    return os.path.join(new_base, *os.path.relpath(path, old_base).split(os.sep))


def is_subdir(child, parent):
    child, parent = (fix_home_prefix(os.path.abspath(path)) for path in (child, parent))
    return child == parent or child.startswith(parent.rstrip(os.sep) + os.sep)


def hash_file(filepath):
    """SHA-1 of its content, as hexadecimal digits."""
    import hashlib

    digest = hashlib.sha1()
    with open(filepath, "rb") as file:
        for block in iter(lambda: file.read(65536), b""):
            digest.update(block)
    return digest.hexdigest()


def archive(path, timestamp):
    """Renames a file to a name with the time behind; returns that name."""
    if os.path.isfile(path):
        os.rename(path, path + timestamp)
    return path + timestamp


def traverse_dir(directory, topdown=True, ignore=None, only=None, recursive=True, include_subdir=True):
    """Relative paths of what is in a directory; `ignore` and `only` are lists of glob patterns."""
    import fnmatch

    def wanted(name):
        if any(fnmatch.fnmatch(name, pattern) for pattern in ignore or ()):
            return False
        return not only or any(fnmatch.fnmatch(name, pattern) for pattern in only)

    found = []
    for place, directories, files in os.walk(directory, topdown=topdown or not recursive):
        names = (directories if include_subdir else []) + files
        found += [os.path.relpath(os.path.join(place, name), directory) for name in names if wanted(name)]
        if not recursive:
            break
    return found

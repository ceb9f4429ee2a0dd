# SPDX-License-Identifier: GPL-2.0-or-later
"""Where things lie: the data directory, a test's dependencies, temporary files."""

import os
import sys

_context = None  # of the running test, if there is one


class MissingDepsDirError(Exception):
    """No deps directory belongs to the caller."""


def _use(context):
    global _context
    _context = context


def get_data_dir():
    """The data directory of Avocado-VT (images, isos, backends, …)."""
    if _context is not None:
        return _context.datadir
    from avocado.core import data_dir

    return os.path.join(data_dir.get_data_dir(), "avocado-vt")


def get_backing_data_dir():
    """The same."""
    return get_data_dir()


def get_tmp_dir(public=True):
    """A directory for temporary files that is removed after the test."""
    if _context is not None:
        return _context.workdir
    from avocado.core import data_dir

    return data_dir.get_tmp_dir()


def get_local_backend_dir():
    """Configurations of all backends."""
    return os.path.join(get_data_dir(), "backends")


def get_backend_dir(backend_type):
    """Configurations of one backend."""
    return os.path.join(get_local_backend_dir(), backend_type)


def get_backend_cfg_path(backend_type, cfg_basename):
    """One configuration file of a backend."""
    return os.path.join(get_backend_dir(backend_type), "cfg", cfg_basename)


def get_download_dir():
    """Asset definitions and downloads."""
    return os.path.join(get_data_dir(), "downloads")


def get_test_providers_dir():
    """Provider definitions."""
    return os.path.join(get_data_dir(), "virttest", "test-providers.d")


def get_test_provider_dir(provider):
    """Where a provider was fetched to."""
    return os.path.join(get_test_providers_dir(), "downloads", provider)


def get_root_dir():
    """The directory that tests know as test.bindir."""
    if _context is None:
        raise RuntimeError("data_dir.get_root_dir() has an answer in a running test only")
    return _context.bindir


def get_shared_dir():
    """Its shared directory."""
    return os.path.join(get_root_dir(), "shared")


def _deps_above(path, target):
    """deps, or shared/deps, in path or a directory above it, at most to the top of a repository."""
    for _ in range(10):
        for folder in (os.path.join(path, "shared", "deps"), os.path.join(path, "deps")):
            if os.path.isdir(folder) and (not target or os.path.exists(os.path.join(folder, target))):
                return os.path.join(folder, target) if target else folder
        if os.path.exists(os.path.join(path, ".git")) or path == os.path.dirname(path):
            break
        path = os.path.dirname(path)
    return None


def get_deps_dir(target=None):
    """The caller's directory of dependencies, or the path of target in it; raises MissingDepsDirError."""
    caller = sys._getframe(1).f_globals.get("__file__") or sys._getframe(1).f_code.co_filename
    start = os.path.dirname(os.path.abspath(caller))
    found = _deps_above(start, target)
    if found is None:
        raise MissingDepsDirError(
            "no deps directory%s in %s or a directory above it" % (" with %s in it" % target if target else "", start)
        )
    return found

# SPDX-License-Identifier: GPL-2.0-or-later
"""What the comparisons with upstream share: the engine's process and upstream's module.

Environment: VT_BUILD (build directory, default build/release), PEER_SITE (site-packages that hold upstream's
avocado-framework-plugin-vt 113; without it build/peer, else the package is fetched from PyPI into build/oracle).
"""

import importlib.util
import logging
import os
import pathlib
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import cfg_compare  # noqa: E402 pylint: disable=wrong-import-position

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("VT_BUILD", ROOT / "build/release"))
PACKAGE = "avocado-framework-plugin-vt==113.0"
MODULE = "virttest/cartesian_config.py"


def pytest_configure(config):
    """Makes the mark known."""
    config.addinivalue_line("markers", "soak: takes minutes; runs only when asked for with -m soak")


def pytest_collection_modifyitems(config, items):
    """Leaves soaks out unless marks were asked for."""
    if not config.getoption("markexpr"):
        items[:] = [item for item in items if item.get_closest_marker("soak") is None]


def upstream_site():
    """The directory with upstream's packages, or None."""
    places = [pathlib.Path(os.environ["PEER_SITE"])] if os.environ.get("PEER_SITE") else []
    places += sorted((ROOT / "build/peer/lib").glob("python3*/site-packages"))
    fetched = ROOT / "build/oracle"
    for place in places + [fetched]:
        if (place / MODULE).exists():
            return place
    done = subprocess.run(["/usr/bin/python3", "-m", "pip", "install", "-q", "--no-deps", "--target", str(fetched), PACKAGE],
                          check=False, capture_output=True)
    return fetched if done.returncode == 0 and (fetched / MODULE).exists() else None


@pytest.fixture(scope="session")
def peer_site():
    """Upstream's packages."""
    site = upstream_site()
    if site is None:
        pytest.skip("upstream's parser (%s) can be neither found nor fetched" % PACKAGE)
    return site


@pytest.fixture(scope="session")
def peer(peer_site):
    """Upstream's cartesian_config, under a name of its own so that nothing else of the package is imported."""
    spec = importlib.util.spec_from_file_location("upstream_cartesian_config", peer_site / MODULE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    logging.getLogger("avocado." + spec.name).setLevel(logging.CRITICAL)
    return module


@pytest.fixture(scope="session")
def engine():
    """The engine in a process of its own."""
    binary = BUILD / "tests/cfg_peer"
    if not binary.exists():
        pytest.skip("%s is not built" % binary)
    process = cfg_compare.Engine(str(binary))
    yield process
    process.close()

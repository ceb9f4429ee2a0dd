# SPDX-License-Identifier: GPL-2.0-or-later
"""A layer includes only itself and layers below it."""

import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]

# Bottom first; layers in one entry do not see each other.
LAYERS = (
    ("runner/support",),
    ("runner/io",),
    ("runner/process",),
    ("runner/sharing",),
    ("cfg",),
    ("providers",),
    ("resolver",),
    ("runner/session",),
    ("runner/monitor",),
    ("runner/storage", "runner/net"),
    ("runner/caps",),
    ("runner/harness/block",),
    ("runner/guest",),
    ("runner/vm",),
    ("runner/env",),
    ("runner/guest_build",),
    ("runner/assets",),
    ("runner/bootstrap",),
    ("runner/harness/plan", "runner/harness/driver", "runner/harness/packet"),
    ("runner/native",),
    ("runner/nrunner",),
    ("runner/python",),
    ("runner/task",),
    ("runner/commands",),
)
RANK = {folder: rank for rank, folders in enumerate(LAYERS) for folder in folders}
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)

# Tests are clients of the public APIs only.
PUBLIC = ("runner/native/block_api.hpp", "runner/native/driver_api.hpp", "runner/native/packet_api.hpp",
          "runner/native/plan_api.hpp", "runner/native/test_api.hpp")


def layer_of(path):
    """The longest folder of LAYERS that the path lies in."""
    found = [folder for folder in RANK if path.startswith(folder + "/")]
    return max(found, key=len, default=None)


def sources(folder):
    for suffix in ("*.hpp", "*.cpp"):
        for path in sorted((ROOT / folder).rglob(suffix)):
            yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")


@pytest.mark.parametrize("folder", RANK)
def test_includes_point_downwards(folder):
    wrong = []
    for name, text in sources(folder):
        if name.startswith("providers/builtin/"):
            continue
        for included in INCLUDE.findall(text):
            other = layer_of(included)
            if other is None:
                if not (ROOT / pathlib.PurePath(name).parent / included).is_file():
                    wrong.append(f"{name} includes {included}, which is in no layer")
            elif other != layer_of(name) and RANK[other] >= RANK[layer_of(name)]:
                wrong.append(f"{name} includes {included}: {other} is not below {layer_of(name)}")
    assert not wrong, "\n".join(wrong)


def test_builtin_tests_use_only_the_public_api():
    wrong = [
        f"{name} includes {included}"
        for name, text in sources("providers/builtin")
        for included in INCLUDE.findall(text)
        if included not in PUBLIC
    ]
    assert not wrong, "\n".join(wrong)


def test_every_folder_with_sources_is_a_layer():
    folders = {
        path.parent.relative_to(ROOT).as_posix()
        for top in ("runner", "cfg", "providers", "resolver")
        for path in (ROOT / top).rglob("*.cpp")
    }
    assert not [folder for folder in sorted(folders) if layer_of(folder + "/") is None]


def test_heavy_headers_stay_out_of_headers():
    heavy = re.compile(r"#\s*include\s+<(nlohmann/json\.hpp|boost/asio[^>]*|pybind11/[^>]*|spdlog/[^>]*|CLI/[^>]*)>")
    wrong = [
        f"{name} includes {match}"
        for folder in RANK
        if folder != "runner/python"
        for name, text in sources(folder)
        if name.endswith(".hpp")
        for match in heavy.findall(text)
    ]
    assert not wrong, "\n".join(wrong)


def test_every_file_names_its_licence():
    # The built-in test that users copy stands as it does in the user's guide, and image texts go into guests as they are.
    missing = []
    for pattern in ("*.cpp", "*.hpp", "*.py", "CMakeLists.txt", "*.cmake", "*.sh"):
        for path in ROOT.rglob(pattern):
            name = path.relative_to(ROOT).as_posix()
            if name.startswith(("build/", ".")) or name == "providers/builtin/generic/tests/uptime.py":
                continue
            if "SPDX-License-Identifier" not in path.read_text(encoding="utf-8")[:300]:
                missing.append(name)
    assert not missing, "\n".join(missing)

# SPDX-License-Identifier: GPL-2.0-or-later
"""The thousand runs are for those who ask for them."""


def pytest_collection_modifyitems(config, items):
    if not config.getoption("markexpr"):
        items[:] = [item for item in items if item.get_closest_marker("soak") is None]

# SPDX-License-Identifier: GPL-2.0-or-later
"""The plugin's changes of Avocado's defaults.

Loaded while Avocado's settings object is being made, so nothing here may import that.
"""

import os

from avocado.core.plugin_interfaces import Settings


class VTSettings(Settings):
    """Adds the files of conf.d below all files of the system and the user."""

    name = "vt-settings"
    description = "Default settings for virtual machine tests"

    def adjust_settings_paths(self, paths):
        directory = os.path.join(os.path.dirname(__file__), "conf.d")
        paths[:0] = [os.path.join(directory, name) for name in ("vt.conf", "vt_joblock.conf")]

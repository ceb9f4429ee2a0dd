# SPDX-License-Identifier: GPL-2.0-or-later
"""Testplan's names over this runner's drivers: what scripts with TCP drivers and MultiTests import.

Nothing is imported before it is used: a script that needs one driver pays for one driver.
"""

import sys

from testplan._lazy import Missing, lazy

__version__ = "25.8.0"
__getattr__, __dir__, __all__ = lazy(
    __name__,
    {
        "Testplan": "testplan.base",
        "TestplanMock": "testplan.base",
        "TestplanResult": "testplan.base",
        "test_plan": "testplan.base",
        "defaults": "testplan.defaults:",
    },
)
if Missing not in sys.meta_path:
    sys.meta_path.append(Missing)

# SPDX-License-Identifier: GPL-2.0-or-later
"""Loggable: has a logger, which is made when something is logged; until then the package logging is not imported."""


class Loggable:
    """Has a logger named as its class."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._logger = None

    @property
    def logger(self):
        """logger object"""
        found = self.__dict__.get("_logger")
        if found is None:
            from testplan.common.utils.logger import logger_named

            found = self.__dict__["_logger"] = logger_named(f"testplan.{type(self).__name__}")
        return found

# SPDX-License-Identifier: GPL-2.0-or-later
"""The job lock: taken before a job's tests, removed after them. The binary decides."""

import os

from avocado.core.exceptions import JobError
from avocado.core.output import LOG_UI
from avocado.core.plugin_interfaces import JobPost, JobPre

KINDS = ("vt", "avocado-vt")


class VTJobLock(JobPre, JobPost):
    name = "vt-joblock"
    description = "Avocado-VT Job Lock/Unlock"

    def __init__(self):
        self._file = None

    def pre(self, job):
        if not any(test.kind in KINDS for suite in job.test_suites for test in suite.tests or []):
            return
        from . import runner  # pylint: disable=C0415

        directory = os.path.abspath(os.path.expanduser(job.config.get("plugins.vtjoblock.dir")))
        try:
            reply = runner.ask("joblock", {"dir": directory, "job": job.unique_id, "pid": os.getpid()})
        except runner.RunnerError as error:
            raise JobError(str(error)) from None
        if "error" in reply:
            raise JobError(reply["error"])
        self._file = reply["file"]
        for warning in reply["warnings"]:
            LOG_UI.warning("Job lock: %s", warning)

    def post(self, job):
        if self._file is None:
            return
        from . import runner  # pylint: disable=C0415

        reply = runner.ask("joblock", {"release": self._file})
        self._file = None
        if "error" in reply:
            LOG_UI.warning("Job lock: %s", reply["error"])

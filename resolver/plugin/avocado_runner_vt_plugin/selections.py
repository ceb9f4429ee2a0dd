# SPDX-License-Identifier: GPL-2.0-or-later
"""Keeps extra parameters, which may be passwords, off the command lines of a job's tasks."""

import os

from avocado.core.exceptions import JobError
from avocado.core.output import LOG_UI
from avocado.core.plugin_interfaces import JobPost, JobPre


class VTSelections(JobPre, JobPost):
    """Puts the selections with extra parameters into files that only the user can read.

    The tests of one resolution share a selection, so there is one file, or few. On other hosts, where spawners run tasks
    by a command line alone, such a file would not be there: then all stays as it is.
    """

    name = "vt-selections"
    description = "Keeps parameters of virtual machine tests off command lines"

    def __init__(self):
        self._files = {}

    def pre(self, job):
        if job.config.get("run.spawner") != "process":
            return
        for suite in job.test_suites:
            for test in suite.tests or []:
                selection = test.kwargs.get("selection") if hasattr(test, "kwargs") else None
                if isinstance(selection, dict) and selection.get("extra_params"):
                    test.selection_file = self._file(selection)

    def _file(self, selection):
        if id(selection) not in self._files:
            from . import runner  # pylint: disable=C0415

            request = {"selection": selection, "pid": os.getpid()}
            try:
                reply = runner.ask("selection", request)
            except runner.RunnerError as error:
                raise JobError(str(error)) from None
            if "error" in reply:
                raise JobError(reply["error"])
            # The selection is kept with it, lest its identity become another's.
            self._files[id(selection)] = (reply["file"], selection)
        return self._files[id(selection)][0]

    def post(self, job):
        from . import runner  # pylint: disable=C0415

        files, self._files = self._files, {}
        for path, _ in files.values():
            try:
                reply = runner.ask("selection", {"release": path})
            except runner.RunnerError as error:
                reply = {"error": str(error)}
            if "error" in reply:
                LOG_UI.warning("The parameters in %s: %s", path, reply["error"])

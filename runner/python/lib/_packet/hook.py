# SPDX-License-Identifier: GPL-2.0-or-later
"""What happens around each call of the daemon's API and CLI: it is logged, the daemon is looked after, a person may step."""

import ipaddress
import os
import subprocess
import sys
import traceback

from log import RED, double_line_delim, single_line_delim
from util import check_core_path


class VppDiedError(Exception):
    """The daemon under test has ended unasked; the text names the signal and the core."""


def _friendly(value):
    """An argument as a person reads it: addresses beside their bytes."""
    if isinstance(value, bytes) and len(value) == 6:
        return "%r (%s)" % (value, ":".join("%02x" % byte for byte in value))
    if isinstance(value, (bytes, str)):
        try:
            return "%r (%s)" % (value, ipaddress.ip_address(value))
        except ValueError:
            pass
    return repr(value)


class Hook:
    """Logs calls."""

    def __init__(self, logger):
        self.logger = logger

    def before_api(self, api_name, api_args):
        words = ", ".join("%s=%s" % (key, _friendly(value)) for key, value in api_args.items())
        self.logger.debug("API: %s (%s)", api_name, words, extra={"color": RED})

    def after_api(self, api_name, api_args):
        """Nothing by default."""

    def before_cli(self, cli):
        self.logger.debug("CLI: %s", cli, extra={"color": RED})

    def after_cli(self, cli):
        """Nothing by default."""


class PollHook(Hook):
    """Looks whether the daemon lives before each call."""

    def __init__(self, testcase):
        super().__init__(testcase.logger)
        self.testcase = testcase

    def on_crash(self, core_path):
        """Says what a core is and how to look into it."""
        self.logger.error("There is a core; debug it with: gdb %s %s", self.testcase.vpp_bin, core_path)
        check_core_path(self.logger, core_path)
        try:
            self.logger.error(subprocess.check_output(["file", core_path], text=True).strip())
        except (OSError, subprocess.CalledProcessError) as error:
            self.logger.error("`file %s' says nothing: %s", core_path, error)

    def poll_vpp(self):
        """Raises VppDiedError if the daemon has died; once, as a test that goes on knows."""
        if self.testcase.vpp_dead:
            return
        try:
            self.testcase.vpp.check()
        except VppDiedError as error:
            self.testcase.vpp_dead = True
            self.logger.critical(str(error))
            core_path = self.testcase.vpp.core
            if core_path is not None and os.path.isfile(core_path):
                self.on_crash(core_path)
            raise

    def before_api(self, api_name, api_args):
        super().before_api(api_name, api_args)
        self.poll_vpp()

    def before_cli(self, cli):
        super().before_cli(cli)
        self.poll_vpp()


class StepHook(PollHook):
    """Waits for Enter before each call. A number of a stack frame lets all calls below that frame go on unasked."""

    def __init__(self, testcase):
        self.skip_stack = None
        self.skip_num = None
        self.skip_count = 0
        super().__init__(testcase)

    def skip(self):
        """True while the call comes from the frame that is not to be stepped."""
        if self.skip_stack is None:
            return False
        places = [entry[:2] for entry in traceback.extract_stack()]
        wanted = [entry[:2] for entry in self.skip_stack]
        if places[: self.skip_num + 1] == wanted[: self.skip_num + 1]:
            self.skip_count += 1
            return True
        print("%d calls were skipped in that stack frame" % self.skip_count)
        self.skip_stack, self.skip_num, self.skip_count = None, None, 0
        return False

    def user_input(self):
        stack = traceback.extract_stack()
        print("number\tfunction\tfile\tcode")
        for number, (file, line, function, code) in enumerate(stack):
            print("%02d.\t%s\t%s:%s\t[%s]" % (number, function, file, line, code))
        print(single_line_delim)
        print("The number of a stack frame: calls in and below it are not stepped any more.")
        while True:
            print("Your choice, if any, and ENTER to go on:", flush=True)
            choice = sys.stdin.readline().strip()
            if not choice:
                return
            if choice.isdigit() and int(choice) < len(stack):
                self.skip_stack, self.skip_num = stack, int(choice)
                return
            print("That is no number of a frame")

    def _pause(self, what):
        if self.skip():
            print("Not paused before %s" % what)
            return
        print(double_line_delim)
        print("Paused before %s" % what)
        print(single_line_delim)
        self.user_input()

    def before_cli(self, cli):
        self._pause("CLI: %s" % cli)
        super().before_cli(cli)

    def before_api(self, api_name, api_args):
        self._pause("API: %s (%s)" % (api_name, api_args))
        super().before_api(api_name, api_args)

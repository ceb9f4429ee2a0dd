# SPDX-License-Identifier: GPL-2.0-or-later
"""Sessions as tests know them, each around one of the core's.

The core reads in the background and knows when a shell has answered, so the parameter internal_timeout, which says how
long silence must last, only matters to read_nonblocking(). A print_func gets the lines that a call read once it has them.
"""

import _vt
from aexpect.exceptions import (
    ExpectError,
    ExpectProcessTerminatedError,
    ExpectTimeoutError,
    ShellCmdError,
    ShellError,
    ShellProcessTerminatedError,
    ShellStatusError,
    ShellTimeoutError,
)

_UNTIL = "read_until_%s_matches"


def _print_lines(print_func, output):
    if print_func:
        for line in output.splitlines():
            print_func(line)
    return output


class Expect:
    """A process or connection: text in, text out, waits for patterns."""

    def __init__(self, core):
        self._core = core
        self.closed = False
        self.close_hooks = []
        self._log_hooks = {}

    @classmethod
    def _of_core(cls, core, **attributes):
        session = cls.__new__(cls)
        Expect.__init__(session, core)
        session.__dict__.update(attributes)
        return session

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.close()

    @property
    def linesep(self):
        return self._core.linesep

    def set_linesep(self, linesep):
        """Sets what sendline() appends."""
        self._core.linesep = linesep

    def is_alive(self):
        """False once the other end is gone."""
        return self._core.is_alive()

    def is_defunct(self):
        """A core's session never leaves a zombie."""
        return False

    def get_status(self):
        """The exit status, or None as long as it runs or nobody told."""
        return self._core.get_status()

    def close(self, sig=None):
        """Ends the session; close hooks run first, once."""
        del sig  # a connection has no signal to be ended with
        if self.closed:
            return
        self.closed = True
        for hook in self.close_hooks:
            hook(self)
        self._core.close()

    def kill(self, sig=None):
        """Ends the session."""
        self.close(sig)

    def send(self, cont=""):
        """Sends text as it is."""
        self._core.send(cont)

    def sendline(self, cont=""):
        """Sends text and the line separator."""
        self._core.sendline(cont)

    def sendcontrol(self, char):
        """Sends a control character: "c" for Ctrl-C."""
        self._core.sendcontrol(char)
        return 1

    def send_ctrl(self, control_str=""):
        """Sends a control character by its name: "^c"."""
        self._core.sendcontrol(control_str.lstrip("^"))

    def set_output_func(self, output_func):
        """Calls output_func(line) with each line of output from now on, from another thread."""
        self._output_func = output_func
        self._set_line_handler()

    def set_output_params(self, output_params):
        """Arguments that come before the line."""
        self._output_params = tuple(output_params)
        self._set_line_handler()

    def set_output_prefix(self, output_prefix):
        """What comes before each line."""
        self._output_prefix = output_prefix
        self._set_line_handler()

    _output_func = None
    _output_params = ()
    _output_prefix = ""

    def _set_line_handler(self):
        func, params, prefix = self._output_func, self._output_params, self._output_prefix
        self._core.set_line_handler(func and (lambda line: func(*params, prefix + line)))

    def read_nonblocking(self, internal_timeout=None, timeout=None):
        """Reads until nothing came for internal_timeout (0.1) seconds, for timeout seconds at most."""
        return self._core.read_nonblocking(0.1 if internal_timeout is None else internal_timeout, timeout)

    def read_until_output_matches(
        self, patterns, filter_func=None, timeout=60.0, internal_timeout=None, print_func=None, match_func=None
    ):
        """Reads until the output, or what filter_func makes of it, matches; returns (index of the pattern, output)."""
        if filter_func is None and match_func is None:
            match, output = self._core.read_until_output_matches(list(patterns), timeout)
            return match, _print_lines(print_func, output)
        return self._read_until(patterns, filter_func, timeout, print_func, match_func)

    def _read_until(self, patterns, filter_func, timeout, print_func, match_func):
        """For conditions that only Python can tell: asked again whenever there is more output."""
        import time

        filter_func = filter_func or (lambda text: text)
        match_func = match_func or self.match_patterns
        end, output = time.monotonic() + timeout, ""
        while True:
            left = end - time.monotonic()
            if left <= 0:
                raise ExpectTimeoutError(patterns, output)
            try:
                # Any character at all: wakes as soon as there is something.
                output += _print_lines(print_func, self._core.read_until_output_matches([r"(?s)."], left)[1])
            except ExpectTimeoutError as error:
                raise ExpectTimeoutError(patterns, output + error.output) from None
            except ExpectProcessTerminatedError as error:
                raise ExpectProcessTerminatedError(patterns, error.status, output + error.output) from None
            match = match_func(filter_func(output), patterns)
            if match is not None:
                return match, output

    @staticmethod
    def match_patterns(cont, patterns):
        """The index of the first pattern found in cont, or None."""
        import re

        for index, pattern in enumerate(patterns):
            if pattern and re.search(pattern, cont):
                return index
        return None

    @staticmethod
    def match_patterns_multiline(cont, patterns):
        """The index of the last pattern found in any line of cont, or None."""
        import re

        for index in reversed(range(len(patterns))):
            if patterns[index] and re.search(patterns[index], cont, re.MULTILINE):
                return index
        return None

    def read_until_last_word_matches(self, patterns, timeout=60.0, internal_timeout=None, print_func=None):
        """Reads until the last word matches a pattern; returns (its index, output)."""
        match, output = self._core.read_until_last_word_matches(list(patterns), timeout)
        return match, _print_lines(print_func, output)

    def read_until_last_line_matches(self, patterns, timeout=60.0, internal_timeout=None, print_func=None):
        """Reads until the last line that is not empty matches a pattern; returns (its index, output)."""
        match, output = self._core.read_until_last_line_matches(list(patterns), timeout)
        return match, _print_lines(print_func, output)

    def read_until_any_line_matches(self, patterns, timeout=60.0, internal_timeout=None, print_func=None):
        """Reads until any line matches a pattern; returns (its index, output)."""
        match, output = self._core.read_until_any_line_matches(list(patterns), timeout)
        return match, _print_lines(print_func, output)


class ShellSession(Expect):
    """A shell, known by its prompt."""

    @property
    def prompt(self):
        return self._core.prompt

    def set_prompt(self, prompt):
        """Sets the regular expression that the prompt matches."""
        self._core.prompt = prompt

    @property
    def status_test_command(self):
        return self._core.status_test_command

    def set_status_test_command(self, status_test_command):
        """Sets the command that prints the last command's exit status."""
        self._core.status_test_command = status_test_command

    @classmethod
    def remove_command_echo(cls, cont, cmd):
        """cont without the echo of cmd at its beginning."""
        return _vt.remove_command_echo(cont, cmd)

    @classmethod
    def remove_last_nonempty_line(cls, cont):
        """cont without the prompt at its end."""
        return _vt.remove_prompt(cont)

    def is_responsive(self, timeout=5.0):
        """True if an empty line is answered within timeout seconds."""
        return self._core.is_responsive(timeout)

    def read_up_to_prompt(self, timeout=60.0, internal_timeout=None, print_func=None):
        """Reads until the last line that is not empty is a prompt; returns what was read."""
        return _print_lines(print_func, self._core.read_up_to_prompt(timeout))

    def cmd_output(
        self, cmd, timeout=60, internal_timeout=None, print_func=None, safe=False, strip_console_codes=False
    ):
        """The output of a command, whatever its exit status. `safe` is for serial lines."""
        return _print_lines(print_func, self._core.cmd_output(cmd, timeout, safe, strip_console_codes))

    def cmd_output_safe(self, cmd, timeout=60, strip_console_codes=False):
        """cmd_output() for serial lines, where kernel messages may hide the prompt."""
        return self._core.cmd_output(cmd, timeout, True, strip_console_codes)

    def cmd_status_output(self, cmd, timeout=60, internal_timeout=None, print_func=None, safe=False):
        """(exit status, output) of a command."""
        status, output = self._core.cmd_status_output(cmd, timeout, safe, False)
        return status, _print_lines(print_func, output)

    def cmd_status(self, cmd, timeout=60, internal_timeout=None, print_func=None, safe=False):
        """The exit status of a command."""
        return self.cmd_status_output(cmd, timeout, internal_timeout, print_func, safe)[0]

    def cmd(
        self, cmd, timeout=60, internal_timeout=None, print_func=None, ok_status=None, ignore_all_errors=False
    ):
        """The output of a command; raises ShellCmdError unless its exit status is in ok_status ([0])."""
        try:
            status, output = self.cmd_status_output(cmd, timeout, internal_timeout, print_func)
            if status not in ([0] if ok_status is None else ok_status):
                raise ShellCmdError(cmd, status, output)
            return output
        except ShellError:
            if ignore_all_errors:
                return None
            raise

    get_command_output = cmd_output
    get_command_status_output = cmd_status_output
    get_command_status = cmd_status


class RemoteSession(ShellSession):
    """A shell on another machine, usually a guest; client, host, port, username and password say how it was reached."""

    client = "ssh"
    host = "localhost"
    port = 22
    username = "root"
    password = ""

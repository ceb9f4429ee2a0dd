# SPDX-License-Identifier: GPL-2.0-or-later
"""Sessions as tests know them, each around one of the core's.

The core reads in the background and knows when a shell has answered, so the parameter internal_timeout, which says how
long silence must last, only matters to read_nonblocking(). A print_func gets the lines that a call read once it has them.
"""

import signal
import threading

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


class Spawn:
    """A program of this machine on a terminal of its own, or a connection that the core made.

    Closing it ends the program; with auto_close so does dropping the last reference.
    """

    _process = None
    _kept = set()  # those that must not end with their last reference

    def __init__(
        self, command=None, a_id=None, auto_close=False, echo=False, linesep="\n", pass_fds=(), encoding=None
    ):
        self._start(command, a_id, auto_close, echo, linesep, pass_fds)

    def _start(self, command, a_id, auto_close, echo, linesep, pass_fds, prompt="", status_test_command="echo $?",
               on_line=None):  # fmt: skip
        if not command or a_id:
            raise NotImplementedError("attaching to a program that is running already (a_id) is not supported")
        if pass_fds:
            raise NotImplementedError("handing descriptors to the program (pass_fds) is not supported yet")
        core, self._process = _vt.local_session(command, prompt or "^$", linesep, status_test_command, bool(echo), on_line)
        self._adopt(core)
        self.command = command
        self.auto_close = auto_close
        self.echo = echo
        if not auto_close:
            Spawn._kept.add(self)

    def _adopt(self, core):
        self._core = core
        self.closed = False
        self.close_hooks = []

    @classmethod
    def _of_core(cls, core, **attributes):
        session = cls.__new__(cls)
        session._adopt(core)
        session.__dict__.update(attributes)
        return session

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.close()

    def get_pid(self):
        """The process group's leader, for a program of this machine."""
        return self._process and self._process.pid

    def get_output(self):
        """All that the program printed so far."""
        return self._process.output() if self._process else ""

    def get_stripped_output(self):
        """The same without control sequences."""
        return _vt.strip_control_sequences(self.get_output())

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
        """The exit status of a program, once it has ended: this waits. Of a connection, None if nobody told."""
        if not self._process:
            return self._core.get_status()
        status = self._process.status()
        while status is None:
            status = self._process.wait(3600)
        return status

    def close(self, sig=signal.SIGKILL):
        """Ends the session, and a program with a signal; close hooks run first, once."""
        if self.closed:
            return
        self.closed = True
        Spawn._kept.discard(self)
        for hook in self.close_hooks:
            hook(self)
        if self._process:
            self._process.kill(sig)
            self._process.wait(5)
        self._core.close()

    def kill(self, sig=signal.SIGKILL):
        """Sends a signal to the program; ends a connection."""
        if self._process:
            self._process.kill(sig)
        else:
            self.close()

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


class Tail(Spawn):
    """A program whose output lines go to a function, and whose end is told to another."""

    def __init__(
        self, command=None, a_id=None, auto_close=False, echo=False, linesep="\n", termination_func=None,
        termination_params=(), output_func=None, output_params=(), output_prefix="", thread_name=None, pass_fds=(),
        encoding=None,
    ):  # fmt: skip
        self._tail(output_func, output_params, output_prefix, termination_func, termination_params,
                   command, a_id, auto_close, echo, linesep, pass_fds)  # fmt: skip

    def _tail(self, output_func, output_params, output_prefix, termination_func, termination_params, *start):
        self._output_func = output_func
        self._output_params = tuple(output_params)
        self._output_prefix = output_prefix
        # The function is there before the program is: no line is missed.
        self._start(*start, on_line=self._line_handler())
        if termination_func:
            self.set_termination_func(termination_func)
            self.set_termination_params(termination_params)
            threading.Thread(target=self._tell_end, args=(self._process,), name="tail_thread", daemon=True).start()

    _termination_func = None
    _termination_params = ()

    def _tell_end(self, process):
        status = None
        while status is None:
            status = process.wait(3600)
        if self._termination_func:
            self._termination_func(*self._termination_params, status)

    def set_termination_func(self, termination_func):
        """Calls termination_func(status) when the program ends."""
        self._termination_func = termination_func

    def set_termination_params(self, termination_params):
        """Arguments that come before the status."""
        self._termination_params = tuple(termination_params)

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

    def _line_handler(self):
        func, params, prefix = self._output_func, self._output_params, self._output_prefix
        return func and (lambda line: func(*params, prefix + line))

    def _set_line_handler(self):
        self._core.set_line_handler(self._line_handler())


class Expect(Tail):
    """A program or connection: text in, text out, waits for patterns."""

    def __init__(
        self, command=None, a_id=None, auto_close=True, echo=False, linesep="\n", termination_func=None,
        termination_params=(), output_func=None, output_params=(), output_prefix="", thread_name=None, pass_fds=(),
        encoding=None,
    ):  # fmt: skip
        self._tail(output_func, output_params, output_prefix, termination_func, termination_params,
                   command, a_id, auto_close, echo, linesep, pass_fds)  # fmt: skip

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
        filter_func = filter_func or (lambda text: text)
        match_func = match_func or self.match_patterns
        end, output = _vt.pause_free_time() + timeout, ""
        while True:
            left = end - _vt.pause_free_time()
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

    def __init__(
        self, command=None, a_id=None, auto_close=True, echo=False, linesep="\n", termination_func=None,
        termination_params=(), output_func=None, output_params=(), output_prefix="", thread_name=None,
        prompt=r"[\#\$]\s*$", status_test_command="echo $?", pass_fds=(), encoding=None,
    ):  # fmt: skip
        self._tail(output_func, output_params, output_prefix, termination_func, termination_params,
                   command, a_id, auto_close, echo, linesep, pass_fds, prompt, status_test_command)  # fmt: skip

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


def _run(kind, command, termination_func, output_func, output_prefix, timeout, auto_close, pass_fds, encoding):
    process = kind(
        command, termination_func=termination_func, output_func=output_func, output_prefix=output_prefix,
        auto_close=auto_close, pass_fds=pass_fds, encoding=encoding,
    )  # fmt: skip
    process._process.wait(timeout)
    return process


def run_tail(
    command, termination_func=None, output_func=None, output_prefix="", timeout=1.0, auto_close=True, pass_fds=(),
    encoding=None,
):  # fmt: skip
    """Starts a program and returns its Tail when it has ended or timeout seconds have passed."""
    return _run(Tail, command, termination_func, output_func, output_prefix, timeout, auto_close, pass_fds, encoding)


def run_bg(
    command, termination_func=None, output_func=None, output_prefix="", timeout=1.0, auto_close=True, pass_fds=(),
    encoding=None,
):  # fmt: skip
    """Starts a program and returns its Expect when it has ended or timeout seconds have passed."""
    return _run(Expect, command, termination_func, output_func, output_prefix, timeout, auto_close, pass_fds, encoding)


def run_fg(command, output_func=None, output_prefix="", timeout=1.0, pass_fds=(), encoding=None):
    """Runs a program for timeout seconds at most; returns (status, output), status None if it was killed then."""
    with run_bg(command, None, output_func, output_prefix, timeout, True, pass_fds, encoding) as process:
        return process._process.status(), process.get_output()


def kill_tail_threads():
    """Forgets the functions that Tails call; the core's reading thread goes on."""
    for process in list(Spawn._kept):
        if isinstance(process, Tail):
            process.set_output_func(None)
            process.set_termination_func(None)

# SPDX-License-Identifier: GPL-2.0-or-later
"""What can go wrong between a test and a shell. The core raises these classes, with these fields."""


class ExpectError(Exception):
    """None of the awaited patterns was seen."""

    _what = "Unknown error occurred while looking for"

    def __init__(self, patterns, output):
        super().__init__(patterns, output)
        self.patterns = patterns
        self.output = output

    def _pattern_str(self):
        if len(self.patterns) == 1:
            return "pattern %r" % self.patterns[0]
        return "patterns %r" % (self.patterns,)

    def __str__(self):
        return "%s %s    (output: %r)" % (self._what, self._pattern_str(), self.output)


class ExpectTimeoutError(ExpectError):
    """They were not seen in time."""

    _what = "Timeout expired while looking for"


class ExpectProcessTerminatedError(ExpectError):
    """The process, or the connection, ended before they were seen."""

    def __init__(self, patterns, status, output):
        super().__init__(patterns, output)
        self.args = (patterns, status, output)
        self.status = status

    def __str__(self):
        return "Process terminated while looking for %s    (status: %r,    output: %r)" % (
            self._pattern_str(),
            self.status,
            self.output,
        )


class ShellError(Exception):
    """A shell command could not be run; the parent of the other four."""

    def __init__(self, cmd, output):
        super().__init__(cmd, output)
        self.cmd = cmd
        self.output = output

    def __str__(self):
        return "Could not execute shell command %r    (output: %r)" % (self.cmd, self.output)


class ShellTimeoutError(ShellError):
    """The prompt did not come back in time."""

    def __str__(self):
        return "Timeout expired while waiting for shell command to complete: %r    (output: %r)" % (
            self.cmd,
            self.output,
        )


class ShellProcessTerminatedError(ShellError):
    """The shell, or the connection, ended while the command ran."""

    def __init__(self, cmd, status, output):
        super().__init__(cmd, output)
        self.args = (cmd, status, output)
        self.status = status

    def __str__(self):
        return (
            "Shell process terminated while waiting for command to complete: %r    (status: %s,    output: %r)"
            % (self.cmd, self.status, self.output)
        )


class ShellCmdError(ShellError):
    """The command ended with a status that is not 0."""

    def __init__(self, cmd, status, output):
        super().__init__(cmd, output)
        self.args = (cmd, status, output)
        self.status = status

    def __str__(self):
        return "Shell command failed: %r    (status: %s,    output: %r)" % (self.cmd, self.status, self.output)


class ShellStatusError(ShellError):
    """The command's exit status cannot be told."""

    def __str__(self):
        return "Could not get exit status of command: %r    (output: %r)" % (self.cmd, self.output)

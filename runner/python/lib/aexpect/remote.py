# SPDX-License-Identifier: GPL-2.0-or-later
"""Logins on other machines by SSH, and what can go wrong with them and with file transfers."""

import _vt
from aexpect.client import RemoteSession

#: Prompts of shells on Linux and on Windows.
PROMPT_LINUX = r"^\[.*\][\#\$]\s*$"
PROMPT_WINDOWS = r"^\w:\\.*>\s*$"


class RemoteError(Exception):
    """Parent of the errors of logins and transfers."""


class LoginError(RemoteError):
    """No session could be had."""

    def __init__(self, msg, output=""):
        super().__init__(msg, output)
        self.msg = msg
        self.output = output

    def __str__(self):
        return "%s    (output: %r)" % (self.msg, self.output)


class LoginAuthenticationError(LoginError):
    """The other end refused user name or password."""


class LoginTimeoutError(LoginError):
    """No shell prompt was seen in time."""

    def __init__(self, output=""):
        super().__init__("Login timeout expired", output)
        self.args = (output,)


class LoginProcessTerminatedError(LoginError):
    """The connection ended during the login."""

    def __init__(self, status, output=""):
        super().__init__("Client process terminated", output)
        self.args = (status, output)
        self.status = status

    def __str__(self):
        return "%s    (status: %s,    output: %r)" % (self.msg, self.status, self.output)


class LoginBadClientError(LoginError):
    """The client is none that is known."""

    def __init__(self, client):
        super().__init__("Unknown remote shell client")
        self.args = (client,)
        self.client = client

    def __str__(self):
        return "%s    (value: %r)" % (self.msg, self.client)


class TransferError(RemoteError):
    """Files could not be copied."""

    def __init__(self, msg, output):
        super().__init__(msg, output)
        self.msg = msg
        self.output = output

    def __str__(self):
        return "%s    (output: %r)" % (self.msg, self.output)


class TransferBadClientError(RemoteError):
    """The transfer client is none that is known."""

    def __init__(self, client):
        super().__init__(client)
        self.client = client

    def __str__(self):
        return "Unknown file copy client: '%s', valid values are scp and rss" % self.client


class SCPError(TransferError):
    """A copy over SSH failed."""


class AuthenticationError(SCPError):
    """The other end refused user name or password of a copy."""


class AuthenticationTimeoutError(AuthenticationError):
    """The copy was not let in in time."""

    def __init__(self, output):
        super().__init__("Authentication timeout expired", output)
        self.args = (output,)


class TransferTimeoutError(SCPError):
    """The copy did not end in time."""

    def __init__(self, output):
        super().__init__("Transfer timeout expired", output)
        self.args = (output,)


class TransferFailedError(SCPError):
    """One of the two ends refused the copy."""

    def __init__(self, status, output):
        super().__init__(None, output)
        self.args = (status, output)
        self.status = status

    def __str__(self):
        return "SCP transfer failed    (status: %s,    output: %r)" % (self.status, self.output)


def _login(wait, client, host, port, username, password, prompt, linesep, log_filename, log_function, timeout,
           interface, status_test_command, bind_ip):  # fmt: skip
    if client != "ssh":
        raise LoginBadClientError(client)
    core = _vt.ssh_login(
        host, int(port), username, password, prompt, linesep, status_test_command, bind_ip or "", interface or "",
        timeout, wait,
    )  # fmt: skip
    session = RemoteSession._of_core(
        core, client=client, host=host, port=port, username=username, password=password
    )
    if log_filename and log_function:
        session.set_output_func(log_function)
        session.set_output_params((log_filename,))
    return session


def remote_login(
    client,
    host,
    port,
    username,
    password,
    prompt,
    linesep="\n",
    log_filename=None,
    log_function=None,
    timeout=10,
    interface=None,
    identity_file=None,
    status_test_command="echo $?",
    verbose=False,
    bind_ip=None,
    preferred_authentication="password",
    user_known_hosts_file="/dev/null",
):
    """Logs in, one attempt; returns a RemoteSession. Keys are not supported: identity_file must be None."""
    if identity_file:
        raise LoginError("logins with a key (identity_file) are not supported yet, only passwords are")
    return _login(False, client, host, port, username, password, prompt, linesep, log_filename, log_function, timeout,
                  interface, status_test_command, bind_ip)  # fmt: skip


def wait_for_login(
    client,
    host,
    port,
    username,
    password,
    prompt,
    linesep="\n",
    log_filename=None,
    log_function=None,
    timeout=240,
    internal_timeout=10,
    interface=None,
    preferred_authentication="password",
    user_known_hosts_file="/dev/null",
):
    """Logs in as soon as the other end lets us; returns a RemoteSession."""
    return _login(True, client, host, port, username, password, prompt, linesep, log_filename, log_function, timeout,
                  interface, "echo $?", None)  # fmt: skip

# SPDX-License-Identifier: GPL-2.0-or-later
"""Time zones, clock sources and NTP of the host and of guests."""

import logging
import re
import subprocess

from virttest import error_context

LOG = logging.getLogger("avocado." + __name__)

_ZONE = re.compile(r"Time zone:\s+(\S+)\s+\(\S+,\s+([+-]\d{4})\)")
_CLOCKSOURCE = "/sys/devices/system/clocksource/clocksource0/"


def _error(text):
    from _vtglue import statuses

    return statuses.exceptions().TestError(text)


def execute(cmd, timeout=360, session=None):
    """The output of a command in the session's machine, or here."""
    LOG.debug("(%s) %s", "guest" if session else "host", cmd)
    if session:
        return session.cmd_output_safe(cmd, timeout=timeout)
    done = subprocess.run(cmd, shell=True, capture_output=True, text=True, timeout=timeout, check=False)
    return (done.stdout + done.stderr).rstrip("\n")


def _timezone(session, whose):
    output = execute("timedatectl", 240, session)
    match = _ZONE.search(output)
    if match is None:
        raise _error("timedatectl does not tell the %s's time zone: %r" % (whose, output[-200:]))
    return {"timezone_city": match.group(1), "timezone_code": match.group(2)}


@error_context.context_aware
def get_host_timezone():
    """{"timezone_city": "Europe/Berlin", "timezone_code": "+0200"}."""
    error_context.context("Asking for the host's time zone", LOG.info)
    return _timezone(None, "host")


@error_context.context_aware
def verify_timezone_linux(session):
    """True if a Linux guest has the host's time zone."""
    error_context.context("Comparing the guest's time zone", LOG.info)
    return _timezone(session, "guest")["timezone_city"] == get_host_timezone()["timezone_city"]


@error_context.context_aware
def sync_timezone_linux(vm, login_timeout=360):
    """Gives a Linux guest the host's time zone."""
    session = vm.wait_for_login(timeout=login_timeout, serial=True)
    try:
        if verify_timezone_linux(session):
            return
        error_context.context("Setting the guest's time zone", LOG.info)
        session.cmd("timedatectl set-timezone %s" % get_host_timezone()["timezone_city"])
        if not verify_timezone_linux(session):
            raise _error("the guest does not take the host's time zone")
    finally:
        session.close()


def _windows_zones(session):
    """[(offset, name)] of all that Windows knows, as `tzutil /l` prints them: a line of words, then the name."""
    lines = session.cmd_output_safe("tzutil /l").replace("\r", "").splitlines()
    zones = []
    for words, name in zip(lines, lines[1:]):
        match = re.match(r"\(UTC(?:([+-]\d{2}):(\d{2}))?\)", words)
        if match:
            zones.append(("".join(match.groups()) if match.group(1) else "+0000", name.strip()))
    return zones


@error_context.context_aware
def verify_timezone_win(session):
    """(True, "") if a Windows guest has the host's offset, else (False, the name of a zone that has)."""
    error_context.context("Comparing the guest's time zone", LOG.info)
    wanted = get_host_timezone()["timezone_code"]
    current = session.cmd_output_safe("tzutil /g").splitlines()[0].strip()
    zones = _windows_zones(session)
    if any(zone == (wanted, current) for zone in zones):
        return True, ""
    return False, next((name for code, name in zones if code == wanted), None)


@error_context.context_aware
def sync_timezone_win(vm, login_timeout=360):
    """Gives a Windows guest a time zone with the host's offset; it takes effect by a new start of the VM."""
    session = vm.wait_for_login(timeout=login_timeout, serial=True)
    same, zone = verify_timezone_win(session)
    if not same:
        error_context.context("Setting the guest's time zone", LOG.info)
        session.cmd('tzutil /s "%s"' % zone)
        params = vm.params
        vm.destroy()
        vm.create(params=params)
        vm.verify_alive()
        session = vm.wait_for_login(serial=True)
        same, zone = verify_timezone_win(session)
    session.close()
    if not same:
        raise _error("the guest does not take the host's time zone")


@error_context.context_aware
def verify_clocksource(expected, session=None):
    """True if the expected clock source is in use."""
    error_context.context("Asking for the clock source", LOG.info)
    return expected in execute("cat %scurrent_clocksource" % _CLOCKSOURCE, session=session)


def is_ntp_enabled(session):
    """True if the guest keeps its clock by NTP."""
    return bool(re.search(r"NTP (?:enabled|service|synchronized):\s+(?:yes|active)", execute("timedatectl", session=session)))


def ntp_switch(session, off=True):
    """Switches that off, or on."""
    execute("timedatectl set-ntp %d" % (not off), session=session)

# SPDX-License-Identifier: GPL-2.0-or-later
"""QEMU's monitor as tests know it, and what can go wrong with it."""

import json
import logging

LOG = logging.getLogger("avocado." + __name__)


class MonitorError(Exception):
    """Parent of what can go wrong with a monitor."""

    @classmethod
    def _of_core(cls, text):
        error = cls.__new__(cls, text)
        error.args = (text,)
        return error


class MonitorConnectError(MonitorError):
    """Its socket cannot be connected to."""


class MonitorSocketError(MonitorError):
    """The connection broke."""


class MonitorLockError(MonitorError):
    """Another thread uses it and does not end."""


class MonitorProtocolError(MonitorError):
    """What came is not what the protocol allows, or nothing came in time."""


class MonitorCmdError(MonitorError):
    """QEMU refused a command."""


class MonitorNotSupportedError(MonitorError):
    """This QEMU cannot do it."""


class MonitorNotSupportedCmdError(MonitorNotSupportedError):
    """This QEMU lacks the command."""


class MonitorNotSupportedMigCapError(MonitorNotSupportedError):
    """This QEMU lacks the migration capability."""


class HumanCmdError(MonitorCmdError):
    """A human monitor command failed."""

    def __init__(self, cmd, out):
        super().__init__(cmd, out)
        self.cmd, self.out = cmd, out

    def __str__(self):
        return "Human monitor command %r failed    (output: %r)" % (self.cmd, self.out)


class QMPCmdError(MonitorCmdError):
    """QMP answered with an error: data is its object (class, desc)."""

    def __init__(self, cmd, qmp_args, data):
        super().__init__(cmd, qmp_args, data)
        self.cmd, self.qmp_args, self.data = cmd, qmp_args, data

    def __str__(self):
        return "QMP command %r failed    (arguments: %r,    error message: %r)" % (
            self.cmd,
            self.qmp_args,
            self.data,
        )


class QMPEventError(MonitorError):
    """An event that a command should cause did not come."""


class Monitor:
    """What both kinds of monitor do with the same words."""

    def close(self):
        """Ends the connection."""
        self._core.close()

    def quit(self):
        """Ends QEMU; the connection may be lost before it answers."""
        try:
            self.cmd("quit")
        except MonitorError as error:
            LOG.debug("QEMU ended: %s", error)

    def system_powerdown(self):
        """Presses the guest's power button."""
        return self.cmd("system_powerdown")

    def system_reset(self):
        """Resets the machine."""
        return self.cmd("system_reset")


class HumanMonitor(Monitor):
    """A human monitor of a VM: lines in, text out."""

    protocol = "human"
    CMD_TIMEOUT = 900
    RESPONSE_TIMEOUT = 600

    def __init__(self, vm, name, core):
        self.vm = vm
        self.name = name
        self._core = core

    def cmd(self, cmd, timeout=CMD_TIMEOUT, debug=True, fd=None):
        """Runs a line; returns what it printed. Raises HumanCmdError."""
        if fd is not None:
            raise NotImplementedError("passing a descriptor to QEMU over the monitor is not supported yet")
        return self._core.command(cmd, timeout)

    human_monitor_cmd = cmd

    def info(self, what, debug=True):
        """`info what`."""
        return self.cmd("info %s" % what, debug=debug)

    query = info

    def get_status(self):
        """`info status`."""
        return self.info("status")

    def verify_status(self, status):
        """True if the VM is in that state ("running", "paused")."""
        return status in self.get_status()

    def verify_responsive(self):
        """Raises MonitorError unless QEMU answers."""
        self._core.verify_responsive(self.RESPONSE_TIMEOUT)

    def is_responsive(self):
        """True if QEMU answers."""
        return self._core.is_responsive(self.RESPONSE_TIMEOUT)

    def screendump(self, filename, debug=True):
        """Writes the screen to a file, as PPM."""
        return self.cmd("screendump %s" % filename, debug=debug)


class QMPMonitor(Monitor):
    """A QMP monitor of a VM. A reply is what QEMU put under "return"."""

    protocol = "qmp"
    CMD_TIMEOUT = 900
    RESPONSE_TIMEOUT = 600

    def __init__(self, vm, core):
        self.vm = vm
        self._core = core
        self.name = core.name
        self.filename = core.filename

    def cmd(self, cmd, args=None, timeout=CMD_TIMEOUT, debug=True, fd=None):
        """Runs a command; raises QMPCmdError."""
        if fd is not None:
            raise NotImplementedError("passing a descriptor to QEMU over the monitor is not supported yet")
        return self._core.command(cmd, args, timeout)

    def cmd_obj(self, obj, timeout=CMD_TIMEOUT):
        """Sends an object as it is; returns the whole reply, errors included."""
        return self._core.command_object(obj, timeout)

    def cmd_qmp(self, cmd, args=None, q_id=None, timeout=CMD_TIMEOUT):
        """Runs a command; returns the whole reply, errors included."""
        request = {"execute": cmd}
        if args is not None:
            request["arguments"] = args
        if q_id is not None:
            request["id"] = q_id
        return self.cmd_obj(request, timeout)

    def cmd_raw(self, data, timeout=CMD_TIMEOUT):
        """Sends a JSON text; returns the whole reply."""
        return self.cmd_obj(json.loads(data), timeout)

    def human_monitor_cmd(self, cmd="", timeout=CMD_TIMEOUT, debug=True, fd=None):
        """Runs a line of the human monitor; returns what it printed."""
        if fd is not None:
            raise NotImplementedError("passing a descriptor to QEMU over the monitor is not supported yet")
        return self._core.human_monitor_cmd(cmd, timeout)

    def info(self, what, debug=True):
        """`info what` of the human monitor, or where QMP has it, query-what."""
        try:
            return self.cmd("query-" + what, debug=debug)
        except QMPCmdError:
            return self.human_monitor_cmd("info " + what, debug=debug)

    def query(self, what, debug=True):
        """query-what."""
        return self.cmd("query-" + what, debug=debug)

    def get_status(self):
        """query-status."""
        return self.query("status")

    def verify_status(self, status):
        """True if the VM is in that state ("running", "paused")."""
        reply = self.get_status()
        return reply["status"] == status or (status == "paused" and reply["running"] is False)

    def get_events(self):
        """Events since the last clear_events()."""
        return self._core.get_events()

    def get_event(self, name):
        """The oldest kept event of that name, or None."""
        return self._core.get_event(name)

    def wait_event(self, name, timeout=CMD_TIMEOUT):
        """The first kept or coming event of that name, or None if none comes in time."""
        return self._core.wait_event(name, timeout)

    def clear_events(self):
        """Drops the kept events."""
        self._core.clear_events()

    def clear_event(self, name):
        """Drops the kept events of one name."""
        self._core.clear_event(name)

    def verify_responsive(self):
        """Raises MonitorError unless QEMU answers."""
        self._core.verify_responsive(self.RESPONSE_TIMEOUT)

    def is_responsive(self):
        """True if QEMU answers."""
        return self._core.is_responsive(self.RESPONSE_TIMEOUT)

    def verify_supported_cmd(self, cmd):
        """Raises MonitorNotSupportedCmdError if this QEMU lacks the command."""
        if cmd not in self._core.supported_commands(self.CMD_TIMEOUT):
            raise MonitorNotSupportedCmdError(
                "Not supported cmd in monitor '%s'    (cmd: %s)" % (self.name, cmd)
            )

    def screendump(self, filename, debug=True):
        """Writes the screen to a file, as PPM."""
        return self.cmd("screendump", {"filename": filename}, debug=debug)

    def set_link(self, name, up):
        """Plugs a NIC's cable in or out."""
        return self.cmd("set_link", {"name": name, "up": up})

    def nmi(self):
        """Injects an NMI."""
        return self.cmd("inject-nmi")

    def qom_set(self, path, qproperty, qvalue):
        """Sets a property of an object of the machine."""
        return self.cmd("qom-set", {"path": path, "property": qproperty, "value": qvalue})

    def qom_get(self, path, qproperty):
        """A property of an object of the machine."""
        return self.cmd("qom-get", {"path": path, "property": qproperty})

    def balloon(self, size):
        """Asks the guest to shrink or grow to size bytes."""
        return self.cmd("balloon", {"value": size})

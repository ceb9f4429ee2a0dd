# SPDX-License-Identifier: GPL-2.0-or-later
"""QEMU's monitor as tests know it, and what can go wrong with it."""

import json
import logging
import re

from _vtglue.qmp_verbs import verbs

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


@verbs
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

    def get_greeting(self):
        """QEMU's greeting."""
        return self._core.greeting

    def _has_command(self, cmd):
        return cmd in self._core.supported_commands(self.CMD_TIMEOUT)

    def get_workable_cmd(self, cmd):
        """The command, or the one by which this QEMU knows it."""
        for candidate in (cmd, cmd.replace("_", "-"), cmd.replace("-", "_")):
            if self._has_command(candidate):
                return candidate
        return cmd

    def send_args_cmd(self, cmdlines, timeout=CMD_TIMEOUT, convert=True):
        """Runs commands written as "NAME key=value,key=value;…"; those that QMP lacks, on the human monitor."""
        outputs = []
        for line in cmdlines.split(";"):
            command, _, rest = line.strip().partition(" ")
            pairs = [part.partition("=")[::2] for part in rest.strip().split(",") if part]
            if self._has_command(command):
                args = {name.strip(): _value_of(name, value) for name, value in pairs if name}
                outputs.append(self.cmd(command, args, timeout))
            elif "=" in rest:
                outputs.append(self.human_monitor_cmd(" ".join([command] + [value for _, value in pairs])))
            else:
                outputs.append(self.human_monitor_cmd(line.strip()))
        return outputs[0] if len(outputs) == 1 else outputs

    def sendkey(self, keystr, hold_time=1):
        """Presses keys: "ctrl-alt-delete"."""
        return self.human_monitor_cmd("sendkey %s %s" % (keystr, hold_time))

    def press_release_key(self, key, down=True):
        """Presses a key, or lets go of it."""
        event = {"type": "key", "data": {"down": down, "key": {"type": "qcode", "data": key}}}
        return self.cmd("input-send-event", {"events": [event]})

    def migrate(self, uri, full_copy=None, incremental_copy=None, wait=False):
        """Begins a migration to a URI."""
        args = {"uri": uri.replace('"', "")}
        if full_copy is not None:
            args["blk"] = full_copy
        if incremental_copy is not None:
            args["inc"] = incremental_copy
        return self.cmd("migrate", args)

    def get_migrate_progress(self):
        """How much of the memory is across, in percent."""
        reply = self.query("migrate")
        if "ram" in reply:
            return 100.0 - 100.0 * reply["ram"]["remaining"] / reply["ram"]["total"]
        if reply.get("status") in ("completed", "setup"):
            return 100 if reply["status"] == "completed" else 0
        raise MonitorError("Unable to parse migration progress:\n%s" % reply.get("status"))

    def live_snapshot(self, device, snapshot_file, **kwargs):
        """Puts a new image on top of a device's."""
        args = {"format": "qcow2", "mode": "absolute-paths", **kwargs}
        args.update({"device": device, "snapshot-file": snapshot_file})
        return self.cmd("blockdev-snapshot-sync", args)

    def _block_job(self, cmd, correct, args, **others):
        if correct:
            cmd = self.get_workable_cmd(cmd)
        self.verify_supported_cmd(cmd)
        args.update({name.replace("_", "-"): value for name, value in others.items() if value is not None})
        return self.cmd(cmd, {name: value for name, value in args.items() if value not in (None, "")})

    def block_stream(self, device, speed=None, base=None, cmd="block-stream", correct=True,
                     backing_mask_protocol=None, **kwargs):  # fmt: skip
        """Copies what lies below into the topmost image."""
        args = dict(kwargs, device=device, base=base)
        return self._block_job(cmd, correct, args, speed=speed, backing_mask_protocol=backing_mask_protocol)

    def block_commit(self, device, speed=None, base=None, top=None, cmd="block-commit", correct=True,
                     backing_mask_protocol=None):  # fmt: skip
        """Writes an image's changes into the one below."""
        args = {"device": device, "base": base, "top": top}
        return self._block_job(cmd, correct, args, speed=speed or None, backing_mask_protocol=backing_mask_protocol)

    def block_mirror(self, device, target, sync, cmd="drive-mirror", correct=True, **kwargs):
        """Copies an image to another, and keeps both the same."""
        return self._block_job(cmd, correct, dict(kwargs, device=device, target=target, sync=sync))

    def block_reopen(self, device, new_image_file, image_format, cmd="block-job-complete", correct=True):
        """Goes over to the copy that a mirror made."""
        return self._block_job(cmd, correct, {"device": device})

    def drive_backup(self, device, target, format, sync, speed=0, mode="absolute-paths", bitmap=""):
        """Copies an image as it is now."""
        args = {"device": device, "target": target, "format": format, "sync": sync, "mode": mode}
        if sync.lower() == "incremental":
            args["bitmap"] = bitmap
        return self._block_job("drive-backup", False, args, speed=speed or None)

    def set_block_job_speed(self, device, speed=0, cmd="block-job-set-speed", correct=True):
        """Bytes a second."""
        return self._block_job(cmd, correct, {"device": device}, speed=speed)

    def cancel_block_job(self, device, cmd="block-job-cancel", correct=True):
        """Ends a block job."""
        return self._block_job(cmd, correct, {"device": device})

    def pause_block_job(self, device, cmd="block-job-pause", correct=True):
        """Stops a block job for a while."""
        return self._block_job(cmd, correct, {"device": device})

    def resume_block_job(self, device, cmd="block-job-resume", correct=True):
        """Lets it go on."""
        return self._block_job(cmd, correct, {"device": device})

    def query_block_job(self, device):
        """A device's block job, an empty dictionary if it has none."""
        return next((job for job in self.query("block-jobs") if job.get("device") == device), {})

    def get_backingfile(self, device):
        """The file below a device's image, or None."""
        for block in self.query("block"):
            if block.get("device") == device:
                return block.get("inserted", {}).get("backing_file")
        return None

    def operate_dirty_bitmap(self, operation, node, name, granularity=65536):
        """Adds, removes or clears a dirty bitmap."""
        args = {"node": node, "name": name}
        if operation == "add":
            args["granularity"] = granularity
        return self.cmd("block-dirty-bitmap-%s" % operation, args)

    def nbd_server_start(self, server, tls_creds=None, tls_authz=None):
        """Starts QEMU's NBD server."""
        data = {name: value for name, value in server.items() if name != "type"}
        args = {"addr": {"type": server["type"], "data": data}, "tls-creds": tls_creds, "tls-authz": tls_authz}
        return self.cmd("nbd-server-start", {name: value for name, value in args.items() if value})

    def block_export_add(self, uid, export_type, node_name, iothread=None, fixed_iothread=None, writable=None,
                         writethrough=None, **kwargs):  # fmt: skip
        """Makes a block node known to others."""
        args = {"type": export_type, "id": uid, "node-name": node_name, "iothread": iothread,
                "fixed-iothread": fixed_iothread, "writable": writable, "writethrough": writethrough}  # fmt: skip
        args.update({name.replace("_", "-"): value for name, value in kwargs.items()})
        return self.cmd("block-export-add", {name: value for name, value in args.items() if value is not None})

    def set_numa_node(self, option_type, **kwargs):
        """Sets up a NUMA node, before the machine is made."""
        args = {name.replace("_", "-"): value for name, value in kwargs.items() if value is not None}
        return self.cmd("set-numa-node", dict(args, type=option_type))

    def netdev_add(self, backend, name, **kwargs):
        """Adds a network back end."""
        args = {key.replace("_", "-"): value for key, value in kwargs.items() if value is not None}
        return self.cmd("netdev_add", dict(args, type=backend, id=name))

    def query_cpu_model_expansion(self, cpu_model):
        """All properties of a processor model."""
        reply = self.cmd("query-cpu-model-expansion", {"type": "full", "model": {"name": cpu_model}})
        return reply["model"]["props"]

    def info_block(self, debug=True):
        """Block devices by name."""
        return {block.get("device") or block.get("qdev"): block for block in self.query("block")}

    def info_numa(self):
        """A line of "info numa" for each node: (megabytes, processors)."""
        text = self.human_monitor_cmd("info numa")
        sizes = re.findall(r"node (\d+) size: (\d+) MB", text)
        cpus = {node: {int(cpu) for cpu in line.split()} for node, line in re.findall(r"node (\d+) cpus:([ \d]*)", text)}
        return [(int(size), cpus.get(node, set())) for node, size in sizes]


def _value_of(name, text):
    """What a user wrote as JSON has it; descriptors have names, which may be numbers."""
    text = text.strip()
    if name.strip() != "fd" and re.fullmatch(r"[0-9]+", text):
        return int(text)
    if re.fullmatch(r"[0-9]+\.[0-9]*", text):
        return float(text)
    return {"true": True, "false": False}.get(text.lower(), text)

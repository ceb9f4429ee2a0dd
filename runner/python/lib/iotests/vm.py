# SPDX-License-Identifier: GPL-2.0-or-later
"""iotests.VM: a QEMU without a guest, with what block tests do to it."""

import os
import signal
import sys
from collections import OrderedDict

from iotests import settings
from iotests.filters import filter_qmp_event, filter_qmp_testfiles
from iotests.logs import log, ordered_qmp
from iotests.verify import without
from qemu.machine import qtest


def get_virtio_scsi_device():
    """Up to QEMU 5.2: the device's name on the run's machine."""
    return "virtio-scsi-ccw" if settings.qemu_default_machine == "s390-ccw-virtio" else "virtio-scsi-pci"


class Timeout:
    """Raises in the block after so many seconds; not below gdb or valgrind."""

    def __init__(self, seconds, errmsg="Timeout"):
        self.seconds = seconds
        self.errmsg = errmsg

    def __enter__(self):
        if not (settings.qemu_gdb or settings.qemu_valgrind):
            signal.signal(signal.SIGALRM, self.timeout)
            signal.setitimer(signal.ITIMER_REAL, self.seconds)
        return self

    def __exit__(self, exc_type, value, traceback):
        if not (settings.qemu_gdb or settings.qemu_valgrind):
            signal.setitimer(signal.ITIMER_REAL, 0)
        return False

    def timeout(self, signum, frame):
        raise Exception(self.errmsg)


class VM(qtest.QEMUQtestMachine):
    """A QEMU VM"""

    def __init__(self, path_suffix=""):
        if settings.qemu_gdb and settings.qemu_valgrind:
            sys.stderr.write("gdb and valgrind are mutually exclusive\n")
            sys.exit(1)
        slow = settings.qemu_gdb or settings.qemu_valgrind
        super().__init__(
            settings.qemu_prog,
            settings.qemu_opts,
            wrapper=slow,
            name="qemu%s-%d" % (path_suffix, os.getpid()),
            base_temp_dir=settings.test_dir,
            socket_scm_helper=settings.socket_scm_helper,
            sock_dir=settings.sock_dir,
            # On a machine under load an answer may take its time.
            qmp_timer=None if slow else 60.0,
        )
        self._num_drives = 0
        self._lacking = None

    def _pre_launch(self):
        super()._pre_launch()
        if settings.qemu_print:
            self._close_qemu_log_file()

    def _post_shutdown(self):
        super()._post_shutdown()
        if not settings.qemu_valgrind or not self._popen:
            return
        report = os.path.join(settings.test_dir, "%d.valgrind" % self._popen.pid)
        if self.exitcode() == 99:
            with open(report, encoding="utf-8") as file:
                print(file.read())
        else:
            self._remove_if_exists(report)

    def _without_qtest(self, cmd):
        self._lacking = 'this QEMU has no qtest accelerator, which "%s" needs' % (cmd.split()[0] if cmd else "")
        # The case ends here, and what it does at its end must not fail in its turn.
        self.shutdown(hard=True)
        without(self._lacking)

    @property
    def _qmp(self):
        if self._lacking:
            without(self._lacking)
        return super()._qmp

    def _add(self, option, value):
        self._args += [option, value]
        return self

    def add_object(self, opts):
        return self._add("-object", opts)

    def add_device(self, opts):
        return self._add("-device", opts)

    def add_drive_raw(self, opts):
        return self._add("-drive", opts)

    def add_blockdev(self, opts):
        return self._add("-blockdev", opts if isinstance(opts, str) else ",".join(opts))

    def add_incoming(self, addr):
        return self._add("-incoming", addr)

    def add_drive(self, path, opts="", interface="virtio", img_format=settings.imgfmt):
        """A drive with an image, or an empty one."""
        options = ["if=%s" % interface, "id=drive%d" % self._num_drives]
        if path is not None:
            options += [
                "file=%s" % path,
                "format=%s" % img_format,
                "cache=%s" % settings.cachemode,
                "aio=%s" % settings.aiomode,
            ]
        if opts:
            options.append(opts)
        if img_format == "luks" and "key-secret" not in opts:
            if settings.luks_default_secret_object not in self._args:
                self.add_object(settings.luks_default_secret_object)
            options.append(settings.luks_default_key_secret_opt)
        self._num_drives += 1
        return self._add("-drive", ",".join(options))

    # Monitor.

    def hmp(self, command_line, use_log=False):
        run = self.qmp_log if use_log else self.qmp
        return run("human-monitor-command", **{"command-line": command_line})

    def pause_drive(self, drive, event=None):
        """Lets requests of a drive wait at an event (blkdebug), by default at any read or write."""
        for one in (event,) if event else ("read_aio", "write_aio"):
            self.hmp('qemu-io %s "break %s bp_%s"' % (drive, one, drive))

    def resume_drive(self, drive):
        self.hmp('qemu-io %s "remove_break bp_%s"' % (drive, drive))

    def hmp_qemu_io(self, drive, cmd, use_log=False, qdev=False):
        return self.hmp('qemu-io %s%s "%s"' % ("-d " if qdev else "", drive, cmd), use_log=use_log)

    def flatten_qmp_object(self, obj, output=None, basestr=""):
        """A nested message as one dictionary of dotted keys."""
        if output is None:
            output = {}
        if isinstance(obj, (list, dict)):
            for key, value in enumerate(obj) if isinstance(obj, list) else obj.items():
                self.flatten_qmp_object(value, output, "%s%s." % (basestr, key))
        else:
            output[basestr[:-1]] = obj
        return output

    def qmp_to_opts(self, obj):
        return ",".join(key + "=" + value for key, value in self.flatten_qmp_object(obj).items())

    def get_qmp_events_filtered(self, wait=60.0):
        return [filter_qmp_event(event) for event in self.get_qmp_events(wait=wait)]

    def qmp_log(self, cmd, filters=(), indent=None, **kwargs):
        log(OrderedDict((("execute", cmd), ("arguments", ordered_qmp(kwargs)))), filters, indent=indent)
        result = self.qmp(cmd, **kwargs)
        log(result, filters, indent=indent)
        return result

    # Jobs.

    def _job_error(self, job, filters):
        for one in self.qmp("query-jobs")["return"]:
            if one["id"] == job:
                log("Job failed: %s" % one["error"], filters=filters)
                return one["error"]
        return None

    def run_job(
        self,
        job,
        auto_finalize=True,
        auto_dismiss=False,
        pre_finalize=None,
        cancel=False,
        wait=60.0,
        filters=(),
        use_log=True,
    ):
        """Takes a job from its start to its end; None, or the error of one that failed.

        `pre_finalize()` is called before a job without automatic end is finalized, or cancelled instead.
        """
        of_device = {"data": {"device": job}}
        of_job = {"data": {"id": job}}
        events = [
            (name, of_device)
            for name in ("BLOCK_JOB_COMPLETED", "BLOCK_JOB_CANCELLED", "BLOCK_JOB_ERROR", "BLOCK_JOB_READY")
        ] + [("BLOCK_JOB_PENDING", of_job), ("JOB_STATUS_CHANGE", of_job)]
        say = log if use_log else lambda *args, **kwargs: None
        run = self.qmp_log if use_log else lambda cmd, filters=(), **kwargs: self.qmp(cmd, **kwargs)
        error = None
        while True:
            event = filter_qmp_event(self.events_wait(events, timeout=wait))
            if event["event"] != "JOB_STATUS_CHANGE":
                say(event, filters=filters)
                continue
            status = event["data"]["status"]
            if status == "aborting":
                error = self._job_error(job, filters) or error
            elif status == "ready":
                run("job-complete", id=job, filters=filters)
            elif status == "pending" and not auto_finalize:
                if pre_finalize:
                    pre_finalize()
                run("job-cancel" if cancel else "job-finalize", id=job, filters=filters)
            elif status == "concluded" and not auto_dismiss:
                run("job-dismiss", id=job, filters=filters)
            elif status == "null":
                return error

    def blockdev_create(self, options, job_id="job0", filters=None):
        """Makes an image by QMP; None, or the error."""
        filters = [filter_qmp_testfiles] if filters is None else filters
        result = self.qmp_log("blockdev-create", filters=filters, job_id=job_id, options=options)
        if "return" in result:
            assert result["return"] == {}
            outcome = self.run_job(job_id, filters=filters)
        else:
            outcome = result["error"]
        log("")
        return outcome

    # Migration.

    def enable_migration_events(self, name):
        log("Enabling migration QMP events on %s..." % name)
        log(self.qmp("migrate-set-capabilities", capabilities=[{"capability": "events", "state": True}]))

    def wait_migration(self, expect_runstate):
        """Waits for a migration's end, and for the state that the machine has after it; False if it failed."""
        while True:
            event = self.event_wait("MIGRATION")
            assert event
            log(event, filters=[filter_qmp_event])
            if event["data"]["status"] in ("completed", "failed"):
                break
        if event["data"]["status"] == "failed":
            return False
        # The event comes before the state has changed, of which no event tells.
        while expect_runstate is not None and self.qmp("query-status")["return"]["status"] != expect_runstate:
            pass
        return True

    # Nodes.

    def node_info(self, node_name):
        for node in self.qmp("query-named-block-nodes")["return"]:
            if node["node-name"] == node_name:
                return node
        return None

    def query_bitmaps(self):
        """The bitmaps of each node that has some."""
        nodes = self.qmp("query-named-block-nodes")["return"]
        return {node["node-name"]: node["dirty-bitmaps"] for node in nodes if "dirty-bitmaps" in node}

    def get_bitmap(self, node_name, bitmap_name, recording=None, bitmaps=None):
        for bitmap in (self.query_bitmaps() if bitmaps is None else bitmaps)[node_name]:
            if bitmap.get("name", "") == bitmap_name and (recording is None or bitmap.get("recording") == recording):
                return bitmap
        return None

    def check_bitmap_status(self, node_name, bitmap_name, fields):
        return fields.items() <= self.get_bitmap(node_name, bitmap_name).items()

    def assert_block_path(self, root, path, expected_node, graph=None):
        """Asserts which node lies at a path (/backing/file) from a node; None: that none does."""
        if graph is None:
            graph = self.qmp("x-debug-query-block-graph")["return"]
        names = path.split("/")
        assert names[0] == ""
        node = next((one for one in graph["nodes"] if one["name"] == root), None)
        assert node is not None, "Root node %s not found" % root
        for name in names[1:]:
            assert node is not None, "Cannot follow path %s%s" % (root, path)
            child = next(
                (edge["child"] for edge in graph["edges"] if edge["parent"] == node["id"] and edge["name"] == name),
                None,
            )
            node = next((one for one in graph["nodes"] if one["id"] == child), None)
        if node is None:
            assert expected_node is None, "No node found under %s (but expected %s)" % (path, expected_node)
        else:
            assert node["name"] == expected_node, "Found node %s under %s (but expected %s)" % (
                node["name"],
                path,
                expected_node,
            )

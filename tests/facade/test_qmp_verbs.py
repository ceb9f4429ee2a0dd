# SPDX-License-Identifier: GPL-2.0-or-later
"""The verbs of a QMP monitor: what each sends, on a core that writes it down."""

import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture
def monitor(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "runner/python/lib"))
    for name in [name for name in sys.modules if name.split(".")[0] in ("virttest", "_vtglue")]:
        monkeypatch.delitem(sys.modules, name)
    from virttest import qemu_monitor

    class Core:
        name, filename = "m1", "/nowhere"

        def __init__(self):
            self.sent = []
            self.replies = {}

        def command(self, command, args, timeout):
            self.sent.append((command, args))
            return self.replies.get(command, {})

        def human_monitor_cmd(self, line, timeout):
            self.sent.append(("hmp", line))
            return self.replies.get(line, "")

        def supported_commands(self, timeout):
            return ["query-status", "screendump", "block-stream", "block-commit", "drive-mirror", "drive-backup", "eject"]

    yield qemu_monitor.QMPMonitor(None, Core())
    for name in [name for name in sys.modules if name.split(".")[0] in ("virttest", "_vtglue")]:
        del sys.modules[name]


@pytest.mark.parametrize(
    "call, sent",
    [
        (lambda m: m.blockdev_open_tray("cd1"), ("blockdev-open-tray", {"id": "cd1"})),
        (lambda m: m.blockdev_open_tray("cd1", force=True), ("blockdev-open-tray", {"id": "cd1", "force": True})),
        (lambda m: m.blockdev_insert_medium("cd1", "node"), ("blockdev-insert-medium", {"id": "cd1", "node-name": "node"})),
        (
            lambda m: m.blockdev_change_medium("cd1", "a.iso", mode="read-only"),
            ("blockdev-change-medium", {"id": "cd1", "filename": "a.iso", "read-only-mode": "read-only"}),
        ),
        (lambda m: m.blockdev_add({"driver": "raw"}), ("blockdev-add", {"driver": "raw"})),
        (lambda m: m.blockdev_backup(options={"sync": "full"}), ("blockdev-backup", {"sync": "full"})),
        (lambda m: m.block_resize("d", 5), ("block_resize", {"device": "d", "size": 5})),
        (lambda m: m.block_resize(None, 5, "n"), ("block_resize", {"size": 5, "node-name": "n"})),
        (lambda m: m.transaction([1]), ("transaction", {"actions": [1]})),
        (lambda m: m.query_jobs(), ("query-jobs", None)),
        (
            lambda m: m.block_dirty_bitmap_add("n", "b", granularity=512),
            ("block-dirty-bitmap-add", {"node": "n", "name": "b", "granularity": 512}),
        ),
        (
            lambda m: m.block_dirty_bitmap_merge("n", ["a"], "b"),
            ("block-dirty-bitmap-merge", {"node": "n", "bitmaps": ["a"], "target": "b"}),
        ),
        (lambda m: m.block_stream("d", base="b"), ("block-stream", {"device": "d", "base": "b"})),
        (lambda m: m.block_stream("d", 0), ("block-stream", {"device": "d", "speed": 0})),
        (lambda m: m.block_commit("d", 9, top="t"), ("block-commit", {"device": "d", "top": "t", "speed": 9})),
        (
            lambda m: m.block_mirror("d", "t", "full", format="raw"),
            ("drive-mirror", {"device": "d", "target": "t", "sync": "full", "format": "raw"}),
        ),
        (
            lambda m: m.drive_backup("d", "t", "qcow2", "incremental", bitmap="b"),
            (
                "drive-backup",
                {"device": "d", "target": "t", "format": "qcow2", "sync": "incremental", "mode": "absolute-paths", "bitmap": "b"},
            ),
        ),
        (
            lambda m: m.live_snapshot("d", "s"),
            (
                "blockdev-snapshot-sync",
                {"device": "d", "snapshot-file": "s", "format": "qcow2", "mode": "absolute-paths"},
            ),
        ),
        (
            lambda m: m.nbd_server_start({"type": "unix", "path": "/s"}),
            ("nbd-server-start", {"addr": {"type": "unix", "data": {"path": "/s"}}}),
        ),
        (
            lambda m: m.block_export_add("e", "nbd", "n", writable=False),
            ("block-export-add", {"type": "nbd", "id": "e", "node-name": "n", "writable": False}),
        ),
        (lambda m: m.netdev_add("user", "n1", net_name="x"), ("netdev_add", {"net-name": "x", "type": "user", "id": "n1"})),
        (lambda m: m.set_numa_node("cpu", node_id=1), ("set-numa-node", {"node-id": 1, "type": "cpu"})),
        (lambda m: m.migrate('"exec:cat"'), ("migrate", {"uri": "exec:cat"})),
        (lambda m: m.send_args_cmd("screendump filename=/a,head=1"), ("screendump", {"filename": "/a", "head": 1})),
        (lambda m: m.send_args_cmd("eject device=d,force=true"), ("eject", {"device": "d", "force": True})),
        (lambda m: m.send_args_cmd("savevm id=tag"), ("hmp", "savevm tag")),
        (lambda m: m.send_args_cmd("info status"), ("hmp", "info status")),
        (
            lambda m: m.press_release_key("a", False),
            (
                "input-send-event",
                {"events": [{"type": "key", "data": {"down": False, "key": {"type": "qcode", "data": "a"}}}]},
            ),
        ),
    ],
)
def test_what_a_verb_sends(monitor, call, sent):
    call(monitor)
    assert monitor._core.sent == [sent]


def test_what_is_no_call_of_a_verb_is_refused(monitor):
    for wrong in (
        lambda: monitor.blockdev_open_tray(),
        lambda: monitor.blockdev_open_tray("a", True, 3),
        lambda: monitor.blockdev_open_tray("a", dev_id="a"),
        lambda: monitor.job_dismiss("a", nonsense=1),
        lambda: monitor.blockdev_add(),
    ):
        with pytest.raises(TypeError):
            wrong()
    assert monitor._core.sent == []
    with pytest.raises(Exception, match="block-job-pause"):
        monitor.pause_block_job("d")


def test_what_verbs_make_of_replies(monitor):
    core = monitor._core
    core.replies["query-block-jobs"] = [{"device": "a", "type": "mirror"}]
    assert monitor.query_block_job("a")["type"] == "mirror" and monitor.query_block_job("b") == {}
    core.replies["query-block"] = [{"device": "a", "inserted": {"backing_file": "base"}}, {"device": "", "qdev": "q"}]
    assert monitor.get_backingfile("a") == "base" and monitor.get_backingfile("b") is None
    assert set(monitor.info_block()) == {"a", "q"}
    core.replies["info numa"] = "2 nodes\nnode 0 cpus: 0 1\nnode 0 size: 512 MB\nnode 1 cpus:\nnode 1 size: 64 MB\n"
    assert monitor.info_numa() == [(512, {0, 1}), (64, set())]
    core.replies["query-migrate"] = {"status": "active", "ram": {"remaining": 25, "total": 100}}
    assert monitor.get_migrate_progress() == 75

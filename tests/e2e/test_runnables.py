# SPDX-License-Identifier: GPL-2.0-or-later
"""Small and fat runnables, given to the real runner as Avocado and as people give them."""

import ast
import json
import os
import subprocess

import pytest

NOOP = {"type": "noop_native", "vms": "", "vm_type": "qemu", "images": "", "take_regular_screendumps": "no"}


@pytest.fixture
def run_runnable(runner, tmp_path):
    """Runs `runnable-run` with keyword arguments; returns the messages."""

    def run(*words, kind="vt", uri="some.test", **arguments):
        command = [str(runner), "runnable-run", "-k", kind, "-u", uri, f"output_dir={tmp_path}/out", *words]
        for key, value in arguments.items():
            command.append(f"{key}={value}" if isinstance(value, str) else f"{key}=json:{json.dumps(value)}")
        environment = {
            **os.environ,
            "HOME": str(tmp_path),
            "XDG_CACHE_HOME": str(tmp_path),
            "AVOCADO_VT_RUNTIME_DIR": str(tmp_path / "run"),
        }
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment)
        assert done.returncode == 0, done.stderr
        return [ast.literal_eval(line) for line in done.stdout.splitlines()]

    return run


@pytest.mark.parametrize("kind", ["vt", "avocado-vt"])
def test_fat_runnable(run_runnable, kind):
    messages = run_runnable(kind=kind, **NOOP, id="some.test")
    assert messages[-1]["result"] == "pass", messages[-1]
    log = b"".join(m["log"] for m in messages if m.get("type") == "log")
    assert b"vm_type = qemu" in log


def test_recipe_of_upstreams(runner, tmp_path):
    recipe = tmp_path / "recipe.json"
    kwargs = {**NOOP, "id": "x", "output_dir": str(tmp_path / "out")}
    recipe.write_text(json.dumps({"kind": "avocado-vt", "uri": "x", "config": {}, "identifier": "x", "kwargs": kwargs}))
    environment = {**os.environ, "AVOCADO_VT_RUNTIME_DIR": str(tmp_path / "run")}
    done = subprocess.run(
        [str(runner), "runnable-run-recipe", str(recipe)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env=environment,
    )
    assert ast.literal_eval(done.stdout.splitlines()[-1])["result"] == "pass"


@pytest.mark.parametrize(
    "arguments, status, complaint",
    [
        ({}, "error", "neither a selection nor parameters"),
        ({"vms": ""}, "skip", "type"),
        ({**NOOP, "type": "noop_nativ"}, "error", "noop_native"),
        ({**NOOP, "type": ""}, "error", "type"),
        ({"selection": "text"}, "error", "selection"),
        ({"selection": {"type": "nosuch", "data_dir": "/nowhere"}}, "error", "nosuch"),
        ({"selection": {"data_dir": "/nowhere"}}, "error", "/nowhere"),
        ({"selection": {"config": "/nowhere.cfg", "data_dir": "/nowhere"}}, "error", "/nowhere.cfg"),
        ({**NOOP, "test_timeout": "soon"}, "error", "soon"),
    ],
)
def test_runnable_that_cannot_be_run(run_runnable, arguments, status, complaint):
    last = run_runnable(**arguments)[-1]
    assert last["status"] == "finished"
    assert last["result"] == status, last
    assert complaint in last["fail_reason"]


def test_foreign_settings_do_no_harm(run_runnable):
    settings = {
        "job.output.loglevel": 30,
        "run.max_parallel_tasks": 4,
        "vt.common.tmp_dir": "/nowhere",
        "vt.debug.no_cleanup": None,
        "datadir.paths.data_dir": "~/nowhere",
        "x": {},
    }
    messages = run_runnable("-c", json.dumps(settings), **NOOP)
    assert messages[-1]["result"] == "pass", messages[-1]
    levels = {m["log_levelname"] for m in messages if m.get("type") == "log"}
    assert levels == {"WARNING"}


def test_first_process_of_a_container(runner, status_server, tmp_path):
    """Its parent has no number there; the job's guardian must not take that for Avocado's end."""
    server = status_server()
    words = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount-proc", str(runner), "task-run"]
    words += ["-i", "1", "-j", "J" * 40, "-k", "vt", "-u", "x", "-s", server.uri, f"output_dir={tmp_path}/out"]
    words += [f"{key}={value}" for key, value in NOOP.items()]
    environment = {**os.environ, "AVOCADO_VT_RUNTIME_DIR": str(tmp_path / "run"), "HOME": str(tmp_path)}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert server.wait().settle().messages[-1]["result"] == "pass", server.messages[-1]


def test_nothing_is_left_in_the_runtime_directory(run_runnable, tmp_path):
    assert run_runnable(**NOOP)[-1]["result"] == "pass"
    end = [path for path in (tmp_path / "run").iterdir() if path.name.startswith("job-")]
    for _ in range(200):
        if not any(path.exists() for path in end):
            return
        subprocess.run(["sleep", "0.01"], check=True)
    raise AssertionError(f"job directories are left: {end}")

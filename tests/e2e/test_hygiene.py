# SPDX-License-Identifier: GPL-2.0-or-later
"""What must not reach a terminal, a log, another user or a directory that is not the tests'."""

import json
import os
import pathlib
import stat

from jobs import wait_until

ESCAPE = "\x1b]0;owned\x07"
SECRET = "hunter2-never-shown"


def raw_controls(data):
    """Bytes that a terminal obeys."""
    return [byte for byte in data if (byte < 0x20 and byte not in b"\t\n") or byte == 0x7F]


def test_a_passed_test_has_an_empty_reason(site):
    job = site.run("raises.passes")
    assert job.only.status == "PASS"
    result = json.loads((job.dir / "results.json").read_text())["tests"][0]
    assert result["fail_reason"] == ""


def test_control_characters_are_escaped_in_logs_and_on_the_terminal(site):
    job = site.run("raises.passes", params=[f"evil={ESCAPE}"])
    log = job.only.file("debug.log")
    assert b"evil = \\x1b]0;owned\\x07" in log
    assert not raw_controls(log)
    listed = site.runner("list", "--vt-type", "qemu", "no_such\x1b[2Jtest")
    assert listed.returncode == 1 and not raw_controls(listed.stderr.encode()), listed.stderr
    for command in (["cfg", "/no/such\x1b[2J"], ["params", "/no/such\x1b[2J"], ["task-run", "\x1b[2J"]):
        done = site.runner(*command)
        assert done.returncode and not raw_controls(done.stderr.encode()), (command, done.stderr)


def command_lines(site):
    """Those of all that runs, but for what the user typed himself."""
    lines = {}
    for pid in site.processes():
        try:
            line = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            continue
        if b"/avocado\0run\0" not in line:
            lines[pid] = line
    return lines


def test_extra_parameters_are_on_no_command_line_and_in_no_file_of_ours(site, tmp_path):
    go = tmp_path / "go"
    told = site.root / "leads.json"
    told.unlink(missing_ok=True)
    words = ["run", "--vt-type", "qemu", "--vt-extra-params", f"until={go}", "--vt-extra-params", f"password_x={SECRET}"]
    words += ["--vt-extra-params", f"ceph_key_image1={SECRET}"]
    job = site.start(*words, "--", "deps.leads")
    try:
        wait_until("the test holds", told.exists, 60)
        lines = command_lines(site)
        assert any(b"task-run" in line for line in lines.values())
        assert not [line for line in lines.values() if SECRET.encode() in line]
        files = list(site.runtime.glob("selections/selection-*.json"))
        assert len(files) == 1 and SECRET in files[0].read_text()
        assert stat.S_IMODE(files[0].stat().st_mode) == 0o600
        go.touch()
        assert job.wait(60) == 0, job.communicate()
    finally:
        if job.poll() is None:
            job.kill()
        job.communicate()
    wait_until("the end of the selection", lambda: not list(site.runtime.glob("selections/*")), 20)
    results = site.results_dirs()[-1]
    written = [path for path in results.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]
    # Avocado keeps what its user typed, for `avocado replay` and in its own logs.
    assert all(path.relative_to(results).parts[0] in ("jobdata", "job.log", "full.log") for path in written), written
    log = next(results.glob("test-results/1-*/debug.log")).read_text()
    assert "password_x = (not shown)" in log and "ceph_key_image1 = (not shown)" in log


def test_a_killed_job_leaves_no_parameters(site, tmp_path):
    told = site.root / "leads.json"
    told.unlink(missing_ok=True)
    job = site.start("run", "--vt-type", "qemu", "--vt-extra-params", f"until={tmp_path}/never", "--", "deps.leads")
    try:
        wait_until("the test holds", told.exists, 60)
        assert list(site.runtime.glob("selections/selection-*.json"))
    finally:
        job.kill()
        job.communicate()
    site.no_process_within(20)
    site.runner("reap")
    assert not site.leftovers()


def test_a_recipe_has_its_parameters_in_it(site, tmp_path):
    (tmp_path / "recipes").mkdir()
    done = site.avocado("list", "--write-recipes-to-directory", tmp_path / "recipes", "--vt-type", "qemu",
                        "--vt-extra-params", f"password_x={SECRET}", "--", "raises.passes")
    assert done.returncode == 0, done.output
    recipe = next((tmp_path / "recipes").iterdir())
    assert json.loads(site.runner("params", recipe).stdout)["password_x"] == SECRET


def test_a_job_is_replayed_with_its_parameters(site):
    first = site.run("raises.passes", params=["word=first"])
    assert first.returncode == 0, first.output
    done = site.avocado("replay", first.dir.name.rsplit("-", 1)[1])
    assert done.returncode == 0, done.output
    again = site.results_dirs()[-1]
    assert again != first.dir
    assert "word = first" in next(again.glob("test-results/1-*/debug.log")).read_text()


def test_a_test_that_cannot_be_loaded_says_that_its_commands_do_not_run(site):
    job = site.run("import_missing", params=["pre_command=true", "post_command=true"])
    assert job.only.status == "ERROR"
    assert "so pre_command and post_command are not run" in job.only.log


def test_bootstrap_names_a_runtime_directory_that_others_can_enter(site, tmp_path):
    runtime = tmp_path / "open"
    runtime.mkdir(mode=0o755)
    os.chmod(runtime, 0o755)
    done = site.avocado("vt-bootstrap", "--vt-type", "qemu", environment={"AVOCADO_VT_RUNTIME_DIR": str(runtime)})
    assert done.returncode != 0
    assert f"{runtime} should be a directory of user {os.geteuid()} with mode 0700" in done.output
    assert "mode 755" in done.output and "default guest" not in done.output


def test_an_image_outside_of_the_data_directory_is_not_made(site, tmp_path):
    outside = os.path.relpath(tmp_path / "new", site.data)
    params = ["images=image1", "create_image=yes", "image_size=1M", "remove_image_image1=yes", "start_vm=no",
              f"image_name_image1={outside}"]
    refused = site.run("vm.nothing", params=params)
    assert refused.only.status == "ERROR" and "vt.common.allow_outside" in refused.only.reason, refused.only
    assert not list(tmp_path.iterdir())
    config = tmp_path / "outside.conf"
    config.write_text("[vt.common]\nallow_outside = yes\n")
    allowed = site.run("vm.nothing", params=params, leading=["--config", config])
    assert allowed.only.status == "PASS", allowed.only
    assert list(tmp_path.iterdir()) == [config]

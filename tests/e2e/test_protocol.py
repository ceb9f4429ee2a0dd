# SPDX-License-Identifier: GPL-2.0-or-later
"""The nrunner protocol against a recording status server: whatever happens to the body, Avocado gets what it needs."""

import ast
import json
import os
import re
import resource
import signal
import subprocess
import sys
import time

import pytest

from conftest import alive, check_stream, parts_of

DEATHS = {
    "segfault": "killed by SIGSEGV",
    "abort": "killed by SIGABRT",
    "kill": "killed by SIGKILL",
    "exit": "exit status 0",
    "exit3": "exit status 3",
}


def run(program, *words, **options):
    return subprocess.run([str(program), *words], capture_output=True, text=True, timeout=30, check=False, **options)


def dictionaries(text):
    """The messages on standard output, which are Python's dictionaries."""
    return [ast.literal_eval(line) for line in text.splitlines()]


# --- capabilities and the command line


def test_capabilities(runner):
    done = run(runner, "capabilities")
    assert done.returncode == 0 and not done.stderr
    answer = json.loads(done.stdout)
    assert "vt" in answer["runnables"] and "avocado-vt" in answer["runnables"]
    assert set(answer["commands"]) == {
        "capabilities",
        "runnable-run",
        "runnable-run-recipe",
        "task-run",
        "task-run-recipe",
    }
    assert isinstance(answer["configuration_used"], list)


def test_messages_on_standard_output_are_python_dictionaries(protocol_runner, tmp_path):
    done = run(
        protocol_runner, "runnable-run", "-k", "vt", f"output_dir={tmp_path}", "to_stdout=1", "text=it's \"héy\"\\"
    )
    messages = dictionaries(done.stdout)
    assert [m["status"] for m in messages] == ["started", "running", "running", "finished"]
    assert [m["log"] for m in messages if m.get("type") == "stdout"] == ["it's \"héy\"\\\n".encode()]
    assert all("id" not in m and "job_id" not in m for m in messages)


def test_task_messages_on_standard_output(protocol_runner, tmp_path):
    done = run(protocol_runner, "task-run", "-i", "7-x", "-j", "JOB", "-k", "vt", f"output_dir={tmp_path}")
    messages = dictionaries(done.stdout)
    check_stream(messages)
    assert {m["id"] for m in messages} == {"7-x"} and {m["job_id"] for m in messages} == {"JOB"}
    assert messages[0]["output_dir"] == str(tmp_path)


def test_without_output_dir_one_is_made(protocol_runner, tmp_path):
    done = run(protocol_runner, "task-run", "-i", "1", "-k", "vt", env={**os.environ, "TMPDIR": str(tmp_path)})
    made = dictionaries(done.stdout)[0]["output_dir"]
    assert os.path.dirname(made) == str(tmp_path) and os.stat(made).st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    "words",
    [
        ["--kind", "vt", "--uri", "-x", "--config", "{}", "--arg", "base64:LWE="],
        ["--kind=vt", "--config={}", "-ux"],
        ["-k", "vt", "-key=value", "--other=1", "-a=b", "--", "empty=", "=x"],
        ["-k", "vt", "n=json:3", 'l=json:["a", 1]', "s=json:no json", "x=json:", "y=json:{\n}"],
        ["-k", "vt", "lines=a\nb\n\nc", "deep=json:" + "[" * 100000],
        ["-k", "vt", 'tags=json:{"a": null}', 'variant=json:{"variant": []}', "dependencies=json:[]"],
    ],
)
def test_arguments_that_avocado_may_pass(protocol_runner, tmp_path, words):
    done = run(protocol_runner, "runnable-run", f"output_dir={tmp_path}", *words)
    assert done.returncode == 0, done.stderr
    assert dictionaries(done.stdout)[-1]["result"] == "pass"


@pytest.mark.parametrize(
    "words, complaint",
    [
        (["runnable-run"], "the kind of runnable (-k) is missing"),
        (["runnable-run", "-k"], "-k needs a value"),
        (["runnable-run", "-k", "vt", "word"], '"word" is neither an option nor KEY=VALUE'),
        (["runnable-run", "-k", "noop"], 'does not run runnables of kind "noop", only vt, avocado-vt'),
        (["runnable-run", "-k", "vt", "-c", "{"], "the config (-c) is no JSON"),
        (["runnable-run", "-k", "vt", "-c", "[]"], "should be a JSON object, but it is array"),
        (["runnable-run", "-k", "vt", "-c", "[" * 5000 + "]" * 5000], "levels deep"),
        (["runnable-run", "-k", "vt", "-i", "1"], '"-i" is neither an option'),
        (["task-run", "-k", "vt"], "the task's identifier (-i) is missing"),
        (["task-run-recipe"], "needs the path of one recipe"),
        (["task-run-recipe", "/nowhere.json"], "No such file"),
    ],
)
def test_wrong_usage_is_refused_with_a_sentence(protocol_runner, words, complaint):
    done = run(protocol_runner, *words)
    assert done.returncode == 2 and not done.stdout
    assert complaint in done.stderr


def test_kind_comes_from_the_name(protocol_runner, tmp_path):
    alias = tmp_path / "avocado-runner-avocado-vt"
    alias.symlink_to(protocol_runner)
    assert run(alias, "runnable-run", f"output_dir={tmp_path}").returncode == 0


# --- recipes


def test_runnable_recipe(protocol_runner, tmp_path):
    recipe = tmp_path / "recipe.json"
    kwargs = {"result": "fail", "reason": "so", "output_dir": str(tmp_path)}
    recipe.write_text(json.dumps({"kind": "vt", "uri": "x", "config": {}, "kwargs": kwargs, "identifier": "x"}))
    last = dictionaries(run(protocol_runner, "runnable-run-recipe", str(recipe)).stdout)[-1]
    assert (last["result"], last["fail_reason"]) == ("fail", "so")


def test_task_recipe(protocol_runner, status_server, tmp_path):
    server = status_server()
    recipe = tmp_path / "recipe.json"
    runnable = {"kind": "vt", "kwargs": {"output_dir": str(tmp_path)}}
    recipe.write_text(
        json.dumps({"id": "3-x", "job_id": "J", "runnable": runnable, "status_uris": [server.uri], "category": "test"})
    )
    assert run(protocol_runner, "task-run-recipe", str(recipe)).returncode == 0
    assert check_stream(server.wait().settle().messages)["id"] == "3-x"


@pytest.mark.parametrize(
    "text, complaint",
    [
        ("", "no JSON"),
        ("[1]", "should be a JSON object"),
        ('{"uri": "x"}', 'needs a "kind"'),
        ('{"kind": 3}', "should be a string"),
        ('{"kind": "vt", "colour": 1}', 'no member "colour"'),
        ('{"kind": "vt", "args": "a"}', "should be a list"),
        ('{"kind": "vt", "kwargs": []}', "should be an object"),
        ('{"kind": "vt", "config": []}', "should be a JSON object"),
        ('{"kind": "vt", "kwargs": {"a": ' + "[" * 9000 + "]" * 9000 + "}}", "levels deep"),
    ],
)
def test_broken_recipes_are_refused_with_a_sentence(protocol_runner, tmp_path, text, complaint):
    recipe = tmp_path / "recipe.json"
    recipe.write_text(text)
    done = run(protocol_runner, "runnable-run-recipe", str(recipe))
    assert done.returncode == 2 and complaint in done.stderr


# --- the stream of messages


@pytest.mark.parametrize("result", ["pass", "fail", "error", "skip", "cancel", "warn", "interrupted"])
def test_each_result(start_task, status_server, result):
    server = status_server()
    task = start_task(server, result=result, reason="two\nlines", fail_class="TestFail", traceback="a\nb")
    assert task.wait(10) == 0
    last = check_stream(server.wait().settle().messages)
    assert last["result"] == result
    assert last["fail_reason"] == "two lines"
    assert last["fail_class"] == "TestFail" and last["traceback"] == "a\nb" and last["class_name"]


@pytest.mark.parametrize("death", DEATHS)
def test_death_of_the_body(start_task, status_server, death):
    server = status_server()
    task = start_task(server, die=death, to_stderr=1, text="the last words\n")
    assert task.wait(10) == 0
    last = check_stream(server.wait().settle().messages)
    assert last["result"] == "error"
    assert DEATHS[death] in last["fail_reason"] and "the last words" in last["fail_reason"]
    assert server.text("stderr") == b"the last words\n"


def test_death_of_the_body_from_outside(start_task, status_server):
    server = status_server()
    task = start_task(server, sleep=100)
    server.wait_for(lambda m: b"argument count" in m.get("log", b""))
    children = open(f"/proc/{task.pid}/task/{task.pid}/children", encoding="ascii").read().split()
    body = [pid for pid in children if open(f"/proc/{pid}/comm", encoding="ascii").read() == "vt-test\n"]
    os.kill(int(body[0]), signal.SIGKILL)
    assert task.wait(3) == 0
    assert "killed by SIGKILL" in check_stream(server.wait().settle().messages)["fail_reason"]


def test_exception_of_the_body(start_task, status_server):
    server = status_server()
    start_task(server, throw="no such thing")
    last = check_stream(server.wait().settle().messages)
    assert (last["result"], last["fail_reason"]) == ("error", "no such thing")


def test_all_kinds_of_running_messages(start_task, status_server):
    server = status_server()
    start_task(
        server, text="é\n", to_log=1, to_stdout=1, to_stderr=1, to_whiteboard=1, to_file="a/b.txt", to_output=1
    )
    check_stream(server.wait().settle().messages)
    for kind in ("stdout", "stderr", "whiteboard", "file", "output"):
        assert server.text(kind) == "é\n".encode(), kind
    log = [m for m in server.messages if m.get("log_name") == "avocado.test"]
    assert re.fullmatch(rb"[-0-9]+ [:,0-9]+ avocado.test INFO +\| \xc3\xa9\n?", log[0]["log"])
    assert [m["path"] for m in server.messages if m.get("type") == "file"] == ["a/b.txt"]


@pytest.mark.parametrize("target", ["to_log", "to_stdout", "to_stderr", "to_whiteboard", "to_file", "to_output"])
@pytest.mark.parametrize("text", [b"\xff\xfe\n", b"half\xc3", b"a\x1b[0m\r\n", b"\xed\xa0\x80"])
def test_bytes_that_are_no_text(start_task, status_server, target, text):
    server = status_server()
    start_task(server, text=os.fsdecode(text), **{target: "x.bin"})
    check_stream(server.wait().settle().messages)
    if target in ("to_stdout", "to_stderr"):
        assert server.text(target[3:]).rstrip(b"\n") == text.rstrip(b"\n")
    if target == "to_file":
        assert server.text("file") == text


@pytest.mark.parametrize("target", ["to_log", "to_stdout", "to_whiteboard", "to_file"])
def test_large_payloads_go_in_parts(start_task, status_server, target):
    server = status_server()
    size = 24 << 20
    start_task(server, text="é" * 64, count=size // 128, **{target: "big.txt"})
    check_stream(server.wait(60).settle().messages)
    assert max(map(len, server.lines)) < 4 << 20
    kind = target[3:]
    if kind in ("file", "whiteboard", "stdout"):
        assert len(server.text(kind).replace(b"\n", b"")) == size // 128 * 128


def test_garbage_on_the_channel_is_reported_and_dropped(start_task, status_server):
    server = status_server()
    start_task(server, garbage=1)
    assert check_stream(server.wait().settle().messages)["result"] == "pass"
    assert server.text("log").count(b"cannot be understood") == 4


# --- status servers


def test_several_servers_get_the_same(start_task, status_server):
    servers = [status_server(), status_server(tcp=True), status_server()]
    assert start_task(*servers, to_stdout=1, count=100).wait(10) == 0
    for server in servers:
        check_stream(server.wait().settle().messages)
        assert server.lines == servers[0].lines
        assert server.connections == 1


def test_unreachable_servers_are_reported_once_and_not_fatal(start_task, status_server, tmp_path):
    server = status_server()
    unreachable = [str(tmp_path / "none.sock"), "127.0.0.1:1", "no.such.host.invalid:80", "127.0.0.1:port", "x" * 200]
    task = start_task(server, *unreachable)
    assert task.wait(20) == 0
    assert check_stream(server.wait().settle().messages)["result"] == "pass"
    errors = task.stderr.read().decode().splitlines()
    for uri in unreachable:
        assert sum(uri in line for line in errors) == 1
        assert server.text("log").count(f"status server {uri} ".encode()) == 1


def test_without_any_server_nobody_waits_for_the_test(start_task, tmp_path):
    """As where Avocado was killed in the moment in which it started the runner."""
    task = start_task(str(tmp_path / "none.sock"), "127.0.0.1:1", daemons=1, sleep=100)
    assert task.wait(10) == 0
    assert b"none.sock" in task.stderr.read()


def test_a_server_that_goes_away_is_not_fatal(start_task, status_server):
    staying, leaving = status_server(), status_server(close_after=1)
    assert start_task(leaving, staying, sleep=0.3, to_stdout=1, count=5 << 20).wait(20) == 0
    assert check_stream(staying.wait().settle().messages)["result"] == "pass"


def test_nothing_is_lost_to_a_slow_server(start_task, status_server):
    server = status_server(pace=0.001)
    assert start_task(server, to_stdout=1, text="0123456\n", count=2 << 20).wait(60) == 0
    check_stream(server.wait(60).settle().messages)
    assert len(server.text("stdout")) == 16 << 20


# --- ends


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
@pytest.mark.parametrize("on_stop", [None, 0.05, 100])
def test_told_to_end(start_task, status_server, number, on_stop):
    server = status_server()
    arguments = {} if on_stop is None else {"on_stop": on_stop}
    task = start_task(server, daemons=1, sleep=100, **arguments)
    server.wait_for(lambda m: b"child" in m.get("log", b""))
    time.sleep(0.05)
    began = time.monotonic()
    task.send_signal(number)
    assert task.wait(2) == 0
    assert time.monotonic() - began < 0.9
    last = check_stream(server.wait().settle().messages)
    assert last["result"] == "interrupted" and number.name in last["fail_reason"]
    if on_stop == 0.05:
        assert b"stopped" in server.text("log")


def test_told_to_end_twice_and_early(start_task, status_server):
    server = status_server()
    task = start_task(server, on_stop=100, sleep=100)
    server.wait_for(lambda m: m["status"] == "started")
    task.send_signal(signal.SIGINT)
    task.send_signal(signal.SIGTERM)
    assert task.wait(2) == 0
    assert check_stream(server.wait().settle().messages)["result"] == "interrupted"


def test_time_limit(start_task, status_server):
    server = status_server()
    assert start_task(server, limit=0.3, sleep=100).wait(5) == 0
    last = check_stream(server.wait().settle().messages)
    assert last["result"] == "interrupted" and "longer than its test_timeout of 0.3 s" in last["fail_reason"]


def test_what_the_test_leaves_is_killed(start_task, status_server):
    server = status_server()
    assert start_task(server, daemons=1).wait(10) == 0
    check_stream(server.wait().settle().messages)
    left = [int(pid) for pid in re.findall(rb"child (\d+)", server.text("stdout"))]
    assert len(left) == 2 and not any(map(alive, left))


@pytest.mark.parametrize("with_body", [False, True])
def test_sigkill_of_the_supervisor(start_task, status_server, with_body):
    """Its sweeper says in its place what became of it, once."""
    server = status_server()
    task = start_task(server, daemons=1, sleep=100)
    server.wait_for(lambda m: b"child" in m.get("log", b""))
    if with_body:
        os.kill(parts_of(task.pid)["body"], signal.SIGKILL)
    task.kill()
    last = check_stream(server.wait().settle().messages)
    assert last["result"] == "error"
    assert re.match(r"the runner was killed (by signal 9 \(SIGKILL\)|, most likely by)", last["fail_reason"])
    assert last["fail_reason"].encode() in server.text("log")
    # the fixture nothing_survives looks for what is left after two seconds


def test_sigkill_of_a_supervisor_whose_sweeper_was_replaced(start_task, status_server):
    server = status_server()
    task = start_task(server, sleep=100)
    server.wait_for(lambda m: b"argument count" in m.get("log", b""))
    first = parts_of(task.pid)["sweeper"]
    os.kill(first, signal.SIGKILL)
    end = time.monotonic() + 10
    while parts_of(task.pid).get("sweeper", first) == first and time.monotonic() < end:
        time.sleep(0.01)
    task.kill()
    assert check_stream(server.wait().settle().messages)["result"] == "error"


def wait_until_stuck(task):
    """Waits until a supervisor reads no more of what its body writes, as all on the way to the server is full."""
    end = time.monotonic() + 20
    before, now = -1, 0
    while before != now or now < 1 << 20:
        assert time.monotonic() < end, f"the supervisor has read {now} bytes"
        before = now
        time.sleep(0.3)
        now = int(open(f"/proc/{task.pid}/io", encoding="ascii").read().split()[1])


def test_sigkill_of_a_supervisor_in_the_middle_of_a_line(start_task, status_server):
    """The server has half a line for ever; `finished` comes by another connection, behind all the rest."""
    server = status_server(deaf=True, half_lines=True)
    # One line goes in one message, which is longer than what a socket takes at once.
    task = start_task(server, to_stdout=1, text="0123456789abcdef", count=1 << 20, sleep=100)
    wait_until_stuck(task)
    task.kill()
    server.hear()
    messages = server.wait(20).settle().messages
    assert [m["status"] for m in messages].count("finished") == 1
    assert messages[-1]["status"] == "finished" and "SIGKILL" in messages[-1]["fail_reason"]
    assert server.connections == 2


def test_a_supervisor_that_was_done_is_not_spoken_for(start_task, status_server):
    server = status_server()
    for _ in range(5):
        start_task(server, identifier="1-test").wait(10)
    time.sleep(0.2)
    assert [m["status"] for m in server.settle().messages].count("finished") == 5


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_told_to_end_while_the_server_does_not_read(start_task, status_server, number):
    """The supervisor ends; `finished` is there when the server reads again."""
    server = status_server(deaf=True, half_lines=True)
    task = start_task(server, to_stdout=1, text="0123456789abcde\n", count=1 << 20, sleep=100)
    wait_until_stuck(task)
    task.send_signal(number)
    assert task.wait(5) == 0
    server.hear()
    messages = server.wait(20).settle().messages
    assert [m["status"] for m in messages].count("finished") == 1
    assert messages[-1]["status"] == "finished"


def test_files_that_may_not_grow(start_task, status_server, tmp_path):
    """SIGXFSZ ends nobody: the test's result arrives, and names the trouble."""
    server = status_server()

    def no_files():
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))

    with open(tmp_path / "stderr", "wb") as stderr:
        task = start_task(server, str(tmp_path / "none.sock"), limits=no_files, stderr=stderr)
        assert task.wait(10) == 0
    last = check_stream(server.wait().settle().messages)
    assert last["result"] == "warn"
    assert "Files of the results may be missing" in last["fail_reason"] and "File too large" in last["fail_reason"]


# --- bounds


@pytest.mark.parametrize("target", ["to_stdout", "to_stderr", "to_log"])
def test_a_log_is_bounded(start_task, status_server, target):
    """First and last part are there, and between them a line that says how much is missing."""
    server = status_server()
    line = "".join(map(chr, range(48, 111))) + "\n"
    start_task(server, config={"vt.common.log_limit": 1}, text=line, count=8 << 14, **{target: 1})
    check_stream(server.wait(60).settle().messages)
    text = server.text(target[3:])
    assert len(text) < 1.2 * (1 << 20) and text.count(line.encode()) > 10000
    missing = int(re.search(rb"\[\.\.\. (\d+) bytes are left out here", text).group(1))
    assert missing + len(text) > 7 << 20
    assert text.rstrip(b"\n").endswith(line.encode()[:-1])


def test_a_line_that_comes_over_and_over_again_is_counted(start_task, status_server):
    server = status_server()
    start_task(server, repeat_log="20000", text="again\n")
    check_stream(server.wait(60).settle().messages)
    text = server.text("log")
    written = text.count(b"| again")
    counted = sum(map(int, re.findall(rb"the line above came (\d+) more times", text)))
    assert written < 10000 and written + counted == 20000


def test_death_of_avocado_ends_the_task(protocol_runner, status_server, clean_environment, nothing_survives, tmp_path):
    server = status_server()
    name, value = nothing_survives.split("=", 1)
    words = [str(protocol_runner), "task-run", "-i", "1", "-j", "J", "-k", "vt", "-s", server.uri]
    words += [f"output_dir={tmp_path}", "sleep=100", "daemons=1", "on_stop=100"]
    code = f"import subprocess, time; subprocess.Popen({words!r}); time.sleep(100)"
    with subprocess.Popen([sys.executable, "-c", code], env={**clean_environment, name: value}) as avocado:
        server.wait_for(lambda m: b"child" in m.get("log", b""))
        avocado.kill()
        avocado.wait()
    assert check_stream(server.wait(2).settle().messages)["result"] == "interrupted"


def test_unwritable_output_dir(start_task, status_server, protocol_runner, tmp_path):
    server = status_server()
    (tmp_path / "file").write_text("")
    words = ["task-run", "-i", "1", "-j", "J", "-k", "vt", "-s", server.uri, f"output_dir={tmp_path}/file/x"]
    assert run(protocol_runner, *words).returncode == 0
    last = check_stream(server.wait().settle().messages)
    assert last["result"] == "error" and f"{tmp_path}/file" in last["fail_reason"]

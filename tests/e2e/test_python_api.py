# SPDX-License-Identifier: GPL-2.0-or-later
"""Python tests and scripts in the runner's embedded interpreter, and the modules under Debian's own python3."""

import os
import subprocess

import pytest

from conftest import BUILD, VENV

MODULES = BUILD / "lib/avocado-runner-vt/python"


def run(*command, **options):
    """The finished process of a command, its output as text."""
    environment = {**os.environ, "AVOCADO_VT_PYTHON": str(VENV / "bin/python3"), **options.pop("env", {})}
    return subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, timeout=60, env=environment, check=False, **options
    )


@pytest.fixture(params=["embedded", "debian"])
def script(request, runner, tmp_path):
    """Runs a Python text in the embedded interpreter, and in Debian's own."""

    def call(text, *arguments):
        file = tmp_path / "script.py"
        file.write_text(text)
        if request.param == "embedded":
            return run(runner, "python", file, *arguments)
        return run("/usr/bin/python3", file, *arguments, env={"PYTHONPATH": str(MODULES)})

    return call


def test_the_runner_does_not_link_python(runner):
    for binary in (runner, *(BUILD / "lib/avocado-runner-vt").glob("libvtcore.so*")):
        assert "python" not in run("ldd", binary).stdout.replace(str(BUILD), "")


def test_capabilities_and_native_tests_never_load_python(runner, tmp_path):
    for arguments in (["capabilities"], ["runnable-run", "-k", "vt", "-u", "noop_native", "type=noop_native", "vms="]):
        trace = tmp_path / "trace"
        result = run("strace", "-f", "-e", "trace=openat", "-o", trace, runner, *arguments)
        if result.returncode != 0:
            pytest.skip(f"strace cannot be used here: {result.stderr[-200:]}")
        assert "libvtcore" in trace.read_text()
        assert "libvtpython" not in trace.read_text()


def test_a_script_has_its_arguments_its_folder_and_its_status(script, tmp_path):
    (tmp_path / "neighbour.py").write_text("WORD = 'neighbour'")
    result = script("import sys, neighbour\nprint(sys.argv[1:], neighbour.WORD, __name__)\nsys.exit(7)", "-a", "b c")
    assert (result.stdout, result.returncode) == ("['-a', 'b c'] neighbour __main__\n", 7), result.stderr


def test_a_script_that_raises(script):
    result = script("def f():\n    raise ValueError('why')\nf()")
    assert result.returncode == 1
    assert result.stderr.endswith("ValueError: why\n") and "line 2, in f" in result.stderr


def test_the_interpreter_is_that_of_the_environment(runner, venv, tmp_path):
    file = tmp_path / "s.py"
    file.write_text("import sys, ctypes, bz2, ssl\nprint(sys.executable, sys.prefix)\nimport avocado")
    result = run(runner, "python", file, env={"PYTHONHOME": "/nowhere", "PYTHONPATH": "/nowhere"})
    assert result.stdout.split() == [str(venv / "bin/python3"), str(venv)], result.stderr


def test_an_interpreter_of_another_version_is_named_and_not_used(runner, tmp_path):
    (tmp_path / "bin").mkdir()
    (tmp_path / "pyvenv.cfg").write_text("home = /usr/bin\nversion = 3.4.1\n")
    (tmp_path / "bin/python3").symlink_to("/usr/bin/python3")
    file = tmp_path / "s.py"
    file.write_text("import sys; print(sys.prefix)")
    result = run(runner, "python", file, env={"AVOCADO_VT_PYTHON": str(tmp_path / "bin/python3")})
    assert "it is Python 3.4.1, this runner holds Python 3.11" in result.stderr
    assert str(tmp_path) not in result.stdout


def test_children_of_a_script_are_real_pythons(runner, tmp_path):
    file = tmp_path / "s.py"
    file.write_text(
        "import multiprocessing, os\n"
        "def child(x): return x * 2\n"
        "if __name__ == '__main__':\n"
        "    for way in ('spawn', 'fork'):\n"
        "        with multiprocessing.get_context(way).Pool(2) as pool: print(pool.map(child, [1, 2]))\n"
    )
    assert run(runner, "python", file).stdout == "[2, 4]\n[2, 4]\n"


PARAMS = """
from virttest.utils_params import Params
from collections import UserDict
import copy, pickle
p = Params({"vms": "vm1 vm2 vm1", "mem": "1", "mem_vm1": "2", "mac_nic1_vm1": "m", "a_x_b_x": "q", "n": " 7 ",
            "l": "a,b,,a", "d": "x=1 y = 2", "_hidden": "h", "yes": "yes", "odd": "Yes", "image1": "i", "images": "2"})
assert isinstance(p, UserDict) and p["mem"] == "1" and p.get("nope") is None and p.get("nope", 3) == 3
assert p.objects("vms") == ["vm1", "vm2"] and p.objects("nope") == []
vm1 = p.object_params("vm1")
assert type(vm1) is Params and vm1["mem"] == "2" and vm1["mem_vm1"] == "2" and p["mem"] == "1"
assert vm1.object_params("nic1")["mac"] == "m" and "mac" not in p.object_params("nic1")
assert p.object_params("x")["a"] == "q"
assert list(p.object_counts("images", "image")) == [("image1", "i"), ("image2", None)]
assert list(p.object_counts("nope", "image")) == [("image1", "i")]
assert p.get_boolean("yes") is True and p.get_boolean("nope") is False and p.get_boolean("nope", True) is True
for call in (lambda: p.get_boolean("odd"), lambda: p.get_numeric("l"), lambda: p.get_dict("l")):
    try: call()
    except ValueError: pass
    else: raise AssertionError
assert p.get_numeric("n") == 7 and p.get_numeric("nope") == 0 and p.get_numeric("n", target_type=float) == 7.0
assert p.get_list("l", delimiter=",") == ["a", "b", "", "a"] and p.get_list("nope") == []
assert Params({"d": "x=1,y = 2"}).get_dict("d", delimiter=",") == {"x": "1", "y": "2"}
assert "_hidden" not in p.drop_dict_internals() and "_hidden" in p
assert dict(p.copy_from_keys(["mem", "nope"])) == {"mem": "1"}
c = p.copy(); c["mem"] = "9"; assert p["mem"] == "1" and c == {**p, "mem": "9"}
assert copy.deepcopy(p) == p == pickle.loads(pickle.dumps(p)) and copy.copy(p) == p
p["number"] = 5; p["list_vm1"] = [1]
assert p["number"] == 5 and p.object_params("vm1")["list"] == [1] and p.copy()["number"] == 5
del p["number"]; assert "number" not in p
try: del p["number"]
except KeyError: pass
p.update({"u": "1"}, w="2"); p.setdefault("s", "3"); p.setdefault("s", "4")
assert (p["u"], p["w"], p["s"], p.pop("s")) == ("1", "2", "3", "3") and "s" not in p
assert list(Params({"b": "1", "a": "2"})) == ["b", "a"] and len(Params()) == 0 and not Params()
assert Params({"k": "\\udcff"})["k"] == "\\udcff"
for missing in (lambda: p["nope"], lambda: p.pop("nope", 1)):
    try: missing()
    except Exception as error:
        assert type(error).__name__ == "ParamNotFound" and "'nope'" in str(error) and not isinstance(error, KeyError)
        assert "TestSkipError" in [cls.__name__ for cls in type(error).__mro__]
    else: raise AssertionError
print("fine")
"""


def test_params(script):
    assert script(PARAMS).stdout == "fine\n"


ERRORS = """
import aexpect, aexpect.exceptions, aexpect.client, aexpect.remote
from virttest import remote, virt_vm, qemu_monitor
assert aexpect.ShellCmdError is aexpect.exceptions.ShellCmdError is aexpect.client.ShellCmdError
assert remote.LoginError is aexpect.remote.LoginError
for name in ("ShellTimeoutError", "ShellCmdError", "ShellStatusError", "ShellProcessTerminatedError"):
    assert issubclass(getattr(aexpect, name), aexpect.ShellError)
e = aexpect.ShellCmdError("ls", 2, "out"); assert (e.cmd, e.status, e.output) == ("ls", 2, "out")
assert str(e) == "Shell command failed: 'ls'    (status: 2,    output: 'out')"
e = qemu_monitor.QMPCmdError("c", None, {"class": "GenericError", "desc": "d"}); assert e.data["desc"] == "d"
e = virt_vm.VMCreateError("cmd", 1, "out"); assert e.output == "out" and isinstance(e, virt_vm.VMError)
import socket, time
with socket.create_server(("127.0.0.1", 0)) as server:
    start = time.monotonic()
    try: aexpect.remote.remote_login("ssh", "127.0.0.1", server.getsockname()[1], "u", "p", "#", timeout=1)
    except remote.LoginTimeoutError as error: print("timeout", time.monotonic() - start < 5)
try: aexpect.remote.remote_login("ssh", "127.0.0.1", 1, "u", "p", "#", timeout=5)
except remote.LoginError as error: print(type(error).__name__, "refused" in str(error).lower())
try: aexpect.remote.remote_login("rss", "127.0.0.1", 1, "u", "p", "#")
except remote.LoginBadClientError as error: print(error)
"""


def test_errors_have_one_identity_and_their_fields(script):
    result = script(ERRORS)
    lines = result.stdout.splitlines()
    assert lines[0] == "timeout True", result.stderr
    assert lines[1].endswith("True") and lines[2].startswith("Unknown remote shell client"), result.stdout


def test_nothing_imports_avocado_by_itself(runner, tmp_path):
    file = tmp_path / "s.py"
    names = sorted(path.stem for path in (MODULES / "virttest").glob("*.py") if path.stem != "__init__")
    imports = "".join(f"import virttest.{name}\n" for name in names)
    file.write_text(imports + "import aexpect, sys\nprint('avocado' in sys.modules)")
    result = run(runner, "python", file)
    assert result.stdout == "False\n", result.stderr


@pytest.fixture
def task(runner, tmp_path, status_server):
    """Runs a Python text as the test of a task; returns the status server and the messages' last one."""

    def call(text, **parameters):
        folder = tmp_path / "suite/tests"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "sample.py").write_text(text)
        server = status_server()
        words = [f"{key}={value}" for key, value in parameters.items()]
        result = run(
            runner, "task-run", "-i", "1-sample", "-j", "1" * 40, "-k", "vt", "-u", "sample", "-s", server.uri,
            f"output_dir={tmp_path}", "type=sample", f"other_tests_dirs={tmp_path}/suite", "vms=", "vm_type=qemu", *words,
            env={"AVOCADO_VT_RUNTIME_DIR": str(tmp_path / "run"), "HOME": str(tmp_path)},
        )  # fmt: skip
        server.wait().settle()
        assert server.messages[-1]["status"] == "finished", result.stderr
        return server, server.messages[-1]

    return call


RUN = "def run(test, params, env):\n    "

STATUSES = [
    ("pass", "pass", ""),
    ("test.fail('it is broken')", "fail", "it is broken"),
    ("test.error('it went wrong')", "error", "it went wrong"),
    ("test.cancel('not here')", "cancel", "not here"),
    ("test.skip('not now')", "skip", "not now"),
    ("params['nosuch']", "skip", "nosuch"),
    ("from avocado.core.exceptions import TestWarn; raise TestWarn('hm')", "warn", "hm"),
    ("from avocado.core.exceptions import TestInterrupt; raise TestInterrupt('stop')", "interrupted", "stop"),
    ("from avocado.core.exceptions import TestBaseException; raise TestBaseException('base')", "fail", "base"),
    ("from avocado.core.exceptions import TestSetupFail; raise TestSetupFail('s')", "error", "s"),
    ("from avocado.core.exceptions import TestNAError", "error", "ImportError"),
    ("from avocado import TestFail; raise TestFail('own class')", "fail", "own class"),
    ("import unittest; raise unittest.SkipTest('s')", "error", "SkipTest: s (sample.py:2)"),
    ("assert 1 == 2", "error", "AssertionError (sample.py:2)"),
    ("test.assertEqual(1, 2)", "error", "1 != 2"),
    ("1 / 0", "error", "ZeroDivisionError: division by zero (sample.py:2)"),
    ("import sys; sys.exit(0)", "error", "sys.exit(0)"),
    ("raise KeyboardInterrupt", "interrupted", "KeyboardInterrupt"),
    ("import os; os._exit(0)", "error", "exit status 0"),
    ("import ctypes; ctypes.string_at(0)", "error", "SIGSEGV"),
    ("import virttest.libvirt_xml", "error", "does not have that part of virttest yet"),
    ("import aexpect; raise aexpect.ShellCmdError('ls', 2, 'out')", "error", "Shell command failed: 'ls'"),
]


@pytest.mark.parametrize("line, result, reason", STATUSES, ids=[line[:40] for line, _, _ in STATUSES])
def test_each_status(task, line, result, reason):
    _, finished = task(RUN + line)
    assert finished["result"] == result, finished
    assert reason in finished.get("fail_reason", ""), finished


@pytest.mark.parametrize(
    "text, reason",
    [
        ("def run(:\n", "sample.py does not compile: invalid syntax (line 1)"),
        ("x = 1\n", "has no function run(test, params, env)"),
        ("run = 1\n", "its run is no function but int"),
        ("raise ValueError('early')\n", "ValueError: early (sample.py:1)"),
        ("import nosuchmodule\n", "No module named 'nosuchmodule'"),
    ],
)
def test_files_that_are_no_test(task, text, reason):
    _, finished = task(text)
    assert finished["result"] == "error" and reason in finished["fail_reason"], finished


def test_traceback_shows_the_test_and_not_what_runs_it(task):
    _, finished = task(RUN + "test.fail('x')")
    assert 'sample.py", line 2, in run' in finished["traceback"]
    assert "_vtglue" not in finished["traceback"] and finished["fail_class"] == "TestFail"


def test_output_and_logs_arrive_whole_even_without_a_newline_or_an_end(task):
    server, _ = task(
        "import logging, os, sys\n" + RUN + "logging.getLogger('mine').warning('two\\nlines %s', 'ä')\n"
        "    test.log.info('from test')\n    print('printed ö')\n    sys.stderr.write('to stderr\\n')\n"
        "    os.system('echo from a child')\n    sys.stdout.write('the rest')\n    os._exit(4)"
    )
    # Lines of one logger that come together may be one message.
    mine = [m for m in server.messages if m.get("log_name") == "mine"]
    assert {m["log_levelname"] for m in mine} == {"WARNING"}
    text = b"\n".join(m["log"] for m in mine).decode().split("\n")
    assert [line.split("| ")[1] for line in text] == ["two", "lines ä"]
    assert any(m.get("log_name") == "avocado.test" and b"from test" in m["log"] for m in server.messages)
    assert server.text("stdout").decode().split("\n")[:3] == ["printed ö", "from a child", "the rest"]
    assert server.text("stderr") == b"to stderr\n"


def test_attributes_of_the_test_object(task, tmp_path):
    _, finished = task(
        "import os\n" + RUN + "assert test.debugdir == test.resultsdir == test.logdir == os.path.dirname(test.outputdir)\n"
        "    assert os.path.isdir(test.workdir) and os.path.isdir(test.outputdir) and test.datadir is None\n"
        "    assert os.path.dirname(test.workdir) == test.tmpdir and test.iteration == 0\n"
        "    assert str(test.name) == 'sample' and test.params is params and os.environ['LANG'] == 'C'\n"
        "    assert not hasattr(test, 'nosuch') and env.get_vm('nosuch') is None and env.get_all_vms() == []\n"
        "    from virttest import data_dir\n    assert data_dir.get_tmp_dir() == test.workdir\n"
        "    test.write_test_keyval({'a': 1})"
    )
    assert finished["result"] == "pass", finished


def test_whiteboard(task):
    server, _ = task(RUN + "test.whiteboard = 'early'\n    test.whiteboard = 'late'")
    assert server.text("whiteboard").strip() == b"late"


def test_exit_functions_and_background_errors(task):
    server, finished = task(
        "import sys\nfrom virttest import funcatexit\n"
        "def first(word): print('first', word)\ndef second(): raise ValueError('late')\n"
        + RUN
        + "funcatexit.register(env, params['type'], first, 'x')\n    funcatexit.register(env, params['type'], second)"
    )
    assert finished["result"] == "warn" and "Error in second: late" in finished["fail_reason"], finished
    assert server.text("stdout") == b"first x\n"
    _, finished = task(
        "import sys\n" + RUN + "try: 1 / 0\n    except ZeroDivisionError: test.background_errors.put(sys.exc_info())"
    )
    assert finished["result"] == "error" and "ZeroDivisionError" in finished["fail_reason"], finished


def test_env_keeps_what_can_be_kept_for_the_next_test_of_the_job(task):
    server, finished = task(RUN + "env['kept'] = {'a': [1, 'ä']}\n    env['lost'] = lambda: 0\n    assert env['lost']() == 0")
    assert finished["result"] == "pass", finished
    assert any(b"env['lost'] cannot be stored" in m["log"] for m in server.messages if m.get("type") == "log")
    _, finished = task(RUN + "assert env['kept'] == {'a': [1, 'ä']} and 'lost' not in env\n    del env['kept']")
    assert finished["result"] == "pass", finished
    _, finished = task(RUN + "assert 'kept' not in env")
    assert finished["result"] == "pass", finished


def test_a_child_that_the_test_forgot_does_not_report(task):
    server, finished = task("import os\n" + RUN + "if os.fork() == 0:\n        raise ValueError('child')\n    os.wait()")
    assert finished["result"] == "pass", finished
    assert [m["status"] for m in server.messages].count("finished") == 1


def test_a_test_named_like_a_module_of_python_does_not_replace_it(runner, tmp_path):
    folder = tmp_path / "suite/tests"
    folder.mkdir(parents=True)
    (folder / "json.py").write_text(RUN + "import json\n    assert json.dumps([1]) == '[1]'")
    result = run(runner, "runnable-run", "-k", "vt", "-u", "json", "type=json", f"other_tests_dirs={tmp_path}/suite", "vms=")
    assert "'result': 'pass'" in result.stdout, result.stdout[-500:]


def test_threads_of_a_test_run_while_it_waits_in_the_core(script):
    result = script(
        "import threading, time, socket, aexpect.remote as remote\n"
        "ticks = []\n"
        "def tick():\n"
        "    while True: ticks.append(1); time.sleep(0.01)\n"
        "threading.Thread(target=tick, daemon=True).start()\n"
        "server = socket.create_server(('127.0.0.1', 0))\n"
        "try: remote.remote_login('ssh', '127.0.0.1', server.getsockname()[1], 'u', 'p', '#', timeout=0.5)\n"
        "except remote.LoginError: pass\n"
        "print(len(ticks) > 10)\n"
    )
    assert result.stdout == "True\n", result.stderr


CARTESIAN = """
import itertools, pickle, sys
from virttest import cartesian_config as cc
text = '''
variants:
    - one:
        a = 1
    - two: one
        a = 2
        a_max = 1
'''
p = cc.Parser()
p.parse_string(text)
lazily = p.get_dicts()
first = next(lazily)
assert list(first) == ["name", "dep", "shortname", "a", "_name_map_file", "_short_name_map_file"], list(first)
assert (first["name"], first["dep"], first["a"]) == ("one", [], "1")
p.assign("b", "3"); p.only_filter("two"); p.no_filter("one")
assert (p.assignments, p.only_filters, p.no_filters) == (["b = 3"], ["only two"], ["no one"])
assert [d["name"] for d in lazily] == ["two"], "what was read later does not change a running expansion"
(only,) = p.get_dicts()
assert only["dep"] == ["one"] and only["a"] == "1" and only["b"] == "3"
for broken, kind in (("only %%", cc.LexerError), ("x = 1\\nonly (", cc.ParserError)):
    try: cc.Parser().parse_string(broken)
    except cc.ParserError as error:
        assert type(error) is kind and error.filename == "<string>" and error.linenum == broken.count("\\n") + 1
        assert "(<string>:" in str(error) and pickle.loads(pickle.dumps(error)).line == error.line
    else: raise AssertionError(broken)
try: cc.Parser().parse_string("include nosuch.cfg")
except cc.MissingIncludeError as error: assert not isinstance(error, cc.ParserError) and error.linenum == 1
try: cc.Parser("/nosuch")
except OSError as error: assert error.errno == 2 and error.filename == "/nosuch"
wide = cc.Parser()
for block in range(30): wide.parse_string("variants:\\n    - a%d:\\n    - b%d:\\n" % (block, block))
assert len(list(itertools.islice(wide.get_dicts(), 5))) == 5
assert cc.convert_data_size("1.5G") == 1610612736 and cc.convert_data_size("7") == 7
assert (cc.compare_string("1G", "512"), cc.compare_string("2", "2"), cc.compare_string("1", "10")) == (1, 0, -1)
d = {"x": "4", "x_max": "3", "y_min": "2", "z": "1", "z_fixed": "9", ("t", "u"): "v"}
cc.postfix_parse(d); assert (d["x"], d["y"], d["z"]) == ("3", "2", "9")
print("fine")
"""


def test_cartesian_config(script):
    result = script(CARTESIAN)
    assert result.stdout == "fine\n", result.stderr


def test_cartesian_config_as_a_program(script, runner, tmp_path):
    config = tmp_path / "a.cfg"
    config.write_text("variants:\n    - x:\n        k = 1\n    - y:\n")
    script_file = MODULES / "virttest/cartesian_config.py"
    for command in ([runner, "python", script_file], ["/usr/bin/python3", script_file]):
        result = run(*command, config)
        assert result.stdout == "dict    1:  x\ndict    2:  y\n", result.stderr
        result = run(*command, "-c", config, "only x", "j = 2")
        assert "    j = 2\n    k = 1\n    name = x\n" in result.stdout, result.stdout
        assert run(*command, "-r", config).stdout.startswith("[\n{'_name_map_file'")
        assert run(*command).returncode == 2
        failed = run(*command, config, "only %%")
        assert failed.returncode == 1 and "(<string>:1)" in failed.stderr and "Traceback" not in failed.stderr


LOCAL = r"""
import aexpect, gc, os, signal, threading, time
with aexpect.ShellSession("PS1='here$ ' exec /bin/sh -i", prompt=r"^here\$ $") as shell:
    shell.read_up_to_prompt(timeout=20)
    assert shell.cmd("echo hello") == "hello\n" and shell.cmd_status("exit_with() { return $1; }; exit_with 3") == 3
    try: shell.cmd("false")
    except aexpect.ShellCmdError as error: assert error.status == 1
    os.kill(shell.get_pid(), 0)
assert not shell.is_alive()
lines, ends, told = [], [], threading.Event()
tail = aexpect.run_tail("echo one; echo two; exit 4", lambda s: (ends.append(s), told.set()), lines.append, "> ", timeout=20)
assert told.wait(20) and ends == [4] and lines == ["> one", "> two"] and tail.get_status() == 4, (ends, lines)
assert aexpect.run_fg("echo x; exit 2", timeout=20) == (2, "x\n")
assert aexpect.Spawn("sleep 1; exit 9").get_status() == 9 and aexpect.run_bg("sleep 1; exit 4", timeout=0.1).get_status() == 4
status, output = aexpect.run_fg("echo begun; sleep 100", timeout=0.5)
assert status is None and output == "begun\n", (status, output)
start = time.monotonic()
background = aexpect.run_bg("sleep 100", timeout=0.1)
assert background.is_alive()
background.kill(signal.SIGKILL)
background.close()
assert not background.is_alive() and time.monotonic() - start < 10
expect = aexpect.Expect("read word; echo got $word; sleep 100")
expect.sendline("it")
assert expect.read_until_output_matches(["got it"], timeout=20)[0] == 0 and "got it" in expect.get_output()
pid = expect.get_pid()
del expect
gc.collect()
for _ in range(200):
    try: os.kill(pid, 0)
    except ProcessLookupError: break
    time.sleep(0.05)
else: raise AssertionError("closed with its last reference, its program lives on")
print("fine")
"""


def test_programs_of_this_machine(script):
    result = script(LOCAL)
    assert result.stdout.endswith("fine\n"), result.stderr

# SPDX-License-Identifier: GPL-2.0-or-later
"""Drivers by TLS, programs as drivers (App), drivers of a native test, and what Avocado shows of files with drivers."""

import os
import pathlib
import re
import signal
import ssl
import sys
import xml.dom.minidom

import pytest

from conftest import BUILD, ROOT
from jobs import VENV, Site

MODULES = BUILD / "lib/avocado-runner-vt/python"
sys.path.append(str(MODULES))
pytest.importorskip("_vt", reason="the runner is missing")

# pylint: disable=wrong-import-position
from testplan import TestplanMock  # noqa: E402
from testplan.common.entity import Environment, lives  # noqa: E402
from testplan.common.utils.context import context  # noqa: E402
from testplan.common.utils.sockets.tls import DefaultTLSConfig, SimpleTLSConfig, TLSConfig  # noqa: E402
from testplan.common.utils.timing import TimeoutException  # noqa: E402
from testplan.testing.multitest import MultiTest, testcase, testsuite  # noqa: E402
from testplan.testing.multitest.driver.app import App  # noqa: E402
from testplan.testing.multitest.driver.tcp import TCPClient, TCPServer  # noqa: E402

NATIVE = "driver_native"

pytestmark = pytest.mark.skipif(
    not (BUILD / "bin/avocado-runner-vt").exists() or not (VENV / "bin/avocado").exists(),
    reason="the runner or Avocado is missing",
)


def started(*drivers):
    environment = Environment()
    for driver in drivers:
        environment.add(driver)
    return environment


def tls_client(tmp_path, tls, name="client", host="127.0.0.1"):
    return TCPClient(
        name, host, context("server", "{{port}}"), tls=tls, runpath=str(tmp_path / name), async_start=False
    )


def test_messages_by_tls_with_a_certificate_that_the_server_makes(tmp_path):
    server = TCPServer("server", tls=True, runpath=str(tmp_path / "server"), async_start=False)
    client = tls_client(tmp_path, DefaultTLSConfig(context("server", "{{certificate}}")))
    with started(server, client) as environment:
        assert not environment.start_exceptions, environment.start_exceptions
        assert server.accept_connection() == 0
        client.send_text("Grüße")
        assert server.receive_text(size=7) == "Grüße"
        server.send(b"x" * 300000)
        got = b""
        while len(got) < 300000:
            got += client.receive(size=100000)
        assert got == b"x" * 300000
        with pytest.raises(TimeoutException):
            client.receive(timeout=0.01)
        client.close()
        assert server.receive() == b""
    assert server.certificate == server.runpath + "/tls/certificate.pem"
    assert os.stat(server.runpath + "/tls/key.pem").st_mode & 0o777 == 0o600
    assert '"Gr\\xc3\\xbc\\xc3\\x9fe"' in open(server.runpath + "/traffic").read()
    assert re.search(r"connected to 127.0.0.1 port \d+ by TLSv1.3, ", open(client.runpath + "/traffic").read())


def test_pythons_own_tls_talks_with_both(tmp_path):
    import socket
    import threading

    server = TCPServer("server", tls=True, runpath=str(tmp_path / "server"), async_start=False)
    with server:
        config = SimpleTLSConfig(server.runpath + "/tls/key.pem", server.certificate, server.certificate)
        trusting = config.get_context(ssl.Purpose.SERVER_AUTH)
        with socket.create_connection(("localhost", server.port)) as plain:
            with trusting.wrap_socket(plain, server_hostname="localhost") as secret:
                assert server.accept_connection() == 0
                secret.sendall(b"from Python")
                assert server.receive(size=11) == b"from Python"
                server.close_connection(0)
                assert secret.recv(1) == b""
        with socket.create_server(("localhost", 0)) as listener:
            def answer():
                with config.get_context(ssl.Purpose.CLIENT_AUTH).wrap_socket(listener.accept()[0], server_side=True) as connection:
                    connection.sendall(connection.recv(4).upper())

            thread = threading.Thread(target=answer)
            thread.start()
            client = TCPClient(
                "client", "localhost", listener.getsockname()[1], tls=config, runpath=str(tmp_path / "client"), async_start=False
            )
            with client:
                client.send(b"ping")
                assert client.receive(size=4) == b"PING"
            thread.join()


def test_whom_one_does_not_trust_is_refused_in_a_sentence(tmp_path):
    server = TCPServer("server", tls=True, runpath=str(tmp_path / "server"), async_start=False)
    with started(server):
        stranger = tls_client(tmp_path, True, "stranger")
        server.context.add(stranger)
        with pytest.raises(ssl.SSLError, match="stranger: the TLS handshake failed: the server's certificate is not accepted: self.signed"):
            stranger.start()
        plain = tls_client(tmp_path, None, "plain")
        server.context.add(plain)
        plain.start()
        plain.send(b"in the clear\r\n")
        plain.receive()
        assert server.accept_connection(timeout=0) == -1
    lost = TCPServer("lost", tls=SimpleTLSConfig("/no/key.pem", "/no/cert.pem"), runpath=str(tmp_path / "lost"))
    with pytest.raises(ssl.SSLError, match="lost: the certificate /no/cert.pem cannot be used"):
        lost.start()

    class Own(TLSConfig):
        def get_context(self, purpose):
            return ssl.create_default_context(purpose)

    with pytest.raises(TypeError, match="Own has a get_context.. of its own, which the TCP drivers do not call"):
        TCPServer("own", tls=Own(), runpath=str(tmp_path / "own")).start()


# Programs


def script(tmp_path, text, name="app.sh"):
    path = tmp_path / name
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)
    return str(path)


def runs(pid):
    """True for a process that is there and is no zombie."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except OSError:
        return False


def test_a_program_is_told_values_and_read_for_them(tmp_path):
    binary = script(tmp_path, '. etc/app.cfg; echo "port $port of $NAME for $1" >> log/app.log; echo err >&2; exec cat\n')
    source = tmp_path / "app.cfg"
    source.write_text("port={{context.server.port}}\nname={{name}}\n")
    server = TCPServer("server", runpath=str(tmp_path / "server"), async_start=False)
    app = App(
        "app", binary, args=[context("server", "{{host}}:{{port}}")], env={"NAME": "{{name}}-1", "PORT": context("server", "{{port}}")},
        logname="app.log", app_dir_name="log", log_regexps=[re.compile(r"port (?P<port>\d+) of (?P<who>\S+) for (?P<whom>\S+)")],
        stderr_regexps=[re.compile("err")], install_files=[str(source), (str(source), "copy/{{name}}.cfg")],
        runpath=str(tmp_path / "app"), async_start=False,
    )
    with started(server, app) as environment:
        assert not environment.start_exceptions, environment.start_exceptions
        assert app.extracts == {"port": str(server.port), "who": "app-1", "whom": f"localhost:{server.port}"}
        assert app.cmd == [app.binary, f"localhost:{server.port}"] and os.path.islink(app.binary) and app.binpath in app.binary
        assert app.env["PORT"] == str(server.port) and app.retcode is None
        assert os.path.exists(app.etcpath + "/copy/app.cfg")
        assert app.logpath == app.app_path + "/" + app.logname and app.app_path == app.runpath + "/log"
        assert open(app.errpath).read() == "err\n" and app.hostname
        pid = app.pid
        assert runs(pid)
        assert app.proc.communicate(input=b"to cat") == (None, None)
        assert app.proc.wait(timeout=30) == 0 == app.proc.returncode
        assert open(app.outpath).read() == "to cat"
    assert app.retcode == 0 and app.pid is None
    assert not runs(pid)
    with pytest.raises(NotImplementedError, match="App.log_matcher is not part of"):
        app.log_matcher  # noqa: B018


def test_a_program_ends_with_all_that_it_started(tmp_path):
    binary = script(tmp_path, "trap '' TERM; (trap '' TERM; setsid sleep 1000.7 & echo child $!); echo up; while :; do sleep 1000.7; done\n")
    app = App(
        "app", binary, binary_strategy="copy", stdout_regexps=[re.compile(r"child (?P<child>\d+)"), re.compile("up")],
        stop_timeout=0.2, expected_retcode=-signal.SIGKILL, runpath=str(tmp_path / "app"), async_start=False,
    )
    app.start()
    child = int(app.extracts["child"])
    assert runs(child)
    assert not os.path.islink(app.binary) and os.access(app.binary, os.X_OK)
    app.stop()
    assert not runs(child)
    app.start()
    child = int(app.extracts["child"])
    app.abort()
    assert app.retcode == -signal.SIGKILL and app.aborted
    assert not runs(child)


def test_a_program_that_is_not_there_or_ends_otherwise_is_named(tmp_path):
    def app(name, binary, **options):
        return App(name, binary, runpath=str(tmp_path / name), async_start=False, **options)

    with pytest.raises(Exception, match="no-such-program"):
        app("missing", "no-such-program").start()
    early = app("early", "echo", args=["no disk", ">&2;", "exit", "3"], shell=True, log_regexps=[re.compile("never")])
    with pytest.raises(RuntimeError, match=r"App.early. has unexpectedly stopped with: 3; .*no disk"):
        early.start()
    other = app("other", "cat", expected_retcode=0, stop_signal=signal.SIGINT)
    other.start()
    with pytest.raises(RuntimeError, match="expected return code is 0, but actual return code is -2"):
        other.stop()
    for wrong in ({"binary_strategy": "move"}, {"args": "one word"}, {"stop_signal": "TERM"}):
        with pytest.raises(Exception, match=f"Key '{list(wrong)[0]}' error"):
            app("wrong", "cat", **wrong)


def test_a_program_is_restarted_beside_what_it_wrote(tmp_path):
    app = App("app", "echo", args=["hello"], shell=True, stdout_regexps=[re.compile("hello")], runpath=str(tmp_path / "app"))
    with app:
        app.restart()
        assert [path for path in tmp_path.iterdir() if path.name.startswith("app_")]
        app.restart(clean=False)
        assert [path for path in pathlib.Path(app.app_path).iterdir() if path.name.startswith("stdout_")]
        assert app.cfg.path_cleanup is True


def test_programs_and_servers_in_a_multitest(tmp_path):
    @testsuite
    class Suite:
        @testcase
        def told(self, env, result):
            result.equal(env.app.extracts["port"], str(env.server.port))

    plan = TestplanMock("plan", runpath=str(tmp_path))
    server = TCPServer("server")
    app = App("app", "echo", args=["port", context("server", "{{port}}")], stdout_regexps=[re.compile(r"port (?P<port>\d+)")])
    plan.add(MultiTest("Test", suites=[Suite()], environment=[server, app], dependencies={server: app}))
    assert plan.run().success, plan.test_report
    picture = xml.dom.minidom.parse(lives.draw(str(tmp_path), "plan"))
    names = [text.firstChild.data for text in picture.getElementsByTagName("title")]
    assert {"server: TCPServer", "app: App"} <= set(names)


# Under Avocado


@pytest.fixture(scope="module")
def world():
    """A place for Avocado that was never bootstrapped: drivers need no machines."""
    place = Site()
    yield place
    place.remove()


def test_the_guides_example_under_avocado(world):
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs/drivers.md").read_text(encoding="utf-8"), re.DOTALL)
    (world.root / "greet.py").write_text(blocks[0])
    (world.root / "worse.py").write_text(blocks[0].replace('"Hi", "The', '"Ho", "The').replace('TCPClient(name="client"', 'TCPClient(name="caller"').replace("env.client", "env.caller"))
    done = world.run("greet.py", "worse.py", parallel=2)
    good, bad = (done.test(f"{name}.py:Greetings.an_answer") for name in ("greet", "worse"))
    assert (len(done.tests), good.status, bad.status) == (2, "PASS", "FAIL"), done.output
    assert bad.reason.startswith("2 of 2 tests: Greeting.Greetings.an_answer <greeting='Hello'>: The server's answer: 'Hi' == 'Ho'")
    assert "Pass - The client's greeting" in good.log
    picture = good.file("Greetings.an_answer.timeline.svg").decode()
    xml.dom.minidom.parseString(picture)
    assert picture.count('rx="2"') == 2 and ">server<" in picture and ">client<" in picture and picture.count(">stopped, ") == 2
    assert b">caller<" in bad.file("Greetings.an_answer.timeline.svg")


def test_an_installed_testplan_wins_only_where_it_is_preferred(world):
    package = world.root / "installed/testplan"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("print('the installed one')\nTestplanMock = None\n")
    (world.root / "installed/plan.py").write_text(
        "import unittest\nimport testplan\nclass Case(unittest.TestCase):\n    def test(self):\n        testplan.TestplanMock\n"
    )
    own = world.run("installed/plan.py").only
    assert own.status == "PASS" and "the installed one" not in own.file("stdout").decode()
    config = world.root / "prefer.conf"
    config.write_text("[vt.harness]\nprefer = installed\n")
    preferred = world.run("installed/plan.py", leading=("--config", config)).only
    assert preferred.status == "PASS" and "the installed one" in preferred.file("stdout").decode(), preferred.log


def test_drivers_in_a_native_test(site):
    done = site.run(NATIVE)
    assert done.only.status == "PASS", done.only
    pictures = list(done.only.logdir.glob("*.drivers.timeline.svg"))
    # Four endpoints, of which two were started twice, a program, and a driver of the test's own.
    assert len(pictures) == 1 and pictures[0].read_bytes().count(b'rx="2"') == 8
    assert (done.only.logdir / "drivers/app/etc/app.cfg").exists()
    failed = site.run(NATIVE, params=["shell_program=no-such-shell"]).only
    assert failed.status == "ERROR" and "app does not start: " in failed.reason and "no-such-shell" in failed.reason, failed

# SPDX-License-Identifier: GPL-2.0-or-later
"""Drivers under Testplan's names: every name of its TCP drivers' reference, lifecycle, messages, context."""

import os
import re
import sys
import threading
import time
import types

import pytest

from conftest import BUILD

MODULES = BUILD / "lib/avocado-runner-vt/python"
sys.path.append(str(MODULES))
pytest.importorskip("_vt", reason="the runner is missing")

# pylint: disable=wrong-import-position
from testplan.common.config import Config, ConfigOption  # noqa: E402
from testplan.common.config.check import And, Or, SchemaError, Use  # noqa: E402
from testplan.common.entity import (  # noqa: E402
    Entity,
    Environment,
    Resource,
    ResourceStatus,
    RunnableStatus,
    StatusTransitionException,
)
from testplan.common.utils import path as paths  # noqa: E402
from testplan.common.utils import timing  # noqa: E402
from testplan.common.utils.context import context, expand, render  # noqa: E402
from testplan.common.utils.networking import port_to_int  # noqa: E402
from testplan.common.utils.timing import TimeoutException  # noqa: E402
from testplan.testing.multitest.driver.base import Driver, DriverConfig  # noqa: E402
from testplan.testing.multitest.driver.connection import ConnectionExtractor, Direction, Protocol  # noqa: E402
from testplan.testing.multitest.driver.tcp.client import TCPClient, TCPClientConfig  # noqa: E402
from testplan.testing.multitest.driver.tcp.server import TCPServer, TCPServerConfig  # noqa: E402

COMMON = """CONFIG EXTRACTORS STATUS abort abort_dependencies aborted aborting active async_start auto_start cfg
connection_identifier context context_input define_runpath errpath extract_values failover fetch_error_log filter_locals
force_started force_stop get_connections host install_files is_alive local_host local_port logger logpath
make_runpath_dirs name outpath parent pause pausing pending_work port post_start post_stop pre_start pre_stop receive
receive_text register_failover report restart resume resuming runpath scratch send send_text start start_timeout
started_check started_check_interval starting status stop stop_timeout stopped_check stopped_check_interval
stopped_check_with_watch stopping timer uid wait""".split()
CLIENT = "close connect reconnect send_tsp server_port".split()
SERVER = "accept_connection close_connection socket".split()
CONFIGS = "build_schema denormalize get_local get_options ignore_extra_keys parent set_local".split()


@pytest.fixture
def pair(tmp_path):
    """A server and a client in an environment, started."""
    environment = Environment()
    server = TCPServer("server", runpath=str(tmp_path / "server"), async_start=False)
    client = TCPClient(
        "client",
        context("server", "{{host}}"),
        context("server", "{{port}}"),
        runpath=str(tmp_path / "client"),
        async_start=False,
    )
    environment.add(server)
    environment.add(client)
    with environment:
        assert not environment.start_exceptions, environment.start_exceptions
        assert server.accept_connection() == 0
        yield server, client
    assert not environment.stop_exceptions


@pytest.mark.parametrize("made, names", [(TCPServer, COMMON + SERVER), (TCPClient, COMMON + CLIENT)])
def test_every_name_of_the_reference_is_there(made, names, pair):
    driver = pair[0] if made is TCPServer else pair[1]
    assert [name for name in names if not hasattr(driver, name)] == []
    assert [name for name in names if not hasattr(made, name)] == []
    assert made.STATUS is ResourceStatus and isinstance(made.EXTRACTORS[0], ConnectionExtractor)


@pytest.mark.parametrize("config", [TCPServerConfig, TCPClientConfig, DriverConfig])
def test_every_name_of_a_configuration_is_there(config):
    assert [name for name in CONFIGS if not hasattr(config, name)] == []
    assert config.ignore_extra_keys is False and issubclass(config, DriverConfig)
    assert config.build_schema().validate({"name": "a", "host": "b", "port": 1} if config is not DriverConfig else {"name": "a"})
    assert TCPServer.CONFIG is TCPServerConfig and TCPClient.CONFIG is TCPClientConfig


def test_options_and_their_defaults():
    server = TCPServer(name="server").cfg
    assert (server.host, server.port, server.timeout, server.error_logs_max_lines) == ("localhost", 0, 300, 10)
    assert (server.path_cleanup, server.status_wait_timeout, server.abort_wait_timeout) == (True, 600, 300)
    client = TCPClient("client", "host", "80").cfg
    assert (client.interface, client.connect_at_start, client.auto_start) == (None, True, True)
    with pytest.raises(SchemaError, match="'bakclog'"):
        TCPServer("server", bakclog=1)
    with pytest.raises(SchemaError, match="Key 'port' error:\n"):
        TCPClient("client", "host", 1.5)
    assert server.get_local("host") == "localhost" and server.get_local("nothing", 7) == 7
    server.set_local("host", 5)
    assert server.denormalize().host == 5 and server.parent is None


def test_messages_go_both_ways(pair):
    server, client = pair
    assert client.send_text("Hällo") == 6
    assert server.receive_text(size=6) == "Hällo"
    assert server.send(b"World") == 5
    assert client.receive(2) == b"Wo" and client.receive() == b"rld"
    when, size = client.send_tsp(b"x" * 3000)
    assert size == 3000 and when > 1.6e15
    assert len(server.receive()) == 1024  # what is there, at most that much
    assert server.receive(size=1976) == b"x" * 1976
    assert server.send_text("end", standard="utf-16") == 8
    assert client.receive_text(standard="utf-16") == "end"
    assert (client.server_port, client.connection_identifier) == (server.port, server.port)
    assert client.local_port == client.port != server.port and client.local_host == client.host == "127.0.0.1"
    assert server.socket.getsockname()[1] == server.local_port and server.local_host == server.host == "localhost"
    log = (pair[0].runpath + "/traffic", pair[1].runpath + "/traffic")
    server.stop(), client.stop()
    assert re.search(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6} server\[0\] -> 5 bytes: 57 6f 72 6c 64 \"World\"$", open(log[0]).read(), re.M)
    assert "client <- 2 bytes: 57 6f \"Wo\"" in open(log[1]).read()


def test_each_step_of_a_life_is_a_classs_own(tmp_path):
    told = []

    class Noted(Driver):
        started_check_interval = property(lambda self: (0.001, 0.01))
        stopped_check_interval = property(lambda self: 0.005)
        asked = 0

        def starting(self):
            told.append("starting")

        def stopping(self):
            told.append("stopping")

        def started_check(self):
            self.asked += 1
            return self.asked == 3 and self.extract_values()

        def stopped_check(self):
            told.append("stopped_check")
            return True

        def pausing(self):
            told.append("pausing")
            super().pausing()

        def resuming(self):
            told.append("resuming")
            super().resuming()

        def pre_start(self):
            super().pre_start()
            told.append("pre_start")

        def post_start(self):
            told.append("post_start")

        def pre_stop(self):
            told.append("pre_stop")

        def post_stop(self):
            told.append("post_stop")

    def hook(name):
        return lambda driver: told.append(f"{name} of {driver.name}")

    hooks = {name: hook(name) for name in ("pre_start", "post_start", "pre_stop", "post_stop")}
    driver = Noted("noted", runpath=str(tmp_path / "noted"), timeout=7, async_start=False, **hooks)
    assert (driver.uid(), driver.start_timeout, driver.stop_timeout) == ("noted", 7, 7)
    driver.start()
    assert driver.asked == 3
    driver.pause()
    driver.resume()
    driver.stop()
    assert told == [
        "pre_start", "pre_start of noted", "starting", "post_start", "post_start of noted", "pausing", "resuming",
        "pre_stop", "pre_stop of noted", "stopping", "stopped_check", "post_stop", "post_stop of noted",
    ]


def test_what_an_environment_asks_of_a_driver(pair, tmp_path):
    server, client = pair
    watch = types.SimpleNamespace(start_time=time.time(), total_wait=60, should_check=lambda: True)
    assert server.stopped_check_with_watch(watch) is True
    watch.total_wait = 0
    with pytest.raises(TimeoutException, match="Timeout when stopping TCPServer.server."):
        server.stopped_check_with_watch(watch)
    values = server.context_input(exclude=["port"])
    assert values["host"] == "localhost" and "port" not in values
    assert client.context_input()["server_port"] == server.port
    assert TCPClient.filter_locals({"self": 1, "name": "a", "interface": None, "options": {}}) == {"name": "a"}
    lone = TCPServer("lone", runpath=lambda driver: str(tmp_path / driver.uid()))
    assert lone.runpath is None
    lone.define_runpath()
    assert lone.runpath == str(tmp_path / "lone") and not os.path.exists(lone.runpath)
    lone.make_runpath_dirs()
    assert os.path.isdir(lone.scratch) and lone.scratch == lone.runpath + "/scratch"


def test_connections_in_the_order_of_their_arrival(pair):
    server, client = pair
    assert server.accept_connection(timeout=0) == -1
    client.reconnect()
    assert server.accept_connection() == 1
    client.send(b"new")
    assert server.receive(3) == b"new"  # the last accepted one
    assert server.receive(conn_idx=0) == b""  # its client has gone
    server.close_connection(1)
    assert client.receive(1) == b""
    with pytest.raises(RuntimeError, match="Connection 1 not active"):
        server.send(b"x")
    client.close()
    with pytest.raises(RuntimeError, match="client is not connected"):
        client.send(b"x")
    client.connect()
    assert server.accept_connection() == 2


def test_time_outs_and_peers_that_leave(pair):
    server, client = pair
    with pytest.raises(TimeoutException, match="Timed out waiting for message on server.*but 0"):
        server.receive(size=1, timeout=0)
    with pytest.raises(TimeoutException, match="Timed out waiting for message on client"):
        client.receive(timeout=0.01)
    assert server.receive(size=1, timeout=None) is None and client.receive(timeout=None) is None
    with pytest.raises(BlockingIOError):
        server.receive()
    client.send(b"half")
    client.close()
    with pytest.raises(ConnectionError, match="closed by its peer after 4 of 10 bytes: \"half\""):
        server.receive(size=10)


def test_what_is_wrong_is_said_in_sentences(pair, tmp_path):
    server, _ = pair
    second = TCPServer("second", port=server.port, runpath=str(tmp_path / "2"))
    with pytest.raises(OSError, match=f"second: listen on localhost port {server.port}, which somebody else has"):
        second.start()
    lost = TCPClient("lost", "no-such-host.invalid", 1, runpath=str(tmp_path / "3"))
    with pytest.raises(OSError, match="the name 'no-such-host.invalid' cannot be resolved"):
        lost.start()
    early = TCPClient("early", context("nobody", "{{host}}"), 1, runpath=str(tmp_path / "4"))
    with pytest.raises(ValueError, match="there is no environment"):
        early.start()
    server.context.add(early)
    with pytest.raises(RuntimeError, match='Driver "nobody" is not present'):
        expand(early.cfg.host, server.context)
    with pytest.raises(ValueError, match="'nothing' in '{{nothing}}' has no value.*is driver 'server' started"):
        expand(context("server", "{{nothing}}"), server.context)
    unstarted = TCPServer("unstarted")
    server.context.add(unstarted)
    with pytest.raises(ValueError, match="'port' in '{{port}}' has no value"):
        expand(context("unstarted", "{{port}}"), server.context)
    with pytest.raises(RuntimeError, match="unstarted. is not started"):
        unstarted.receive()
    with pytest.raises(RuntimeError, match="'http:x' is no port"):
        port_to_int("http:x")
    assert port_to_int("80") == port_to_int("http") == 80


def test_a_context_value_of_several_names(pair):
    server, _ = pair
    value = context("server", "{{host}}:{{port}}/{{cfg.timeout}}")
    assert expand(value, server.context) == f"localhost:{server.port}/300"
    assert expand(context("server", "{{port}}"), server.context, int) == server.port
    assert expand(7, None) == 7 and str(value) == "context('server', '{{host}}:{{port}}/{{cfg.timeout}}')"
    assert render("{{a}}-{{b.c}}", {"a": 1, "b": {"c": 2}}) == "1-2"


def test_the_old_template_syntax():
    tempita = __import__("testplan.vendor.tempita", fromlist=["Template"])
    text = "{{py: n = 2}}{{for i in range(n)}}{{i}}{{if i}}!{{elif not x}}?{{else}}.{{endif}} {{endfor}}{{# no}}{{x | str}}"
    assert tempita.Template(text).substitute(x=0) == "0? 1! 0"
    for wrong in ("{{if x}}", "{{endif}}", "{{ x", "{{x +}}"):
        with pytest.raises(tempita.TemplateError):
            tempita.Template(wrong)


class Program(Driver):
    """A driver whose log is written by a thread, as that of a program would be."""

    def __init__(self, name, lines=("up on port 7",), delay=0.0, **options):
        super().__init__(name, **options)
        self.lines, self.delay, self.calls = lines, delay, []

    outpath = property(lambda self: self.runpath and os.path.join(self.runpath, "stdout"))

    def _install_target(self):
        return self.runpath

    def starting(self):
        super().starting()
        self.logger.info("a line of its own")

        def write():
            with open(self.outpath, "a", encoding="utf-8") as file:
                file.write("\n".join(self.lines) + "\n")

        self.thread = threading.Timer(self.delay, write)
        self.thread.start()

    def stopping(self):
        super().stopping()
        self.thread.join()

    def aborting(self):
        super().aborting()
        self.calls.append("aborting")


def test_values_of_a_log_and_installed_files(tmp_path):
    source = tmp_path / "app.cfg"
    source.write_text("name={{name}}\n")
    driver = Program(
        "app",
        delay=0.05,
        runpath=str(tmp_path / "app"),
        stdout_regexps=[re.compile(r"up on port (?P<port>\d+)"), re.compile(rb"UP", re.I)],
        install_files=[str(source), (str(source), "etc/{{name}}.cfg")],
        file_logger="own.log",
    )
    with driver:
        assert driver.extracts == {"port": "7"} and driver.logpath == driver.outpath and driver.errpath is None
        assert open(driver.runpath + "/app.cfg").read() == open(driver.runpath + "/etc/app.cfg").read() == "name=app\n"
        assert os.path.isdir(driver.scratch) and os.stat(driver.runpath).st_mode & 0o777 == 0o700
        assert driver.fetch_error_log()[:2] == [f"Information from log file: {driver.outpath}", "  up on port 7"]
    assert "a line of its own" in open(driver.runpath + "/own.log").read()


def test_a_start_that_takes_too_long_says_what_is_missing(tmp_path):
    driver = Program("app", lines=["x=5"], timeout=0.3, runpath=str(tmp_path / "app"), log_regexps=[re.compile(r"x=(?P<x>\d)"), re.compile("never")])
    with pytest.raises(TimeoutException) as caught:
        driver.start()
    assert "Timeout when starting Program[app]. Started at" in str(caught.value)
    assert "Unmatched log_regexps: [re.compile('never')]" in str(caught.value) and "x: 5" in str(caught.value)
    assert driver.status == driver.STATUS.STARTING
    driver.stop()


def test_pause_abort_restart_and_waits(tmp_path):
    driver = Program("app", runpath=str(tmp_path / "app"), async_start=True)
    assert driver.status == ResourceStatus.NONE and driver.active and not driver.aborted
    driver.stop()
    driver.start()
    driver.wait(driver.STATUS.STARTED)
    driver.pause()
    assert driver.status == "PAUSED" and driver.status.tag == "PAUSED"
    with pytest.raises(StatusTransitionException, match="On status change from PAUSED to STARTED"):
        driver.force_started()
    driver.resume()
    driver.restart()
    driver.wait("STARTED", timeout=5)
    with pytest.raises(TimeoutException, match="is STARTED, not PAUSED"):
        driver.wait("PAUSED", timeout=0)
    assert len(driver.timer["setup"]) == 2 and driver.report.timer is driver.timer and driver.is_alive
    assert driver.pending_work() is False and list(driver.abort_dependencies()) == [] and driver.failover() is None
    driver.abort()
    assert driver.aborted and driver.calls == ["aborting"]
    driver.thread.join()
    driver.status.change(driver.STATUS.STOPPING)
    driver.force_stop()
    driver.start()
    assert driver.status == driver.STATUS.STOPPED


def test_a_failover_takes_the_place_of_what_does_not_start(tmp_path):
    class Flaky(Program):
        def starting(self):
            raise OSError("no disk")

        def failover(self):
            made = self._failovers[0]["klass"](**self._failovers[0]["params"])
            made.start()
            return made

    environment = Environment()
    flaky = Flaky("app", runpath=str(tmp_path / "flaky"))
    flaky.register_failover(Program, {"name": "app", "runpath": str(tmp_path / "app"), "async_start": False})
    environment.add(flaky)
    with environment:
        assert environment.app.status == "STARTED" and type(environment.app) is Program
        assert "no disk" in environment.start_exceptions[flaky]


def test_an_environment_is_attributes_and_items(pair):
    server, client = pair
    environment = server.context
    assert environment.server is environment["server"] is environment.get("server") and "client" in environment
    assert list(environment) == [server, client] and len(environment) == 2 and environment.first() == "server"
    assert environment.all_status("STARTED") and environment.get("nothing", 5) == 5
    with pytest.raises(RuntimeError, match="already in environment"):
        environment.add(server)
    with pytest.raises(ValueError, match="reserved"):
        environment.add(TCPServer("start"))
    with pytest.raises(RuntimeError, match="Cannot modify resource"):
        environment.server = None
    with pytest.raises(AttributeError, match="no attribute"):
        environment.nothing  # noqa: B018


def test_statuses_that_may_not_follow():
    with pytest.raises(StatusTransitionException, match="On status change from None to STARTED"):
        ResourceStatus().change("STARTED")
    plan = RunnableStatus()
    for status in ("RUNNING", "PAUSING", "PAUSED", "RESUMING", "RUNNING", "FINISHED"):
        plan.change(status)
    plan.reset()
    plan.update_metadata(a=1)
    assert plan == plan.NONE and plan.metadata == {"a": 1} and plan != "FINISHED"
    with pytest.raises(NotImplementedError, match="Entity cannot be paused"):
        Entity().pausing()
    with pytest.raises(NotImplementedError, match="Resource has no starting"):
        Resource().starting()


def test_connections_as_they_are_seen(pair):
    server, client = pair
    (listening,), (connecting,) = server.get_connections(), client.get_connections()
    assert (listening.direction, connecting.direction) == (Direction.LISTENING, Direction.CONNECTING)
    assert listening.connection_rep == connecting.connection_rep == f"{Protocol.TCP}://{server.port}"
    assert (connecting.port, connecting.host) == (client.port, "127.0.0.1")


def test_five_hundred_clients_at_once(tmp_path):
    with TCPServer("server", runpath=str(tmp_path / "s")) as server:
        clients = [TCPClient(f"c{i}", server.host, server.port, runpath=str(tmp_path / f"c{i}")) for i in range(500)]
        for index, client in enumerate(clients):
            client.start()
            assert server.accept_connection() == index
        for index, client in enumerate(clients):
            client.send_text(f"{index:03}")
        assert [server.receive_text(size=3, conn_idx=i) for i in range(500)] == [f"{i:03}" for i in range(500)]
        for client in clients:
            client.stop()
        assert server.receive(conn_idx=499) == b""


def test_waits_let_other_threads_run(pair):
    server, client = pair
    sender = threading.Timer(0.05, client.send, [b"late"])
    sender.start()
    assert server.receive(size=4) == b"late"
    sender.join()


class Options(Config):
    @classmethod
    def get_options(cls):
        return {"name": str, ConfigOption("size", default=1): And(Or(int, str), Use(int)), ConfigOption("pair"): (int, None)}


def test_configurations_and_checks():
    assert Options(name="a", size="7").size == 7
    for options, text in (
        ({}, "Missing key: 'name'"),
        ({"name": 1}, "1 should be instance of 'str'"),
        ({"name": "a", "size": []}, "is none of what is possible"),
        ({"name": "a", "pair": ("x",)}, "'x' is none of what is possible"),
    ):
        with pytest.raises(SchemaError, match=text):
            Options(**options)
    child, parent = Options(name="a"), Options(name="b", pair=(1, None))
    with pytest.raises(AttributeError, match="pair"):
        child.pair  # noqa: B018
    child.parent = parent
    assert child.pair == (1, None) and child.denormalize().name == "a"
    with pytest.raises(AttributeError, match="Cannot overwrite parent"):
        child.parent = parent


def test_times():
    assert [next(it) for it in [timing.exponential_interval(1, 2, 3)] for _ in range(4)] == [1, 2, 3, 3]
    assert timing.format_duration(3661) == "1 hours 1 minutes 1 seconds" and timing.parse_duration("1h 2m") == 3720
    assert timing.wait(lambda: True, 1) is True and timing.wait(lambda: False, 0, raise_on_timeout=False) is False
    with pytest.raises(TimeoutException, match="Timeout after 0 seconds."):
        timing.wait(lambda: False, 0)
    with pytest.raises(RuntimeError, match="Early finish"):
        timing.wait_until_predicate(lambda: True, 1)
    attempts = iter([ZeroDivisionError, None])
    assert timing.retry_until_timeout(ZeroDivisionError, lambda: (_ for _ in ()).throw(ZeroDivisionError) if next(attempts) else 5, 5) == 5
    assert timing.timeout(5)(lambda: 3)() == [True, 3] and timing.timeout(5)(lambda: 1 / 0)()[0] is False
    stop = threading.Event()
    with pytest.raises(TimeoutException, match="Timeout after 0.01 seconds."):
        timing.timeout(0.01)(stop.wait)()
    stop.set()
    assert timing.utcnow().tzinfo and timing.now().tzinfo


def test_paths(tmp_path):
    assert paths.unique_name("a.log", {"a.log", "a-1.log"}) == "a-2.log"
    assert paths.rebase_path("/a/b/c", "/a", "/x") == "/x/b/c" and paths.is_subdir("/a/b", "/a") and not paths.is_subdir("/ab", "/a")
    (tmp_path / "d").mkdir()
    (tmp_path / "d/x.py").write_text("x")
    assert sorted(paths.traverse_dir(tmp_path)) == ["d", "d/x.py"] and paths.traverse_dir(tmp_path, ignore=["*.py"]) == ["d"]
    assert paths.hash_file(tmp_path / "d/x.py") == "11f6ad8ec52a2984abaafd7c3b516503785c2072"
    with paths.change_directory(tmp_path):
        assert os.getcwd() == str(tmp_path)
    paths.makeemptydirs(str(tmp_path / "d"))
    assert os.listdir(tmp_path / "d") == []
    for precious in ("/", os.path.expanduser("~"), os.getcwd()):
        with pytest.raises(RuntimeError, match="will not be emptied"):
            paths.makeemptydirs(precious)

# SPDX-License-Identifier: GPL-2.0-or-later
"""MultiTests under Testplan's names: plans, suites, cases, results; what is left out; imports that cost nothing."""

import logging
import os
import re
import subprocess
import sys
import types

import pytest

from conftest import BUILD, ROOT

MODULES = BUILD / "lib/avocado-runner-vt/python"
sys.path.append(str(MODULES))
pytest.importorskip("_vt", reason="the runner is missing")

# pylint: disable=wrong-import-position
from testplan import TestplanMock, test_plan, under_avocado  # noqa: E402
from testplan.common.utils.context import context  # noqa: E402
from testplan.testing.multitest import MultiTest, skip_if, testcase, testsuite, xfail  # noqa: E402
from testplan.testing.multitest.driver.tcp.client import TCPClient  # noqa: E402
from testplan.testing.multitest.driver.tcp.server import TCPServer  # noqa: E402
from testplan.testing.multitest.result import Result  # noqa: E402


@testsuite
class Suite:
    """Cases of every kind."""

    def setup(self, env):
        env.server.accept_connection()

    @testcase
    def passes(self, env, result):
        env.client.send_text("a")
        result.equal(env.server.receive_text(size=1), "a", "Server received")
        result.true(env.word == "w")

    @testcase
    def fails(self, env, result):
        result.equal(1, 2, "Numbers")
        result.fail("second")

    @testcase
    def errs(self, env, result):
        raise KeyError("why")

    @testcase(parameters=(("a", 1), {"word": "b", "size": 1}))
    def many(self, env, result, word, size=0):
        result.equal(len(word), size)

    @skip_if(lambda suite: True)
    @testcase
    def left_out(self, env, result):
        raise AssertionError("it ran")

    @testcase
    def leaves(self, env, result):
        result.skip("no such machine")

    @xfail("a known bug")
    @testcase
    def known(self, env, result):
        result.false(True)


def drivers():
    return [
        TCPServer("server"),
        TCPClient("client", context("server", "{{host}}"), context("server", "{{port}}")),
    ]


def test_a_multitest_under_avocado(tmp_path, caplog):
    caplog.set_level(logging.INFO, "testplan")

    @test_plan(name="Plan", pdf_path="x.pdf")
    def main(plan):
        plan.add(MultiTest("Test", suites=[Suite()], environment=drivers(), initial_context={"word": "w"}))

    module = types.SimpleNamespace(main=main, __file__="/x/plan.py", __name__="plan")
    found = {result.name: result for result in under_avocado.run(module, output_dir=str(tmp_path))}
    statuses = {name.split(".", 2)[2]: result.status for name, result in found.items()}
    assert statuses == {
        "passes": "PASS", "fails": "FAIL", "errs": "ERROR", "many <word='a', size=1>": "PASS",
        "many <word='b', size=1>": "PASS", "left_out": "SKIP", "leaves": "SKIP", "known": "PASS",
    }
    assert found["Test.Suite.fails"].reason == "Numbers: 1 == 2 does not hold (and 1 more)"
    assert found["Test.Suite.errs"].reason == "KeyError: 'why'" and "in errs" in found["Test.Suite.errs"].traceback
    assert found["Test.Suite.leaves"].reason == "no such machine"
    assert "Pass - Server received: 'a' == 'a'" in caplog.text and "pdf_path is not used" in caplog.text
    assert (tmp_path / "testplan/test/server/traffic").exists()
    chosen = under_avocado.run(module, "Suite", "passes", str(tmp_path))
    assert [(result.name, result.status) for result in chosen] == [("Test.Suite.passes", "PASS")]
    with pytest.raises(ValueError, match="has no case Suite.nothing"):
        under_avocado.run(module, "Suite", "nothing", str(tmp_path))


def test_a_driver_that_does_not_start_is_the_plans_error(tmp_path):
    plan = TestplanMock("plan", runpath=str(tmp_path))
    first, second = TCPServer("one"), TCPClient("two", context("one", "{{nothing}}"), 1)
    plan.add(MultiTest("Test", suites=Suite(), environment=lambda: [first, second], dependencies=lambda: {first: second}))
    result = plan.run()
    assert (result.success, result.exit_code) == (False, 1)
    case = result.report["Test"]["Environment Start"].entries[0]
    assert "While starting driver TCPClient[two]:" in case.logs[0]["message"] and "'nothing'" in case.reason
    assert first.status == "STOPPED" and len(result.report["Test"].entries) == 1


def test_a_circle_of_drivers_is_named():
    first, second = drivers()
    with pytest.raises(ValueError, match=r"Cyclic dependency.*TCPServer\[server\] -> TCPClient\[client\] -> TCPServer\[server\]"):
        MultiTest("Test", suites=[Suite()], environment=[first, second], dependencies={first: second, second: first})


def test_results():
    result = Result()
    with result.raises(ValueError, pattern="w.y"):
        raise ValueError("why")
    with result.not_raises(KeyError):
        pass
    result.dict.match({"a": 1, "b": [2]}, {"a": int, "b": [2]})
    result.dict.check({"a": 1}, has_keys=["a"], absent_keys=["b"])
    result.table.match([["a"], [1]], [{"a": 1}])
    result.table.column_contain([{"a": 1}], "a", [1, 2])
    result.regex.search("b", "abc")
    result.regex.not_match("b", "abc")
    for holds in (
        result.less(1, 2), result.lt(1, 2), result.greater(2, 1), result.ge(2, 2), result.le(1, 1), result.not_equal(1, 2),
        result.contain(1, [1]), result.not_contain(2, [1]), result.isclose(1.0, 1.0 + 1e-12), result.diff("a\n", "a\n"),
        result.equal_slices([1, 2, 3], [1, 5, 3], [slice(0, 1), slice(2, 3)]), result.log({"a": 1}, "logged"),
    ):
        assert holds
    with result.group("together") as group:
        group.equal(1, 1)
    assert result.passed and len(result) == 21
    for fails, text in (
        (lambda: result.dict.match({"a": 1}, {"a": 2, "b": 3}), "['a'] is 1, not 2; ['b'] is missing"),
        (lambda: result.table.match([{"a": 1}], []), "it has 1 items, not 0"),
        (lambda: result.less(2, 1), "2 < 1 does not hold"),
        (lambda: result.contain(5, [1]), "5 in [1] does not hold"),
    ):
        assert fails().sentence() == text and not fails()
    with result.raises(ValueError):
        pass
    assert result.entries[-1].sentence() == "nothing was raised, not ValueError" and not result.passed


@pytest.mark.parametrize(
    "part, call",
    [
        ("result.matplot", lambda: Result().matplot),
        ("Testplan.schedule", lambda: TestplanMock("p", runpath="/x").schedule()),
        ("interactive", lambda: TestplanMock("p", runpath="/x", interactive_port=1)),
        ("in parts", lambda: MultiTest("m", suites=[Suite()], part=(0, 2))),
        ("the pool", lambda: TestplanMock("p", runpath="/x").add(lambda: None, resource="pool")),
    ],
)
def test_what_is_left_out_says_so(part, call):
    with pytest.raises(NotImplementedError, match=f"{part}.*is not part of avocado-runner-vt's testplan.*vt.harness.prefer"):
        call()


@pytest.mark.parametrize("module", ["exporters.testing", "runners.pools.base", "testing.bdd.step_registry", "testing.multitest.driver.kafka"])
def test_modules_that_are_left_out_say_so(module):
    with pytest.raises(ModuleNotFoundError, match=f"testplan.{module.split('.')[0]}.* is not part of avocado-runner-vt's testplan") as caught:
        __import__(f"testplan.{module}")
    assert caught.value.name.startswith("testplan.")


def test_a_driver_is_imported_without_what_it_does_not_need():
    text = "import sys; from testplan.testing.multitest.driver.tcp import TCPServer; print(*sys.modules)"
    done = subprocess.run(["/usr/bin/python3", "-c", text], env={"PYTHONPATH": str(MODULES)}, check=True, capture_output=True, text=True)
    assert not {"jinja2", "schema", "psutil", "avocado", "asyncio", "inspect", "dataclasses"} & set(done.stdout.split())
    assert len(done.stdout.split()) < 200


def test_the_guides_example_runs(tmp_path):
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs/drivers.md").read_text(encoding="utf-8"), re.DOTALL)
    file = tmp_path / "test_plan.py"
    file.write_text(blocks[0])
    done = subprocess.run(
        ["/usr/bin/python3", file.name, "--stdout-style", "detailed", "--runpath", str(tmp_path / "run")], cwd=tmp_path, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(MODULES)}, timeout=60, check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "[Example] -> passed" in done.stdout and "Pass - The server's answer" in done.stdout

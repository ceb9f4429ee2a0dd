# SPDX-License-Identifier: GPL-2.0-or-later
"""Each public name of the references of flumotion.twisted.integration and of Testplan's TCP drivers: it is there, it takes
the arguments of the reference, and a test uses it.

A line of a table is a name, with its arguments where it is called. `property` names are no methods.
"""

import inspect
import os
import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("VT_BUILD", ROOT / "build/release"))
OURS = BUILD / "lib/avocado-runner-vt/python"

pytestmark = pytest.mark.skipif(not OURS.exists(), reason="the Python modules are missing")

INTEGRATION = """
__version__
log(format, *args)
debug(format, *args)
info(format, *args)
warning(format, *args)
error(format, *args)
test(proc)
UnexpectedExitCodeException(process, expectedCode, actualCode)
UnexpectedExitException(process)
CommandNotFoundException(command)
ProcessesStillRunningException(processes)
TimeoutException(process, status)
ProcessProtocol()
ProcessProtocol.getDeferred()
ProcessProtocol.timeout(process, status)
ProcessProtocol.processEnded(status)
ThreadProtocol()
ThreadProtocol.getDeferred()
ThreadProtocol.timeout(process, status)
ThreadProtocol.processEnded(status)
Process(name, argv, testDir)
Process.NOT_STARTED
Process.STARTED
Process.STOPPED
Process.start()
Process.kill(sig=<Signals.SIGTERM: 15>)
Process.wait(status, timeout=20)
ThreadedMethod(name, method, argv, testDir)
ThreadedMethod.NOT_STARTED
ThreadedMethod.STARTED
ThreadedMethod.STOPPED
ThreadedMethod.start()
ThreadedMethod.kill(sig=<Signals.SIGTERM: 15>)
ThreadedMethod.wait(status, timeout=20)
PlanExecutor()
PlanExecutor.spawn(process)
PlanExecutor.checkExits(expectedExits)
PlanExecutor.kill(process)
PlanExecutor.wait(process, exitCode)
PlanExecutor.run(ops, timeout=20)
Plan(testCase, testName)
Plan.setTimeout(timeout)
Plan.spawn(command, *args)
Plan.spawnThread(method, *args)
Plan.spawnPar(*argvs)
Plan.wait(process, status)
Plan.waitPar(*processStatusPairs)
Plan.kill(process, status=None)
Plan.execute()
"""
#: What objects hold, for the program below.
INTEGRATION_ATTRIBUTES = {
    "plan": "name testCaseName processes testDir outputDir vm ops timeout",
    "plan.vm": "processes timeout",
    "process": "name argv testDir pid protocol state",
    "thread": "name argv testDir pid method protocol state",
    "process.protocol": "exitDeferred timedOut",
    "thread.protocol": "exitDeferred timedOut",
    "integration.UnexpectedExitCodeException(1, 2, 3)": "process expected actual",
    "integration.UnexpectedExitException(1)": "process",
    "integration.CommandNotFoundException('x')": "command",
    "integration.ProcessesStillRunningException([])": "processes",
    "integration.TimeoutException(1, 2)": "process status",
    "Case.runTest": "timeout",
}
ATTRIBUTES_PROGRAM = """
import os, sys, tempfile, unittest
from flumotion.twisted import integration
class Case(unittest.TestCase):
    @integration.test
    def runTest(self, plan):
        pass
with tempfile.TemporaryDirectory() as place:
    os.environ["AVOCADO_TEST_OUTPUTDIR"] = place
    plan = integration.Plan(Case(), "plan")
    process, thread = plan.spawn("true"), plan.spawnThread(lambda args: None)
    plan.waitPar((process, 0), (thread, 0))
    try:
        process.start()
        thread.start()
        for line in sys.stdin.read().splitlines():
            getattr(eval(line.rpartition(".")[0]), line.rpartition(".")[2])
        process.wait(0)
        thread.wait(0)
    finally:
        plan._cleanOutputDir()
"""

COMMON = """
CONFIG
EXTRACTORS
STATUS
abort()
abort_dependencies()
property aborted
aborting()
property active
property async_start
property auto_start
property cfg
property connection_identifier
property context
context_input(exclude=None)
define_runpath()
property errpath
extract_values()
failover()
fetch_error_log()
filter_locals(local_vars)
force_started()
force_stop()
get_connections()
property host
install_files()
property is_alive
property local_host
property local_port
property logger
property logpath
make_runpath_dirs()
property name
property outpath
property parent
pause()
pausing()
pending_work()
property port
post_start()
post_stop()
pre_start()
pre_stop()
receive_text(standard='utf-8', **kwargs)
register_failover(klass, params)
property report
restart()
resume()
resuming()
property runpath
property scratch
start()
property start_timeout
started_check()
property started_check_interval
starting()
property status
stop()
property stop_timeout
stopped_check()
property stopped_check_interval
stopped_check_with_watch(watch)
stopping()
property timer
uid()
wait(target_status, timeout=None)
"""
CLIENT = """
close()
connect()
receive(size=1024, timeout=30)
reconnect()
send(msg)
send_text(msg, standard='utf-8')
send_tsp(msg)
property server_port
"""
SERVER = """
accept_connection(timeout=10)
close_connection(conn_idx)
receive(size=None, conn_idx=None, timeout=30)
send(msg, conn_idx=None, timeout=30)
send_text(msg, standard='utf-8', **kwargs)
property socket
"""
CONFIG = """
build_schema()
denormalize()
get_local(name, default=None)
get_options()
ignore_extra_keys
property parent
set_local(name, value)
"""
DRIVERS = {
    "testplan.testing.multitest.driver.tcp.client": {
        "TCPClient(name, host, port, interface=None, connect_at_start=True, **options)": COMMON + CLIENT,
        "TCPClientConfig(**options)": CONFIG,
    },
    "testplan.testing.multitest.driver.tcp.server": {
        "TCPServer(name, host='localhost', port=0, **options)": COMMON + SERVER,
        "TCPServerConfig(**options)": CONFIG,
    },
}
TESTS = {"flumotion": "tests/facade/plan_suite.py", "testplan": "tests/e2e/test_drivers.py"}


def parts_of(line):
    """(is a property, dotted name, arguments or None) of a table's line."""
    kind, name, arguments = re.fullmatch(r"(property )?([\w.]+)(\(.*\))?", line).groups()
    return bool(kind), name, arguments


def wrong_with(owner, line):
    """What a line of a table does not find in its owner; empty for nothing."""
    is_property, name, arguments = parts_of(line)
    missing = object()
    found = owner
    for part in name.split("."):
        found = inspect.getattr_static(found, part, missing) if inspect.isclass(found) and is_property else getattr(found, part, missing)
        if found is missing:
            return f"{line} is missing"
    if is_property:
        return "" if isinstance(found, property) else f"{line} is no property"
    if arguments is None:
        return ""
    signature = [
        str(parameter.replace(annotation=parameter.empty))
        for parameter in inspect.signature(found).parameters.values()
        if parameter.name != "self"
    ]
    wanted = [each for each in arguments[1:-1].split(", ") if each]
    # Ours may take more, of what has a default.
    more = [each for each in signature if each not in wanted]
    if [each for each in signature if each in wanted] != wanted or not all("=" in each or "*" in each for each in more):
        return f"{line} takes ({', '.join(signature)})"
    return ""


def complaints(program):
    """Runs this file's functions in an interpreter that has our modules."""
    done = subprocess.run(
        ["/usr/bin/python3", "-c", f"import sys; sys.path[:0] = {[str(OURS), str(pathlib.Path(__file__).parent)]}\n{program}"],
        capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_each_name_of_plans_is_there():
    assert complaints(
        "import test_harness_names as names\nfrom flumotion.twisted import integration\n"
        "[print(wrong) for line in names.INTEGRATION.split('\\n') if line and (wrong := names.wrong_with(integration, line))]"
    ) == ""


def test_each_attribute_of_plans_is_there():
    lines = [f"{owner}.{name}" for owner, names in INTEGRATION_ATTRIBUTES.items() for name in names.split()]
    done = subprocess.run(
        ["/usr/bin/python3", "-c", ATTRIBUTES_PROGRAM], input="\n".join(lines), capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(OURS)},
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("module", DRIVERS)
def test_each_name_of_drivers_is_there(module):
    assert complaints(
        f"import importlib, test_harness_names as names\nmodule = importlib.import_module({module!r})\n"
        f"for made, lines in names.DRIVERS[{module!r}].items():\n"
        "    owner = getattr(module, made.partition('(')[0])\n"
        "    found = [names.wrong_with(module, made), *(names.wrong_with(owner, line) for line in lines.split('\\n') if line)]\n"
        "    [print(made, wrong) for wrong in found if wrong]"
    ) == ""


@pytest.mark.parametrize("harness", TESTS)
def test_each_name_is_used_by_a_test(harness):
    text = (ROOT / TESTS[harness]).read_text(encoding="utf-8")
    if harness == "flumotion":
        lines = [parts_of(line)[1].rpartition(".")[2] for line in INTEGRATION.strip().split("\n")]
        lines += [name for names in INTEGRATION_ATTRIBUTES.values() for name in names.split()]
    else:
        tables = [table for made in DRIVERS.values() for table in made.values()]
        lines = [parts_of(line)[1] for table in tables for line in table.split("\n") if line]
        # The lists in front of it are no use.
        text = text[text.index("@pytest.fixture"):]
    assert sorted({name for name in lines if not re.search(rf"\b{name}\b", text)}) == []


def test_a_name_that_is_missing_is_noticed():
    class Owner:
        kept = 1

        def method(self, given):
            """As a reference has it."""

    assert wrong_with(Owner, "gone()") == "gone() is missing"
    assert wrong_with(Owner, "property kept") == "property kept is no property"
    assert wrong_with(Owner, "method(given)") == "" == wrong_with(Owner, "kept")
    assert wrong_with(Owner, "method(given, more=1)") == "method(given, more=1) takes (given)"
    assert wrong_with(Owner, "method()") == "method() takes (given)"

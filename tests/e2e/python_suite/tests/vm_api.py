# SPDX-License-Identifier: GPL-2.0-or-later
"""What tests do with a VM, a monitor and sessions, each thing once, in a real guest (run by test_python_vm.py)."""

import os

import aexpect
from virttest import env_process, error_context, qemu_monitor, remote, utils_params, utils_test, virt_vm


class raises:
    """A context whose body must raise a class; the exception is .error."""

    def __init__(self, kind):
        self.kind = kind

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        assert kind is not None and issubclass(kind, self.kind), "%s was wanted, not %r" % (self.kind, error)
        self.error = error
        return True


def commands(session):
    assert session.cmd("echo hello") == "hello\n" and session.cmd_output("echo a; echo b") == "a\nb\n"
    assert session.cmd_status("false") == 1 and session.cmd_status_output("echo x; (exit 3)") == (3, "x\n")
    assert session.cmd("false", ok_status=[1]) == "" and session.cmd("false", ignore_all_errors=True) is None
    with raises(aexpect.ShellCmdError) as caught:
        session.cmd("ls /nosuch")
    assert (caught.error.cmd, caught.error.status != 0) == ("ls /nosuch", True) and "nosuch" in caught.error.output
    with raises(aexpect.ShellTimeoutError):
        session.cmd("sleep 30", timeout=1)
    session.sendcontrol("c")
    session.read_up_to_prompt(timeout=20)
    lines = []
    session.cmd_output("echo one; echo two", print_func=lines.append)
    assert lines == ["one", "two"]


def expectations(session):
    session.sendline("echo AA; sleep 1; echo B''B")
    assert session.read_until_output_matches(["CC", "BB"], timeout=20)[0] == 1
    session.sendline()
    session.read_up_to_prompt()
    session.sendline("echo loud | tr a-z A-Z")
    assert session.read_until_output_matches(["LOUD.*LOUD", "quiet"], lambda text: text, timeout=5, match_func=(
        lambda text, patterns: 7 if "LOUD" in text else None))[0] == 7  # fmt: skip
    session.sendline()
    session.read_up_to_prompt()
    with raises(aexpect.ExpectTimeoutError):
        session.read_until_output_matches(["nothing of the kind"], timeout=0.5)
    seen = []
    session.set_output_func(seen.append)
    session.set_output_prefix("> ")
    session.cmd("echo three")
    session.set_output_func(None)
    assert "> three" in seen, seen
    assert session.is_responsive() and session.is_alive()


def monitor(vm):
    mon = vm.monitor
    assert mon is vm.monitors[0] and mon.protocol == "qmp" and vm.get_monitors_by_type("human") == []
    assert mon.cmd("query-status")["running"] and mon.verify_status("running") and not mon.verify_status("paused")
    with raises(qemu_monitor.QMPCmdError) as caught:
        mon.cmd("nosuch", {"a": 1})
    assert caught.error.data["class"] == "CommandNotFound" and caught.error.qmp_args == {"a": 1}
    assert "error" in mon.cmd_qmp("nosuch") and "running" in mon.human_monitor_cmd("info status")
    mon.verify_supported_cmd("query-status")
    with raises(qemu_monitor.MonitorNotSupportedCmdError):
        mon.verify_supported_cmd("nosuch")
    vm.pause()
    assert vm.is_paused() and mon.get_event("STOP")["event"] == "STOP"
    vm.resume()
    assert not vm.is_paused() and mon.wait_event("RESUME", 10)
    mon.clear_events()
    assert mon.get_events() == []
    with raises(virt_vm.VMStatusError):
        vm.verify_status("paused")


def files_and_screen(test, vm):
    picture = os.path.join(test.debugdir, "screen.png")
    vm.screendump(picture)
    with open(picture, "rb") as file:
        assert file.read(8) == b"\x89PNG\r\n\x1a\n"
    source = os.path.join(test.workdir, "file")
    with open(source, "w", encoding="ascii") as file:
        file.write("x" * 100000)
    vm.copy_files_to(source, "/tmp/there")
    vm.copy_files_from("/tmp/there", source + ".back")
    with open(source + ".back", encoding="ascii") as file:
        assert file.read() == "x" * 100000
    with raises(remote.TransferError):
        vm.copy_files_from("/nosuch", source + ".no")


def logins(vm):
    serial = vm.wait_for_serial_login(timeout=120)
    assert serial.cmd_output_safe("echo serial").strip() == "serial"
    serial.close()
    port, params = vm.get_port(22), vm.params
    other = remote.remote_login("ssh", vm.get_address(), port, "root", params["password"], params["shell_prompt"])
    with other:
        assert other.cmd("id -u").strip() == "0"
    assert not other.is_alive()
    with raises(aexpect.ShellProcessTerminatedError):
        other.cmd("ls")
    with raises(remote.LoginAuthenticationError):
        vm.login(username="root", password="wrong")


def beside(session):
    background = utils_test.BackgroundTest(session.cmd, ("sleep 1; echo beside",))
    background.start()
    assert background.is_alive() and background.join() == "beside\n"
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    assert session.cmd("echo still") == "still\n"


def other_machines(params, env, vm):
    vm.destroy(gracefully=False)
    assert vm.is_dead()
    with raises(virt_vm.VMDeadError):
        vm.verify_alive()
    vm.params["qemu_binary"] = "/bin/false"
    with raises(virt_vm.VMCreateError) as caught:
        vm.create()
    assert "exit status 1" in caught.error.output
    changed = params.copy()
    changed["mem"] = "320"
    env_process.preprocess_vm(None, changed, env, vm.name)
    assert vm.params["mem"] == "320" and "-m 320" in vm.make_create_command() and env.get_vm(vm.name) is vm


@error_context.context_aware
def run(test, params, env):
    vm = env.get_vm(params["main_vm"])
    assert vm is env["vm__" + vm.name] and env.get_all_vms() == [vm] and type(vm.params) is utils_params.Params
    vm.verify_alive()
    os.kill(vm.get_pid(), 0)
    assert len(vm.get_mac_address()) == 17
    session = vm.wait_for_login(timeout=float(params.get("login_timeout", 240)))
    for step, arguments in (
        (commands, [session]),
        (expectations, [session]),
        (monitor, [vm]),
        (files_and_screen, [test, vm]),
        (logins, [vm]),
        (beside, [session]),
    ):
        error_context.context(step.__name__, test.log.info)
        step(*arguments)
    session = vm.reboot(session)
    assert float(session.cmd("cat /proc/uptime").split()[0]) < 100
    session.close()
    other_machines(params, env, vm)
    vm.wait_for_login().close()
    test.whiteboard = "all of it"

# SPDX-License-Identifier: GPL-2.0-or-later
"""Tests that are meant to be killed. What phase one is in it tells by a file of that name below VT_SOAK_DIR."""

import multiprocessing
import os
import subprocess
import time


def tell(phase):
    directory = os.path.join(os.environ["VT_SOAK_DIR"], "phases")
    with open(os.path.join(directory, f"{phase}-{os.getpid()}"), "w", encoding="utf-8"):
        pass


def works(test, params, vm):
    tell("login")
    session = vm.wait_for_login()
    session.cmd("uptime")
    tell("test")
    time.sleep(float(params.get("seconds", 0.3)))
    session.close()


def stays(test, params, vm):
    tell("test")
    time.sleep(float(params.get("seconds", 0.3)))


def writes(test, params, vm):
    path = os.path.join(test._context.datadir, params.object_params("image1")["image_name"] + ".qcow2")
    tell("test")
    for number in range(5):
        subprocess.run(["qemu-io", "-c", f"write -P 7 {number}M 64k", path], check=True, stdout=subprocess.DEVNULL)


def sleeper():
    """A command line that can be told from others', whatever its environment."""
    return ["/bin/sleep", os.environ["VT_SOAK_SLEEPER"]]


def daemonise(action):
    """Does something in a process that has left parent, session and descriptors behind."""
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    os.setsid()
    if os.fork():
        os._exit(0)
    null = os.open("/dev/null", os.O_RDWR)
    for number in range(3):
        os.dup2(null, number)
    os.closerange(3, 1000)
    action()
    os._exit(0)


def pool():
    context = multiprocessing.get_context("fork")
    process = context.Process(target=time.sleep, args=(1000,))
    process.start()
    return process


BREEDS = {
    "child": lambda: subprocess.Popen(sleeper()),
    "session": lambda: subprocess.Popen(sleeper(), start_new_session=True),
    "shell": lambda: subprocess.run(f"nohup {' '.join(sleeper())} >/dev/null 2>&1 &", shell=True, check=True),
    "daemon": lambda: daemonise(lambda: os.execv("/bin/sleep", sleeper())),
    "nameless": lambda: daemonise(lambda: os.execve("/bin/sleep", sleeper(), {})),
    "forked": lambda: daemonise(lambda: time.sleep(1000)),
    "stopped": lambda: os.kill(subprocess.Popen(sleeper(), start_new_session=True).pid, 19),
    "pool": pool,
}


def breeds(test, params, vm):
    kept = [BREEDS[name]() for name in params.get("breeds", "child").split()]
    tell("test")
    time.sleep(float(params.get("seconds", 0.3)))
    del kept


def run(test, params, env):
    vm = env.get_vm(params["main_vm"]) if params.get("main_vm") else None
    tell("body")
    globals()[params["does"]](test, params, vm)
    tell("done")

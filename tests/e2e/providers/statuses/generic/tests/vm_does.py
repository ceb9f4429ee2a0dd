# SPDX-License-Identifier: GPL-2.0-or-later
"""Does with its machine what the parameter `does` names. Says in DIR/NAME.json which processes do it (`tell`)."""

import json
import logging
import os
import subprocess
import time


def nothing(test, params, env, vm):
    pass


def logs_in(test, params, env, vm):
    session = vm.wait_for_login(timeout=float(params.get("login_within", 120)))
    logging.info("guest says: %s", session.cmd("echo hello from $(uname -s)"))
    session.close()


def sleeps(test, params, env, vm):
    # What follows a whole minute of this is a failure of whoever was to end it.
    time.sleep(60)
    test.fail("nobody ended the test")


def stays(test, params, env, vm):
    time.sleep(float(params["seconds"]))


def holds(test, params, env, vm):
    """Goes on until the file `until` is there."""
    logging.info("holding until %s is there", params["until"])
    end = time.monotonic() + 60
    while not os.path.exists(params["until"]):
        if time.monotonic() > end:
            test.fail("nobody let the test end")
        time.sleep(0.01)


def waits(test, params, env, vm):
    """Until it is let go."""
    while not os.path.exists(os.path.join(os.environ["VT_TEST_MARK"], "go")):
        time.sleep(0.02)


def logs_in_twice(test, params, env, vm):
    """Over the network, and after a wait on the serial console."""
    session = vm.wait_for_login()
    tell(test, params, vm)
    waits(test, params, env, vm)
    logging.info("guest says: %s", session.cmd("echo hello again"))
    session.close()
    session = vm.wait_for_serial_login(timeout=60)
    logging.info("console says: %s", session.cmd("echo hello from the console"))
    session.close()


def fills_disk(test, params, env, vm):
    session = vm.wait_for_login()
    session.cmd("dd if=/dev/zero of=/dev/vdb bs=1M count=10 oflag=direct", timeout=5)
    test.fail("the disk took it")


def sleeps_in_guest(test, params, env, vm):
    session = vm.wait_for_login()
    tell(test, params, vm)
    session.cmd("sleep 60", timeout=70)


def fails(test, params, env, vm):
    test.fail("the machine was as it should be, but the test is not content")


def writes(test, params, env, vm):
    """Changes the image, as a guest would."""
    path = os.path.join(test._context.datadir, params.object_params("image1")["image_name"] + ".qcow2")
    subprocess.run(["qemu-io", "-c", "write -P 7 1M 64k", path], check=True)
    logging.info("wrote to %s", path)


def writes_and_fails(test, params, env, vm):
    writes(test, params, env, vm)
    test.fail("not content with the image")


def _disk(test, params):
    return os.path.join(test._context.datadir, params.object_params("image1")["image_name"] + ".qcow2")


def installs(test, params, env, vm):
    """Writes what stands for a system; the image was made for that just now, and is empty."""
    disk = _disk(test, params)
    subprocess.run(["qemu-io", "-c", "read -P 0 0 1M", disk], check=True)
    subprocess.run(["qemu-io", "-c", "write -P %s 0 1M" % params["system"], disk], check=True)
    if params.get("succeeds") == "no":
        test.fail("the installation failed half-way")


def boots(test, params, env, vm):
    """Finds the system that an install left, and changes it as every running system does."""
    disk = _disk(test, params)
    read = ["qemu-io", "-c", "read -P %s 0 1M" % params["system"], disk]
    done = subprocess.run(read, capture_output=True, check=False)
    if done.returncode != 0 or b"Pattern verification failed" in done.stdout:
        test.fail("the system of the install is not on the disk")
    subprocess.run(["qemu-io", "-c", "write -P 99 0 1M", disk], check=True)


def installs_in_guest(test, params, env, vm):
    session = vm.wait_for_login()
    session.cmd("echo %s | dd of=/dev/vdb bs=512 conv=sync oflag=direct" % params["system"], timeout=60)
    session.cmd("sync", timeout=60)
    session.close()
    if params.get("succeeds") == "no":
        test.fail("the installation failed half-way")


def boots_in_guest(test, params, env, vm):
    session = vm.wait_for_login()
    found = session.cmd("dd if=/dev/vdb bs=512 count=1 2>/dev/null | tr -d '\\000'", timeout=60).strip()
    session.close()
    if found != params["system"]:
        test.fail("on the disk is %r" % found)


def kills_qemu(test, params, env, vm):
    os.kill(vm.get_pid(), 9)
    vm.verify_alive()


def stops_qemu(test, params, env, vm):
    os.kill(vm.get_pid(), 19)
    # Its threads stop one after another, on a busy host some time later.
    while open(f"/proc/{vm.get_pid()}/stat").read().rsplit(")", 1)[1].split()[0] != "T":
        os.sched_yield()


def session_loses_qemu(test, params, env, vm):
    session = vm.wait_for_login()
    os.kill(vm.get_pid(), 9)
    session.cmd("uptime")


def panics(test, params, env, vm):
    session = vm.wait_for_login()
    session.cmd("echo c > /proc/sysrq-trigger", timeout=30)


def damages_image(test, params, env, vm):
    """Destroys the reference counts of the qcow2 file."""
    path = os.path.join(test._context.datadir, params.object_params("image1")["image_name"] + ".qcow2")
    with open(path, "r+b") as file:
        file.seek(1 << 16)
        file.write(b"\xff" * (1 << 17))


def tell(test, params, vm):
    """Leaves the pids where the end-to-end test looks for them."""
    pids = {"body": os.getpid(), "supervisor": os.getppid(), "qemu": vm.get_pid() if vm and vm.is_alive() else None}
    path = os.path.join(os.environ["VT_TEST_MARK"], params["shortname"].rsplit(".", 1)[-1] + ".json")
    with open(path + ".part", "w", encoding="utf-8") as file:
        json.dump(pids, file)
    os.rename(path + ".part", path)


def run(test, params, env):
    vm = env.get_vm(params["main_vm"]) if params.get("vms") else None
    if params["does"] not in ("sleeps_in_guest", "logs_in_twice"):
        tell(test, params, vm)
    globals()[params["does"]](test, params, env, vm)
    logging.info("done: %s", params["does"])

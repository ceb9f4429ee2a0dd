# SPDX-License-Identifier: GPL-2.0-or-later
"""Small things that tests use: waiting, random names, threads that hand on their exceptions, free ports, paths."""

import logging
import os
import random
import re
import shutil
import signal
import socket
import string
import threading
import time

import _vt
from virttest import data_dir, error_context
from virttest.utils_logfile import close_log_file, get_log_file_dir, get_log_filename, log_line, set_log_file_dir  # noqa: F401
from virttest.utils_numeric import normalize_data_size  # noqa: F401

LOG = logging.getLogger("avocado." + __name__)


class InterruptedThread(threading.Thread):
    """A thread whose join() returns what its function returned, or raises what it raised."""

    def __init__(self, target, args=(), kwargs=None):
        super().__init__()
        self._work = (target, args, kwargs or {})
        self._result = None
        self._error = None

    def run(self):
        target, args, kwargs = self._work
        try:
            self._result = target(*args, **kwargs)
        except Exception as error:
            self._error = error
        finally:
            self._work = None

    def join(self, timeout=None, suppress_exception=False):
        """Waits for the end; returns what the function returned."""
        super().join(timeout)
        error, self._error = self._error, None
        if error is None:
            return self._result
        if not suppress_exception:
            error_context.set_exception_context(
                error, error_context.join_contexts(error_context.get_context(), error_context.exception_context(error))
            )
            raise error
        return None


def parallel(targets):
    """Runs functions, or (function, args, kwargs), at once; returns what they return."""
    threads = [
        InterruptedThread(*target) if isinstance(target, (tuple, list)) else InterruptedThread(target)
        for target in targets
    ]
    for thread in threads:
        thread.start()
    return [thread.join() for thread in threads]


def wait_for(func, timeout, first=0.0, step=1.0, text=None, ignore_errors=False):
    """Calls func every step seconds until it returns something true, which is returned; None after timeout seconds."""
    start = _vt.pause_free_time()
    time.sleep(first)
    while _vt.pause_free_time() - start < float(timeout):
        if text:
            LOG.debug("%s (%f secs)", text, _vt.pause_free_time() - start)
        try:
            result = func()
        except Exception as error:
            if not ignore_errors:
                raise
            LOG.debug("%s: %s", type(error).__name__, error)
            result = None
        if result:
            return result
        time.sleep(step)
    return None


def monotonic_time():
    """Seconds of a clock that only goes forward."""
    return time.monotonic()


def generate_random_string(length, ignore_str=string.punctuation, convert_str=""):
    """Random letters, digits and punctuation without those of ignore_str; those of convert_str get a backslash."""
    chars = [c for c in string.ascii_letters + string.digits + string.punctuation if c not in (ignore_str or "")]
    picked = random.SystemRandom().choices(chars, k=length)
    return "".join("\\" + c if c in convert_str else c for c in picked)


def generate_random_id():
    """A random name that QEMU takes for an id."""
    return "id" + generate_random_string(6)


def generate_tmp_file_name(file_name, ext=None, directory=None):
    """A name in the test's temporary directory that is not in use."""
    directory = directory or data_dir.get_tmp_dir()
    while True:
        name = "%s-%s%s" % (file_name, generate_random_string(8), "." + ext if ext else "")
        if not os.path.exists(os.path.join(directory, name)):
            return os.path.join(directory, name)


def _free(port, address, kind):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, kind) as probe:
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True


def is_port_free(port, address):
    """True if nobody listens on the port (TCP and UDP)."""
    address = "127.0.0.1" if address in (None, "", "localhost") else address
    return _free(port, address, socket.SOCK_STREAM) and _free(port, address, socket.SOCK_DGRAM)


def find_free_port(start_port, end_port, address="localhost", sequent=False):
    """A port of start_port…end_port-1 that is free now, or None."""
    ports = find_free_ports(start_port, end_port, 1, address, sequent)
    return ports[0] if ports else None


def find_free_ports(start_port, end_port, count, address="localhost", sequent=False):
    """As many ports of start_port…end_port-1 that are free now."""
    candidates = list(range(start_port, end_port))
    if not sequent:
        random.shuffle(candidates)
    found = []
    for port in candidates:
        if len(found) == count:
            break
        if is_port_free(port, address):
            found.append(port)
    return found


def get_path(base_path, user_path):
    """user_path, from base_path on if it is relative; an URL as it is."""
    if re.match(r"[a-zA-Z][a-zA-Z0-9+.-]*://", user_path):
        return user_path
    return os.path.realpath(os.path.join(base_path, user_path))


def check_exists(path, session=None):
    """True if path exists here, or in the session's machine."""
    return session.cmd_status("test -e %s" % path) == 0 if session else os.path.exists(path)


def check_isdir(path, session=None):
    """True if path is a directory here, or in the session's machine."""
    return session.cmd_status("test -d %s" % path) == 0 if session else os.path.isdir(path)


def make_dirs(dir_name, session=None):
    """Makes a directory and its parents here, or in the session's machine."""
    if session:
        return session.cmd_status("mkdir -p %s" % dir_name) == 0
    return os.makedirs(dir_name)


def safe_rmdir(path, timeout=10, session=None):
    """Removes a directory; on a network file system it may take a while to become empty."""
    if not check_isdir(path, session):
        raise ValueError("%s is no directory" % path)
    if session:
        return session.cmd("rm -rf %s" % path, timeout=timeout)
    removed = wait_for(lambda: shutil.rmtree(path, ignore_errors=True) or not os.path.exists(path), timeout, step=0.1)
    if not removed:
        shutil.rmtree(path)
    return None


def aton(sr):
    """A text as int or float; False if it is neither."""
    for kind in (int, float):
        try:
            return kind(sr)
        except ValueError:
            continue
    return False


def find_substring(string, pattern1, pattern2=None):
    """What the first of two patterns finds first in a text, or None."""
    if not pattern1:
        return None
    found = re.findall(pattern1 + ("|" + pattern2 if pattern2 else ""), string)
    return found[0] if found else None


def kill_process_tree(pid, sig=signal.SIGKILL, send_sigcont=True, timeout=0):
    """Kills a process and its descendants."""
    children = []
    try:
        for thread in os.listdir("/proc/%d/task" % pid):
            with open("/proc/%d/task/%s/children" % (pid, thread), encoding="ascii") as file:
                children += [int(child) for child in file.read().split()]
        os.kill(pid, sig)
    except (FileNotFoundError, ProcessLookupError):
        return
    for child in children:
        kill_process_tree(child, sig, False)
    if send_sigcont:
        try:
            os.kill(pid, signal.SIGCONT)
        except ProcessLookupError:
            pass
    if timeout:
        wait_for(lambda: not os.path.exists("/proc/%d" % pid), timeout, step=0.05)


def _binary(params, parameter, names):
    chosen = params.get(parameter)
    if chosen and os.path.isfile(chosen):
        return chosen
    for name in names:
        found = shutil.which(name)
        if found:
            return found
    from _vtglue import statuses

    raise statuses.exceptions().TestError("none of %s is on PATH (and %s is not set)" % (", ".join(names), parameter))


def get_qemu_binary(params):
    """The emulator of these parameters."""
    return _binary(params, "qemu_binary", ["qemu-kvm", "qemu-system-%s" % os.uname().machine, "kvm"])


def get_qemu_img_binary(params):
    """Its qemu-img."""
    return _binary(params, "qemu_img_binary", ["qemu-img"])


def get_qemu_io_binary(params):
    """Its qemu-io."""
    return _binary(params, "qemu_io_binary", ["qemu-io"])


def ForAll(*objects):  # noqa: N802, upstream's name
    """A list whose method calls go to each element."""
    return _ForAll(objects, lambda calls: [call() for call in calls])


def ForAllP(*objects):  # noqa: N802, upstream's name
    """The same, all at once in threads."""
    return _ForAll(objects, parallel)


class _ForAll(list):
    def __init__(self, objects, run):
        super().__init__(*objects)
        self._run = run

    def __getattr__(self, name):
        def call(*args, **kwargs):
            return self._run([lambda item=item: getattr(item, name)(*args, **kwargs) for item in self])

        return call


def get_win_disk_vol(session, condition="VolumeName='WIN_UTILS'"):
    """The letter ("D") of the first Windows volume that meets a WMIC condition, or None."""
    output = session.cmd_output('wmic logicaldisk where "%s" get DeviceID' % condition, timeout=120)
    match = re.search(r"^\s*([A-Za-z]):", output, re.MULTILINE)
    return match.group(1) if match else None


def get_winutils_vol(session, label="WIN_UTILS"):
    """The letter of the Windows volume with the tests' tools, or None."""
    return get_win_disk_vol(session, "VolumeName='%s'" % label)


def set_winutils_letter(session, cmd, label="WIN_UTILS"):
    """The command with that letter in place of "WIN_UTILS:"; unchanged if it names no such volume."""
    if label + ":" not in cmd:
        return cmd
    letter = get_winutils_vol(session, label)
    if not letter:
        from _vtglue import statuses

        raise statuses.exceptions().TestError("the guest has no volume called %s, which %r needs" % (label, cmd))
    return cmd.replace(label + ":", letter + ":")


def get_linux_drive_path(session, did, timeout=120):
    """The path (/dev/sdb) of the Linux guest's drive with that serial number or WWN; "" if there is none."""
    names = session.cmd("lsblk -dnro KNAME", timeout=timeout).split()
    for name in names:
        facts = session.cmd("udevadm info -q property -n /dev/%s" % name, timeout=timeout)
        if re.search(r"^ID_(?:SERIAL|SERIAL_SHORT|SCSI_SERIAL|WWN)=.*%s" % re.escape(did), facts, re.MULTILINE):
            return "/dev/%s" % name
        status, serial = session.cmd_status_output("cat /sys/block/%s/serial" % name, timeout=timeout)
        if status == 0 and did in serial:
            return "/dev/%s" % name
    return ""

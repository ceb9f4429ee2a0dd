# SPDX-License-Identifier: GPL-2.0-or-later
"""qemu.machine.machine: a QEMU process with its monitor. Process and monitor are the core's."""

import atexit
import os
import signal
import socket
import weakref

from qemu import late_logging
from qemu.machine.process import Process
from qemu.qmp.legacy import QEMUMonitorProtocol


def _log():
    return late_logging.module().getLogger(__name__)


_running = weakref.WeakSet()


def _end_those_left():
    """A script that ends with machines running: they are named to the runner, and end."""
    directory = os.environ.get("VT_IOTESTS_LOG_DIR")
    for machine in list(_running):
        if not machine.is_running():
            continue
        if directory and os.path.isdir(directory):
            with open(os.path.join(directory, "left-behind"), "a", encoding="utf-8") as notes:
                notes.write("%s (process %d)\n" % (os.path.basename(machine._binary), machine._popen.pid))
        machine._popen.kill()


atexit.register(_end_those_left)


class QEMUMachineError(Exception):
    """Parent of what machines raise."""


class QEMUMachineAddDeviceError(QEMUMachineError):
    """A device cannot be added as asked."""


class VMLaunchFailure(QEMUMachineError):
    """QEMU was started and did not come up."""

    def __init__(self, exitcode, command, output):
        super().__init__(exitcode, command, output)
        self.exitcode = exitcode
        self.command = command
        self.output = output

    def __str__(self):
        lines = []
        if self.__cause__ is not None:
            reason = str(self.__cause__)
            lines.append(type(self.__cause__).__name__ + (": " + reason if reason else ""))
        else:
            lines.append("")
        if self.exitcode is not None:
            lines.append("\tExit code: %s" % self.exitcode)
        lines += ["\tCommand: %s" % self.command, "\tOutput: %s" % self.output, ""]
        return "\n".join(lines)


class AbnormalShutdown(QEMUMachineError):
    """QEMU was to end by itself and had to be killed."""


class QEMUMachine:
    """A QEMU process. As a context manager it is shut down at the end."""

    def __init__(
        self,
        binary,
        args=(),
        wrapper=(),
        name=None,
        base_temp_dir="/var/tmp",
        monitor_address=None,
        socket_scm_helper=None,
        sock_dir=None,
        drain_console=False,
        console_log=None,
        log_dir=None,
        qmp_timer=None,
    ):
        self._binary = binary
        self._args = list(args)
        self._wrapper = list(wrapper)
        self._qmp_timer = qmp_timer
        self._name = name or "qemu-%d-%x" % (os.getpid(), id(self))
        self._base_temp_dir = base_temp_dir
        self._temp_dir = None
        self._sock_dir = sock_dir
        self._log_dir = log_dir
        self._monitor_address = monitor_address
        self._console_log_path = console_log
        self._drain_console = drain_console or bool(console_log)
        self._sock_pair = None
        self._qemu_log_path = None
        self._qemu_log_file = None
        self._popen = None
        self._events = []
        self._iolog = None
        self._qmp_set = True
        self._qmp_connection = None
        self._qemu_full_args = ()
        self._launched = False
        self._machine = None
        self._console_index = 0
        self._console_set = False
        self._console_device_type = None
        self._console_socket = None
        self._remove_files = []
        self._user_killed = False
        self._quit_issued = False

    def __enter__(self):
        return self

    def __exit__(self, exc_type, exc_val, exc_tb):
        self.shutdown()

    # What QEMU is started with.

    @property
    def args(self):
        """The arguments added so far; the caller may change the list."""
        return self._args

    def add_args(self, *args):
        """Adds arguments."""
        self._args.extend(args)

    def add_monitor_null(self):
        """Adds a human monitor that nobody uses."""
        self._args += ["-monitor", "null"]

    def add_fd(self, fd, fdset, opaque, opts=""):
        """Lets QEMU inherit a descriptor as one of a set."""
        options = ["fd=%d" % fd, "set=%d" % fdset, "opaque=%s" % opaque]
        if opts:
            options.append(opts)
        os.set_inheritable(fd, True)
        self._args += ["-add-fd", ",".join(options)]
        return self

    def set_machine(self, machine_type):
        """Sets the machine type."""
        self._machine = machine_type

    def set_qmp_monitor(self, enabled=True):
        """Whether there is a QMP monitor; before launch()."""
        self._qmp_set = enabled

    def set_console(self, device_type=None, console_index=0):
        """Adds a console on a socket, behind `console_index` others that go nowhere."""
        self._console_set = True
        self._console_device_type = device_type
        self._console_index = console_index

    @property
    def _console_address(self):
        return os.path.join(self.sock_dir, self._name + ".con")

    def _monitor_args(self):
        if self._sock_pair is not None:
            backend = "socket,id=mon,fd=%d" % self._sock_pair[0].fileno()
        elif isinstance(self._monitor_address, tuple):
            backend = "socket,id=mon,host=%s,port=%s" % self._monitor_address
        else:
            backend = "socket,id=mon,path=%s" % self._monitor_address
        return ["-chardev", backend, "-mon", "chardev=mon,mode=control"]

    @property
    def _base_args(self):
        args = ["-display", "none", "-vga", "none"]
        if self._qmp_set:
            args += self._monitor_args()
        if self._machine is not None:
            args += ["-machine", self._machine]
        args += ["-serial", "null"] * self._console_index
        if self._console_set:
            args += ["-chardev", "socket,id=console,path=%s,server=on,wait=off" % self._console_address]
            if self._console_device_type is None:
                args += ["-serial", "chardev:console"]
            else:
                args += ["-device", self._console_device_type + ",chardev=console"]
        return args

    # Directories.

    @property
    def temp_dir(self):
        """A directory for this machine, made when first asked for."""
        if self._temp_dir is None:
            import tempfile

            self._temp_dir = tempfile.mkdtemp(prefix="qemu-machine-", dir=self._base_temp_dir)
        return self._temp_dir

    @property
    def sock_dir(self):
        """Where sockets go."""
        return self._sock_dir or self.temp_dir

    @property
    def log_dir(self):
        """Where QEMU's output goes."""
        return self._log_dir or self.temp_dir

    @staticmethod
    def _remove_if_exists(path):
        try:
            os.remove(path)
        except FileNotFoundError:
            pass

    # Starting.

    def _open_monitor(self):
        address = self._monitor_address
        sock = None
        if address is None:
            self._sock_pair = socket.socketpair()
            self._sock_pair[0].set_inheritable(True)
            sock = self._sock_pair[1]
        elif isinstance(address, str):
            self._remove_files.append(address)
        self._qmp_connection = QEMUMonitorProtocol(address, server=True, nickname=self._name, sock=sock)

    def _pre_launch(self):
        if self._console_set:
            self._remove_files.append(self._console_address)
        if self._qmp_set:
            self._open_monitor()
        self._qemu_log_path = os.path.join(self.log_dir, self._name + ".log")
        self._qemu_log_file = open(self._qemu_log_path, "wb")
        self._iolog = None
        self._qemu_full_args = (*self._wrapper, self._binary, *self._base_args, *self._args)

    def _post_launch(self):
        if self._sock_pair is not None:
            self._sock_pair[0].close()
        if self._qmp_connection is not None:
            self._qmp.accept(self._qmp_timer)
            self._qmp.settimeout(self._qmp_timer)

    def _launch(self):
        self._pre_launch()
        if late_logging.imported():
            _log().debug("VM launch command: %r", " ".join(self._qemu_full_args))
        self._popen = Process(self._qemu_full_args, self._qemu_log_file)
        self._launched = True
        _running.add(self)
        self._post_launch()

    def launch(self):
        """Starts QEMU and connects. Raises VMLaunchFailure."""
        if self._launched:
            raise QEMUMachineError("VM already launched")
        try:
            self._launch()
        except BaseException as error:
            if self._launched:
                self._user_killed = True
                self._end_failed_launch()
            else:
                self._post_shutdown()
            if not isinstance(error, Exception):
                raise
            raise VMLaunchFailure(self.exitcode(), " ".join(self._qemu_full_args), self._iolog) from error

    def _end_failed_launch(self):
        try:
            # What has failed ends by itself, and its own exit code says more than a kill's.
            self._popen._core.wait(3.0)
            if self._popen.poll() is None:
                self._popen.kill()
                self._popen.wait(60)
        finally:
            self._post_shutdown()

    # Ending.

    def _close_qemu_log_file(self):
        if self._qemu_log_file is not None:
            self._qemu_log_file.close()
            self._qemu_log_file = None

    def _load_io_log(self):
        if self._qemu_log_path is not None:
            with open(self._qemu_log_path, encoding="utf-8", errors="replace") as log:
                self._iolog = log.read()

    def _close_qmp_connection(self):
        connection, self._qmp_connection = self._qmp_connection, None
        if connection is not None:
            connection.close()
        if self._sock_pair is not None:
            for end in self._sock_pair:
                end.close()
            self._sock_pair = None

    def _post_shutdown(self):
        self._close_qmp_connection()
        self._close_qemu_log_file()
        self._load_io_log()
        self._qemu_log_path = None
        if self._temp_dir is not None:
            import shutil

            shutil.rmtree(self._temp_dir, ignore_errors=True)
            self._temp_dir = None
        while self._remove_files:
            self._remove_if_exists(self._remove_files.pop())
        code = self.exitcode()
        if code is not None and code < 0 and not (self._user_killed and code == -signal.SIGKILL):
            _log().warning('qemu received signal %i; command: "%s"', -code, " ".join(self._qemu_full_args))
        self._quit_issued = False
        self._user_killed = False
        self._launched = False
        _running.discard(self)

    def _early_cleanup(self):
        # With its console's other end open and unread QEMU could wait for it for ever.
        if self._console_socket is not None:
            self._console_socket.close()
            self._console_socket = None

    def _hard_shutdown(self):
        self._early_cleanup()
        self._subp.kill()
        self._subp.wait(timeout=60)

    def _soft_shutdown(self, timeout):
        self._early_cleanup()
        if self._qmp_connection is not None:
            try:
                if not self._quit_issued:
                    self.qmp("quit")
            finally:
                self._close_qmp_connection()
        self._subp.wait(timeout=timeout)

    def _do_shutdown(self, timeout):
        try:
            self._soft_shutdown(timeout)
        except Exception as error:
            self._hard_shutdown()
            raise AbnormalShutdown("Could not perform graceful shutdown") from error

    def shutdown(self, has_quit=False, hard=False, timeout=30):
        """Ends QEMU and clears up: by `quit` within so many seconds, or by SIGKILL. Nothing if it is not launched.

        `has_quit` (up to QEMU 6.0): it has been told to end already.
        """
        if not self._launched:
            return
        self._quit_issued = self._quit_issued or has_quit
        try:
            if hard:
                self._user_killed = True
                self._hard_shutdown()
            else:
                self._do_shutdown(timeout)
        finally:
            self._post_shutdown()

    def kill(self):
        """SIGKILL, and clears up."""
        self.shutdown(hard=True)

    def wait(self, timeout=30):
        """Waits for an end that comes by itself, and clears up."""
        self._quit_issued = True
        self.shutdown(timeout=timeout)

    # The process.

    @property
    def _subp(self):
        if self._popen is None:
            raise QEMUMachineError("Subprocess pipe not present")
        return self._popen

    def is_running(self):
        """True while QEMU runs."""
        return self._popen is not None and self._popen.poll() is None

    def exitcode(self):
        """QEMU's exit code (negative: a signal), None while it runs or was not started."""
        return None if self._popen is None else self._popen.poll()

    def get_pid(self):
        """QEMU's number, None if it does not run."""
        return self._subp.pid if self.is_running() else None

    def get_log(self):
        """What QEMU printed, after its end."""
        return self._iolog

    # QMP.

    @property
    def _qmp(self):
        if self._qmp_connection is None:
            raise QEMUMachineError("Attempt to access QMP with no connection")
        return self._qmp_connection

    @classmethod
    def _qmp_args(cls, conv_keys, args):
        return {key.replace("_", "-"): value for key, value in args.items()} if conv_keys else args

    def qmp(self, cmd, args_dict=None, conv_keys=None, **args):
        """Runs a command; the whole reply. In the names of keyword arguments `_` stands for `-`."""
        # QEMU 5.2 has conv_keys as the second argument.
        if isinstance(args_dict, bool):
            args_dict, conv_keys = None, args_dict
        if args_dict is not None:
            assert not args
            assert conv_keys is None
            args, conv_keys = args_dict, False
        reply = self._qmp.cmd(cmd, args=self._qmp_args(conv_keys is not False, args))
        if cmd == "quit" and "return" in reply:
            self._quit_issued = True
        return reply

    def command(self, cmd, conv_keys=True, **args):
        """Runs a command; what it returns. An error is raised."""
        value = self._qmp.command(cmd, **self._qmp_args(conv_keys, args))
        if cmd == "quit":
            self._quit_issued = True
        return value

    def send_fd_scm(self, fd=None, file_path=None):
        """Passes a descriptor, or that of a file opened for reading, to QEMU."""
        if file_path is None:
            assert fd is not None
            self._qmp.send_fd_scm(fd)
            return 0
        assert fd is None
        with open(file_path, "rb") as opened:
            self._qmp.send_fd_scm(opened.fileno())
        return 0

    def get_qmp_event(self, wait=False):
        """The oldest event."""
        return self._events.pop(0) if self._events else self._qmp.pull_event(wait=wait)

    def get_qmp_events(self, wait=False):
        """All events, which are taken out."""
        events = self._qmp.get_events(wait=wait) + self._events
        del self._events[:]
        return events

    @staticmethod
    def event_match(event, match=None):
        """True if `match`, a dictionary of what is wanted, is contained in the event; None matches anything."""
        if match is None:
            return True
        if not isinstance(match, dict):
            return bool(match == event)
        if not isinstance(event, dict):
            return False
        return all(key in event and QEMUMachine.event_match(event[key], wanted) for key, wanted in match.items())

    def event_wait(self, name, timeout=60.0, match=None):
        """The first event of that name that matches; others stay."""
        return self.events_wait([(name, match)], timeout)

    def events_wait(self, events, timeout=60.0):
        """The first event that is one of (name, match); others stay."""

        def wanted(event):
            return any(event["event"] == name and self.event_match(event, match) for name, match in events)

        for event in self._events:
            if wanted(event):
                self._events.remove(event)
                return event
        while True:
            event = self._qmp.pull_event(wait=timeout)
            if event is None or wanted(event):
                return event
            self._events.append(event)

    def clear_qmp_events(self):
        """Drops all events."""
        self._qmp.clear_events()
        del self._events[:]

    @property
    def console_socket(self):
        """A socket that is connected to the console."""
        if self._console_socket is None:
            self._console_socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self._console_socket.connect(self._console_address)
        return self._console_socket

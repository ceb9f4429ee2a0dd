# SPDX-License-Identifier: GPL-2.0-or-later
"""A QEMU machine as tests know it."""

from aexpect import remote
from aexpect.client import RemoteSession
from virttest import qemu_monitor, utils_params
from virttest.qemu_devices import qcontainer


class VM:
    """A machine of the environment. Tests may set attributes of their own; the same VM is the same object."""

    LOGIN_TIMEOUT = 10
    LOGIN_WAIT_TIMEOUT = 240
    COPY_FILES_TIMEOUT = 600
    REBOOT_TIMEOUT = 240
    CREATE_TIMEOUT = 90

    @classmethod
    def _of_core(cls, core):
        vm = cls.__new__(cls)
        vm._core = core
        vm.params = utils_params.Params._of_core(core.params)
        vm._monitors = {}
        return vm

    def __repr__(self):
        return "<VM %s>" % self.name

    @property
    def name(self):
        return self._core.name

    @property
    def instance(self):
        return self._core.instance

    def get_params(self):
        """The parameters as this VM sees them; changes take effect with the next create()."""
        return self.params

    def create(self, name=None, params=None, root_dir=None, timeout=CREATE_TIMEOUT, **others):
        """Starts the machine; params, if given, replace its parameters. Raises VMCreateError."""
        if name not in (None, self.name):
            raise ValueError("the VM is called %s, it cannot be created as %s" % (self.name, name))
        for option, value in others.items():
            if value:
                raise NotImplementedError("vm.create(%s=…) is not supported yet" % option)
        if params is not None:
            for key in [key for key in self.params if key not in params]:
                del self.params[key]
            self.params.update(params)
        self._monitors.clear()
        self._core.create(timeout)

    def destroy(self, gracefully=True, free_mac_addresses=True):
        """Takes the machine down."""
        self._core.destroy(gracefully)
        self._monitors.clear()

    def is_alive(self):
        """True while it runs and its monitor answers."""
        return self._core.is_alive()

    def is_dead(self):
        """True once its process is gone."""
        return self._core.is_dead()

    def is_paused(self):
        """True while its processors are stopped."""
        return self._core.is_paused()

    def verify_alive(self):
        """Raises VMDeadError, VMDeadKernelCrashError or a MonitorError if it does not run properly."""
        self._core.verify_alive()

    def verify_kernel_crash(self):
        """Raises VMDeadKernelCrashError if the guest's kernel crashed."""
        self._core.verify_kernel_crash()

    def verify_status(self, status):
        """Raises VMStatusError unless it is in that state."""
        self._core.verify_status(status)

    def pause(self):
        """Stops its processors."""
        self._core.pause()

    def resume(self, timeout=None):
        """Lets them run again."""
        self._core.resume()

    def system_reset(self):
        """Presses the reset button."""
        self._core.system_reset()

    def send_key(self, keystr):
        """Presses keys: "ctrl-alt-delete"."""
        self._core.send_key(keystr)

    def send_string(self, sr):
        """Types a text, a key a character, in QEMU's names of keys."""
        for char in sr:
            self.send_key("shift-" + char.lower() if char.isupper() else char)

    def _nic_index(self, nic_index):
        if isinstance(nic_index, str):
            return self.params.objects("nics").index(nic_index)
        return nic_index

    def _is_other_user(self, username, password):
        ours = self.params.get("username", ""), self.params.get("password", "")
        return (username or ours[0], password or ours[1]) != ours

    def _no_other_user(self, username, password):
        if self._is_other_user(username, password):
            raise NotImplementedError("only the user of the parameters (%s) is supported here" % self.params.get("username"))

    def _login_as(self, login, username, password, nic_index, timeout):
        """A session of another user than the parameters'; login is a function of aexpect.remote."""
        return login(
            self.params.get("shell_client"),
            self.get_address(nic_index),
            self.get_port(self.params["shell_port"], nic_index),
            username or self.params["username"],
            password or self.params["password"],
            self.params.get("shell_prompt", r"[\#\$]\s*$"),
            self.params.get("shell_linesep", "\\n").encode().decode("unicode_escape"),
            timeout=timeout,
        )

    def _session(self, core, nic_index=None):
        attributes = {"client": self.params.get("shell_client"), "username": self.params.get("username")}
        if nic_index is not None:
            attributes["host"] = self.get_address(nic_index)
        return RemoteSession._of_core(core, **attributes)

    def login(self, nic_index=0, timeout=LOGIN_TIMEOUT, username=None, password=None):
        """A shell over the network, in one attempt."""
        if self._is_other_user(username, password):
            return self._login_as(remote.remote_login, username, password, nic_index, timeout)
        return self._session(self._core.login(self._nic_index(nic_index), timeout), nic_index)

    def wait_for_login(
        self,
        nic_index=0,
        timeout=LOGIN_WAIT_TIMEOUT,
        internal_timeout=LOGIN_TIMEOUT,
        serial=False,
        restart_network=False,
        username=None,
        password=None,
        status_check=True,
    ):
        """A shell over the network as soon as the guest lets us in; serial: on the console if it never does."""
        try:
            if self._is_other_user(username, password):
                return self._login_as(remote.wait_for_login, username, password, nic_index, timeout)
            return self._session(self._core.wait_for_login(self._nic_index(nic_index), timeout), nic_index)
        except Exception:
            if not serial or self.is_dead():
                raise
        return self.wait_for_serial_login(timeout, internal_timeout)

    def serial_login(self, timeout=LOGIN_TIMEOUT, username=None, password=None, virtio=False):
        """A shell on the serial console."""
        self._no_other_user(username, password)
        return self._session(self._core.serial_login(timeout))

    def wait_for_serial_login(
        self,
        timeout=LOGIN_WAIT_TIMEOUT,
        internal_timeout=LOGIN_TIMEOUT,
        restart_network=False,
        username=None,
        password=None,
        virtio=False,
        status_check=True,
        recreate_serial_console=False,
    ):
        """A shell on the serial console as soon as the guest lets us in."""
        self._no_other_user(username, password)
        return self._session(self._core.wait_for_serial_login(timeout))

    def reboot(self, session=None, method="shell", nic_index=0, timeout=REBOOT_TIMEOUT, serial=False, **others):
        """Reboots (method: shell or system_reset) and logs in again; returns the new session."""
        if method not in ("shell", "system_reset"):
            raise ValueError("unknown way to reboot: %r (there are shell and system_reset)" % method)
        if serial:
            raise NotImplementedError("rebooting with a login on the serial console is not supported yet")
        core = self._core.reboot(session and session._core, method, self._nic_index(nic_index), timeout)
        return self._session(core, nic_index)

    def wait_for_shutdown(self, timeout=240):
        """Waits until it ends by itself; False if it does not in time."""
        return self._core.wait_for_shutdown(timeout)

    def graceful_shutdown(self, timeout=240):
        """Shuts it down from inside; True if it ended in time."""
        with self.login() as session:
            session.sendline(self.params.get("shutdown_command", "shutdown -h now"))
        return self.wait_for_shutdown(timeout)

    def copy_files_to(
        self, host_path, guest_path, nic_index=0, limit="", verbose=False, timeout=COPY_FILES_TIMEOUT,
        username=None, password=None, filesize=None,
    ):  # fmt: skip
        """Copies files and directories into the guest; host_path may be a list."""
        self._no_other_user(username, password)
        for path in host_path if isinstance(host_path, (list, tuple)) else [host_path]:
            self._core.copy_files_to(path, guest_path, self._nic_index(nic_index), timeout)

    def copy_files_from(
        self, guest_path, host_path, nic_index=0, limit="", verbose=False, timeout=COPY_FILES_TIMEOUT,
        username=None, password=None, filesize=None,
    ):  # fmt: skip
        """Copies files and directories out of the guest."""
        self._no_other_user(username, password)
        self._core.copy_files_from(guest_path, host_path, self._nic_index(nic_index), timeout)

    @property
    def devices(self):
        """The devices of the running machine."""
        core = self._core.devices()
        known = self.__dict__.get("_devices")
        if known is None or known._core is not core:
            known = self._devices = qcontainer.DevContainer(core)
        return known

    @property
    def monitors(self):
        """All monitors."""
        return [self._monitor(name) for name in self._core.monitor_names()]

    @property
    def monitor(self):
        """The first monitor."""
        names = self._core.monitor_names()
        return self._monitor(names[0]) if names else None

    def get_monitors_by_type(self, mon_type):
        """The monitors that speak "qmp" or "human"."""
        return [monitor for monitor in self.monitors if monitor.protocol == mon_type]

    def _monitor(self, name):
        qmp = self._core.is_qmp(name)
        core = self._core.qmp_monitor(name) if qmp else self._core.human_monitor(name)
        known = self._monitors.get(name)
        if known is None or known._core is not core:
            known = qemu_monitor.QMPMonitor(self, core) if qmp else qemu_monitor.HumanMonitor(self, name, core)
            self._monitors[name] = known
        return known

    def screendump(self, filename, debug=True):
        """Writes the screen to a file: PNG, or PPM if its name ends so."""
        self._core.screendump(filename)

    def get_pid(self):
        """The process of QEMU."""
        return self._core.get_pid()

    def get_shell_pid(self):
        """The same: QEMU is started without a shell."""
        return self._core.get_pid()

    def get_address(self, index=0, ip_version="ipv4", session=None, timeout=60.0):
        """The address by which the host reaches a NIC."""
        return self._core.get_address(self._nic_index(index))

    def wait_for_get_address(self, nic_index_or_name, timeout=30, internal_timeout=1, ip_version="ipv4"):
        """The same."""
        return self.get_address(nic_index_or_name)

    def get_port(self, port, nic_index=0):
        """The port by which the host reaches one of the guest's."""
        return self._core.get_port(int(port), self._nic_index(nic_index))

    def get_mac_address(self, nic_index=0):
        """The MAC address of a NIC."""
        return self._core.get_mac_address(self._nic_index(nic_index))

    def get_vnc_port(self):
        """The port of its VNC server, or None."""
        return self._core.vnc_port()

    def get_serial_console_filename(self, name=None):
        """The log of a serial port."""
        return self._core.serial_log(name or "")

    def make_create_command(self):
        """The command line of the running machine."""
        return self._core.command_line()

    def needs_restart(self, name, params, basedir):
        """True if create() would start something else than what runs."""
        return name != self.name or self._core.needs_restart(params.data.core)

# SPDX-License-Identifier: GPL-2.0-or-later
"""What can go wrong with a VM, and the waits' defaults."""


class VMError(Exception):
    """Parent of what can go wrong with a VM."""

    _text = None

    @classmethod
    def _of_core(cls, text):
        """One that the core raised: it has put everything into its text."""
        error = cls.__new__(cls, text)
        error._text = text
        error.args = (text,)
        error._fields(text)
        return error

    def _fields(self, text):
        """Sets the attributes that tests look into."""

    def __str__(self):
        return self._text if self._text is not None else self._describe()

    def _describe(self):
        return Exception.__str__(self)


def _error(name, parent, doc):
    return type(name, (parent,), {"__doc__": doc, "__module__": __name__})


class VMCreateError(VMError):
    """It could not be started; output is what the emulator said."""

    def __init__(self, cmd, status, output):
        super().__init__(cmd, status, output)
        self.cmd, self.status, self.output = cmd, status, output

    def _fields(self, text):
        self.cmd, self.status, self.output = None, None, text

    def _describe(self):
        return "VM creation command failed:    %r    (status: %s,    output: %r)" % (
            self.cmd,
            self.status,
            self.output,
        )


class VMStartError(VMError):
    """It was made but does not run."""

    def __init__(self, name, reason=None, status=None):
        super().__init__(name, reason, status)
        self.name, self.reason, self.status = name, reason, status

    def _fields(self, text):
        self.name, self.reason, self.status = None, text, None

    def _describe(self):
        return "VM '%s' failed to start%s" % (self.name, ": %s" % self.reason if self.reason else "")


class VMDeadError(VMError):
    """It does not run any more."""

    def __init__(self, reason="", detail=""):
        super().__init__(reason, detail)
        self.reason, self.detail = reason, detail

    def _fields(self, text):
        self.reason, self.detail = text, ""

    def _describe(self):
        return "VM is dead%s%s" % (
            " due to %s" % self.reason if self.reason else "",
            " (%s)" % self.detail if self.detail else "",
        )


VMUnexpectedExitError = _error("VMUnexpectedExitError", VMDeadError, "Its process ended by itself.")


class VMDeadKernelCrashError(VMError):
    """The guest's kernel crashed."""

    def __init__(self, kernel_crash):
        super().__init__(kernel_crash)
        self.kernel_crash = kernel_crash

    def _fields(self, text):
        self.kernel_crash = text

    def _describe(self):
        return "VM is dead due to a kernel crash:\n%s" % self.kernel_crash


VMConfigMissingError = _error("VMConfigMissingError", VMError, "A parameter is missing or makes no sense.")
VMImageMissingError = _error("VMImageMissingError", VMError, "An image is not there.")
VMImageCheckError = _error("VMImageCheckError", VMError, "An image is damaged.")
VMKVMInitError = _error("VMKVMInitError", VMCreateError, "KVM cannot be used.")
VMInvalidInstructionCode = _error("VMInvalidInstructionCode", VMError, "The guest ran an invalid instruction.")
VMAddressError = _error("VMAddressError", VMError, "An address cannot be told.")
VMInterfaceIndexError = _error("VMInterfaceIndexError", VMError, "There is no such NIC.")
VMPortNotRedirectedError = _error("VMPortNotRedirectedError", VMAddressError, "No port of the host leads there.")
VMMACAddressMissingError = _error("VMMACAddressMissingError", VMAddressError, "The NIC has no MAC address.")
VMIPAddressMissingError = _error("VMIPAddressMissingError", VMAddressError, "The NIC has no IP address.")
VMUnknownNetTypeError = _error("VMUnknownNetTypeError", VMError, "The NIC's nettype is none that is known.")
VMStatusError = _error("VMStatusError", VMError, "It is not in the state that was wanted.")
VMRebootError = _error("VMRebootError", VMError, "It did not reboot.")
VMRemoveError = _error("VMRemoveError", VMError, "It cannot be removed.")
VMMigrateError = _error("VMMigrateError", VMError, "It could not be migrated.")
VMDeviceError = _error("VMDeviceError", VMError, "Something is wrong with a device.")
VMDeviceNotSupportedError = _error("VMDeviceNotSupportedError", VMDeviceError, "It cannot have such a device.")
VMScreenInactiveError = _error("VMScreenInactiveError", VMError, "Its screen has not changed for too long.")
VMLoginError = _error("VMLoginError", VMError, "It does not let us in.")
VMSMPTopologyInvalidError = _error("VMSMPTopologyInvalidError", VMError, "Sockets, cores and threads do not fit.")

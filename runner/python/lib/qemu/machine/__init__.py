# SPDX-License-Identifier: GPL-2.0-or-later
"""qemu.machine: a QEMU process with its monitor."""

from qemu.machine.machine import (
    AbnormalShutdown,
    QEMUMachine,
    QEMUMachineAddDeviceError,
    QEMUMachineError,
    VMLaunchFailure,
)
from qemu.machine.qtest import QEMUQtestMachine, QEMUQtestProtocol

__all__ = (
    "AbnormalShutdown",
    "QEMUMachine",
    "QEMUMachineAddDeviceError",
    "QEMUMachineError",
    "QEMUQtestMachine",
    "QEMUQtestProtocol",
    "VMLaunchFailure",
)

# SPDX-License-Identifier: GPL-2.0-or-later
"""qemu.qtest: its place before QEMU 6.1."""

from qemu.machine.qtest import QEMUQtestMachine, QEMUQtestProtocol

__all__ = ("QEMUQtestMachine", "QEMUQtestProtocol")

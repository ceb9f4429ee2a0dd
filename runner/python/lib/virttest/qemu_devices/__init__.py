# SPDX-License-Identifier: GPL-2.0-or-later
"""The devices of a running QEMU machine: handles to the nodes of the core's model."""

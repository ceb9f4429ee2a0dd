# SPDX-License-Identifier: GPL-2.0-or-later
"""QEMU's Python packages, as far as block tests use them: faces of the runner's core."""

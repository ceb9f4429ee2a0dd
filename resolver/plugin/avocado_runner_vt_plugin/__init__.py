# SPDX-License-Identifier: GPL-2.0-or-later
"""Avocado's view of avocado-runner-vt: options, settings, a resolver. Whatever there is to decide, the binary decides."""

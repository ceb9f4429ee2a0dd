# SPDX-License-Identifier: GPL-2.0-or-later
"""Helpers for the host's and the guest's own services and memory."""

# SPDX-License-Identifier: GPL-2.0-or-later
"""Logins and transfers under their Avocado-VT name; they are aexpect's."""

from aexpect.remote import *  # noqa: F401,F403

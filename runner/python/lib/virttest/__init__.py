# SPDX-License-Identifier: GPL-2.0-or-later
"""What tests written for Avocado-VT import, over the runner's own core. What is not here yet raises ImportError."""

# SPDX-License-Identifier: GPL-2.0-or-later
"""A TCP server and client to be used without drivers."""

from testplan.common.utils.sockets.client import Client
from testplan.common.utils.sockets.codec import Codec
from testplan.common.utils.sockets.message import Message
from testplan.common.utils.sockets.server import Server

__all__ = ("Client", "Codec", "Message", "Server")

# SPDX-License-Identifier: GPL-2.0-or-later
"""Messages as bytes."""


class Codec:
    """UTF-8."""

    def parse(self, buffer):
        return buffer.decode("utf-8")

    def serialize(self, msg):
        return msg.encode("utf-8")

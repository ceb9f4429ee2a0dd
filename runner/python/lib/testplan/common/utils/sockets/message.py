# SPDX-License-Identifier: GPL-2.0-or-later
"""A message with its codec."""


class Message:
    def __init__(self, data=None, codec=None):
        self.data = data
        self.codec = codec

    @classmethod
    def from_buffer(cls, data, codec):
        """The message that these bytes are."""
        return cls(codec.parse(data), codec)

    def to_buffer(self):
        """Its bytes."""
        return self.codec.serialize(self.data)

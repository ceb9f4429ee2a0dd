# SPDX-License-Identifier: GPL-2.0-or-later
"""Objects as bytes and back. Plain pickle: a Config travels as what the user gave it, so it needs no more."""

import pickle


class SerializationError(Exception):
    pass


class DeserializationError(Exception):
    pass


def serialize(obj):
    """Throws SerializationError saying what cannot travel."""
    try:
        return pickle.dumps(obj)
    except (pickle.PickleError, TypeError, AttributeError) as error:
        raise SerializationError(f"{obj!r} cannot be serialized: {error}") from error


def deserialize(data):
    """Bytes of serialize(), from a source that is trusted: loading runs what they say."""
    try:
        return pickle.loads(data)
    except (pickle.PickleError, EOFError, TypeError, AttributeError, ImportError) as error:
        raise DeserializationError(f"these {len(data)} bytes are no serialized object: {error}") from error

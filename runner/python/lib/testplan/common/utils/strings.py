# SPDX-License-Identifier: GPL-2.0-or-later
"""Texts."""


def to_str(value, encoding="utf-8", errors="strict"):
    """Text of text or bytes."""
    if isinstance(value, bytes):
        return value.decode(encoding, errors)
    if isinstance(value, str):
        return value
    raise TypeError(f"Unexpected type '{type(value)}'")


def to_bytes(value, encoding="utf-8", errors="strict"):
    """Bytes of text or bytes."""
    if isinstance(value, str):
        return value.encode(encoding, errors)
    if isinstance(value, bytes):
        return value
    raise TypeError(f"Unexpected type '{type(value)}'")


def map_to_str(value):
    """Bytes as the characters of their numbers."""
    return value.decode("latin-1") if isinstance(value, bytes) else value


def slugify(value):
    """A name for a directory: ASCII, lower case, words with hyphens."""
    import re
    import unicodedata

    text = unicodedata.normalize("NFKD", value).encode("ascii", "ignore").decode()
    text = re.sub(r"[^\w\s-]", "", text, flags=re.ASCII).strip().lower()
    return re.sub(r"[-\s]+", "-", text)


def uuid4():
    import uuid

    return str(uuid.uuid4())


def format_description(description):
    """Without empty lines and without what all lines are indented by."""
    import textwrap

    return textwrap.dedent("\n".join(line for line in description.splitlines() if line.strip()))


def indent(lines_str, indent_size=2):
    import textwrap

    return textwrap.indent(lines_str, " " * indent_size, lambda line: True)


def get_docstring(obj):
    """Its documentation without what all lines are indented by; None without any."""
    import inspect

    return inspect.cleandoc(obj.__doc__) if getattr(obj, "__doc__", None) else None

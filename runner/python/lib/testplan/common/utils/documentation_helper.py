# SPDX-License-Identifier: GPL-2.0-or-later
"""Marks for documentation: which members a reader should look at first. `{emphasized_members_docs}` in a class's text
becomes their list."""


def emphasized(member):
    """Marks a method or a property."""
    target = member.fget if isinstance(member, property) else member
    target.__emphasized__ = True
    return member


def _is_emphasized(member):
    return getattr(member.fget if isinstance(member, property) else member, "__emphasized__", False)


class _Documented(type):
    def __new__(mcs, name, bases, namespace, **kwargs):
        text = namespace.get("__doc__")
        if text and "{emphasized_members_docs}" in text:
            members = {}
            for base in reversed(bases):
                for parent in reversed(base.__mro__):
                    members.update(vars(parent))
            members.update(namespace)
            listed = "\n".join(f"    * {key}" for key, member in members.items() if _is_emphasized(member))
            namespace["__doc__"] = text.replace("{emphasized_members_docs}", f"Most used:\n{listed}\n")
        return super().__new__(mcs, name, bases, namespace, **kwargs)


def get_metaclass_for_documentation():
    return _Documented

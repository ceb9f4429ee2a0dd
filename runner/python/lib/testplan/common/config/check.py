# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether a value is what an option wants, in the words of the package `schema`: types, functions, values, Or, And, Use.

The package itself is not needed; its objects are taken where a script uses them (all that has a method `validate`), and
its exception is raised where a script has imported it.
"""

import sys


class SchemaError(Exception):
    """A value is not what its option wants."""


class SchemaMissingKeyError(SchemaError):
    pass


class SchemaWrongKeyError(SchemaError):
    pass


def _error(text, kind="SchemaError"):
    theirs = getattr(sys.modules.get("schema"), kind, None)
    return theirs(text) if theirs is not None else globals()[kind](text)


def _is_error(error):
    theirs = getattr(sys.modules.get("schema"), "SchemaError", SchemaError)
    return isinstance(error, (SchemaError, theirs))


def check(wanted, value):
    """`value`, perhaps made into something else by Use. Raises SchemaError."""
    validate = getattr(wanted, "validate", None)
    if validate is not None and not isinstance(wanted, type):
        return validate(value)
    if isinstance(wanted, dict):
        return Schema(wanted).validate(value)
    if isinstance(wanted, (list, tuple, set, frozenset)):
        if not isinstance(value, type(wanted)):
            raise _error(f"{value!r} should be instance of '{type(wanted).__name__}'")
        return type(value)(Or(*wanted).validate(item) for item in value)
    if isinstance(wanted, type):
        if isinstance(value, wanted):
            return value
        raise _error(f"{value!r} should be instance of '{wanted.__name__}'")
    if callable(wanted):
        name = getattr(wanted, "__name__", repr(wanted))
        try:
            fits = wanted(value)
        except Exception as error:
            if _is_error(error):
                raise
            raise _error(f"{name}({value!r}) raised {error!r}") from error
        if fits:
            return value
        raise _error(f"{name}({value!r}) should evaluate to True")
    if wanted == value:
        return value
    raise _error(f"{wanted!r} does not match {value!r}")


class Or:
    """One of them."""

    def __init__(self, *wanted):
        self.wanted = wanted

    def validate(self, value):
        found = []
        for wanted in self.wanted:
            try:
                return check(wanted, value)
            except Exception as error:
                if not _is_error(error):
                    raise
                found.append(str(error))
        raise _error(f"{value!r} is none of what is possible:\n" + "\n".join(found))


class And:
    """All of them, each one gets what the one before it made."""

    def __init__(self, *wanted):
        self.wanted = wanted

    def validate(self, value):
        for wanted in self.wanted:
            value = check(wanted, value)
        return value


class Use:
    """Makes something else of the value."""

    def __init__(self, function):
        self.function = function

    def validate(self, value):
        try:
            return self.function(value)
        except Exception as error:
            raise _error(f"{self.function!r}({value!r}) raised {error!r}") from error


class Schema:
    """Options by their names."""

    def __init__(self, options, ignore_extra_keys=False):
        self._schema = options
        self.ignore_extra_keys = ignore_extra_keys

    def validate(self, values):
        if not isinstance(values, dict):
            raise _error(f"{values!r} should be instance of 'dict'")
        by_name = {key_name(key): (key, wanted) for key, wanted in self._schema.items()}
        made = {}
        for name, value in values.items():
            if name not in by_name:
                if self.ignore_extra_keys:
                    continue
                raise _error(f"Wrong key {name!r} in {values!r}", "SchemaWrongKeyError")
            try:
                made[name] = check(by_name[name][1], value)
            except Exception as error:
                if not _is_error(error):
                    raise
                raise _error(f"Key {name!r} error:\n{error}") from error
        for name, (key, _) in by_name.items():
            if name not in made and isinstance(key, str):
                raise _error(f"Missing key: {name!r}", "SchemaMissingKeyError")
        return made


def key_name(key):
    """The name of an option, which is a text or an object that has one."""
    return getattr(key, "_schema", key)

# SPDX-License-Identifier: GPL-2.0-or-later
"""Config: the options of an entity, its own ones before defaults, and both before its container's."""

from testplan.common.config.check import Schema, key_name
from testplan.common.utils.loggable import Loggable


class _Absent:
    """Stands where no value is, not even None."""

    def __repr__(self):
        return "ABSENT"

    def __reduce__(self):
        return "ABSENT"


ABSENT = _Absent()


class UNSET_T:
    """A default that is false and is told from a value that a user gave."""

    def __eq__(self, other):
        return isinstance(other, UNSET_T)

    def __bool__(self):
        return False

    def __hash__(self):
        return hash(UNSET_T)


UNSET = UNSET_T()


def validate_func(*arg_names):
    """A check: None, or a function that takes arguments of these names."""

    def check_function(function):
        from testplan.common.utils.interface import check_signature

        return function is None or (callable(function) and check_signature(function, list(arg_names)))

    return check_function


class ConfigOption:
    """An option that need not be given. Without a default its value is the container's."""

    def __init__(self, key, default=ABSENT):
        self._schema = key
        if default is not ABSENT:
            self.custom_default = default

    def __repr__(self):
        return f"ConfigOption({self._schema!r})"


class Configurable(Loggable):
    """What is made from options."""

    @classmethod
    def with_config(cls, **config):
        return cls, config


def update_options(target, source):
    """Adds to `target` the options of `source` that it lacks, by their names."""
    known = {key_name(key) for key in target}
    for key, wanted in source.items():
        if key_name(key) not in known:
            target[key] = wanted


class Config:
    """Checked options. An attribute is what the user gave, else a default, else what the parent says."""

    ignore_extra_keys = False

    def __init__(self, **options):
        self._parent = None
        self._cfg_input = options
        self._take(options)

    def _take(self, options):
        schema = self._schema_of_class()
        self._options = schema.validate(options)
        for key in schema._schema:
            name = key_name(key)
            if name not in self._options and hasattr(key, "custom_default"):
                self._options[name] = key.custom_default

    @classmethod
    def _schema_of_class(cls):
        # get_options() of the whole line is asked once for a class, unless it is a nested one's own business.
        if "_schema_cache" not in cls.__dict__:
            cls._schema_cache = cls.build_schema()
        return cls._schema_cache

    def __getattr__(self, name):
        if name.startswith("__") or name == "_options":
            raise AttributeError(name)
        value = self._options.get(name, ABSENT)
        if value is not ABSENT:
            return value
        if self._parent is not None:
            return getattr(self._parent, name)
        raise AttributeError(f'Attribute "{name}" not found in {self!r}')

    def __repr__(self):
        return f"{type(self).__name__}{self._options}"

    def __getstate__(self):
        # Defaults may be functions that cannot travel; they are known where the class is.
        return {"parent": self._parent, "given": self._cfg_input}

    def __setstate__(self, state):
        self._parent = state["parent"]
        self._cfg_input = state["given"]
        self._take(self._cfg_input)

    def get_local(self, name, default=None):
        """The option's own value, not a container's."""
        value = self._options.get(name, ABSENT)
        return default if value is ABSENT else value

    def set_local(self, name, value):
        """Sets it without a check."""
        self._options[name] = value

    @property
    def parent(self):
        """The container's configuration."""
        return self._parent

    @parent.setter
    def parent(self, value):
        if self._parent is not None:
            raise AttributeError(f"Cannot overwrite parent: {self._parent}\n self: {self}\n value: {value}")
        self._parent = value

    def denormalize(self):
        """A configuration of its own, which has what its parents say."""
        import copy

        new = object.__new__(type(self))
        values = {}
        for name in self._options:
            try:
                values[name] = copy.deepcopy(getattr(self, name))
            except Exception as error:
                from testplan.common.utils.logger import TESTPLAN_LOGGER

                TESTPLAN_LOGGER.warning("Option %s cannot be copied and is left out: %s", name, error)
        new._parent = None
        new._cfg_input = values
        new._options = values
        return new

    @classmethod
    def get_options(cls):
        """The options of this class alone; to be overridden."""
        raise NotImplementedError(f"{cls.__name__} has no get_options()")

    @classmethod
    def build_schema(cls):
        """The options of this class and its parents, to check with."""
        options = dict(cls.get_options())
        for parent in cls.__mro__[1:]:
            if parent is not Config and issubclass(parent, Config):
                # The parent's own function, with this class as cls: it may look at what this one overrides.
                update_options(options, parent.get_options.__func__(cls))
        return Schema(options, ignore_extra_keys=cls.ignore_extra_keys)

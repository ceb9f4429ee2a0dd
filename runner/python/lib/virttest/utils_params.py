# SPDX-License-Identifier: GPL-2.0-or-later
"""Params: the dictionary of a test's parameters, over the core's."""

from collections import OrderedDict, UserDict
from collections.abc import MutableMapping

import _vt


def __getattr__(name):
    # Its parent is Avocado's, which takes a third of a second to import: made when somebody names or raises it.
    if name == "ParamNotFound":
        from _vtglue import statuses

        param_not_found = type(
            "ParamNotFound",
            (statuses.exceptions().TestSkipError,),
            {"__module__": __name__, "__doc__": "A parameter that the test cannot do without is not set."},
        )
        globals()[name] = param_not_found
        return param_not_found
    raise AttributeError("module %r has no attribute %r" % (__name__, name))


def _missing(key):
    return __getattr__("ParamNotFound")(
        "Mandatory parameter '%s' is missing. Check your cfg files for typos/mistakes" % (key,)
    )


class _Data(MutableMapping):
    """The dictionary itself. The core holds text; values of other types stay here beside their text in the core."""

    __slots__ = ("core", "objects")

    def __init__(self, core, objects=None):
        self.core = core
        self.objects = objects or {}

    def __getitem__(self, key):
        if key in self.objects:
            return self.objects[key]
        value = self.core.get(key)
        if value is None:
            raise KeyError(key)
        return value

    def __setitem__(self, key, value):
        if isinstance(value, str) and isinstance(key, str):
            self.core.set(key, value)
            self.objects.pop(key, None)
            return
        if isinstance(key, str):
            self.core.set(key, "" if value is None else str(value))
        self.objects[key] = value

    def __delitem__(self, key):
        known = isinstance(key, str) and self.core.erase(key)
        if self.objects.pop(key, self) is self and not known:
            raise KeyError(key)

    def __contains__(self, key):
        return key in self.core or key in self.objects

    def __iter__(self):
        yield from self.core.keys()
        yield from [key for key in self.objects if not isinstance(key, str)]

    def __len__(self):
        return len(self.core) + sum(not isinstance(key, str) for key in self.objects)

    def __repr__(self):
        return repr(dict(self))

    def copy(self):
        return _Data(_vt.Params(self.core), dict(self.objects))


class Params(UserDict):
    """A dictionary of texts in which a key with an object's name as its suffix overrides the plain one for it."""

    def __init__(self, dict=None, /, **kwargs):  # as UserDict's
        self.data = _Data(_vt.Params())
        if dict is not None:
            self.update(dict)
        self.update(kwargs)

    @classmethod
    def _of_core(cls, core, objects=None):
        params = cls.__new__(cls)
        params.data = _Data(core, objects)
        return params

    def __reduce__(self):
        return Params, (dict(self.data),)

    def __getitem__(self, key):
        data = self.data
        if not data.objects:
            value = data.core.get(key)
            if value is None:
                raise _missing(key)
            return value
        try:
            return data[key]
        except KeyError:
            raise _missing(key) from None

    def get(self, key, default=None):
        """The value, or default."""
        data = self.data
        return data.get(key, default) if data.objects else data.core.get(key, default)

    def setdefault(self, key, failobj=None):
        """The value, which becomes failobj if there is none."""
        if key not in self:
            self[key] = failobj
        return self[key]

    def update(self, *args, **kwargs):
        """As a dictionary's."""
        if len(args) == 1 and isinstance(args[0], Params):
            # Not by __getitem__ of each key: half of the time of a test's parameter handling.
            for key, value in args[0].data.items():
                self.data[key] = value
            args = ()
        super().update(*args, **kwargs)

    def copy(self):
        """A copy that later changes do not touch."""
        return self._of_core(_vt.Params(self.data.core), dict(self.data.objects))

    __copy__ = copy

    def objects(self, key):
        """The names in a list of objects ("vms", "nics"), each once."""
        if key in self.data.objects:
            return list(dict.fromkeys(self.data.objects[key].split()))
        return self.data.core.objects(key)

    def object_params(self, obj_name):
        """The parameters as one object sees them: `mem_vm1` is also `mem` for vm1."""
        objects, suffix = dict(self.data.objects), "_" + obj_name
        for key in self.data.objects:
            if isinstance(key, str) and key.endswith(suffix):
                objects[key.split(suffix)[0]] = objects[key]
        for key in objects:
            # What has a suffixed text of its own is that text, whatever object the plain key holds.
            if isinstance(key, str) and key + suffix in self.data.core and key + suffix not in self.data.objects:
                objects = {k: v for k, v in objects.items() if k != key}
        return self._of_core(self.data.core.object_params(obj_name), objects)

    def object_counts(self, count_key, base_name):
        """Yields (base1, value or None), … up to the number under count_key, 1 if that is not set."""
        copy = self.copy()
        for number in range(1, int(self.get(count_key, 1)) + 1):
            key = "%s%s" % (base_name, number)
            yield key, copy.get(key)

    def copy_from_keys(self, keys):
        """The keys that are set and not empty."""
        return Params({key: self.get(key) for key in keys if self.get(key)})

    def get_boolean(self, key, default=False):
        """True for yes, on, true; False for no, off, false; ValueError for anything else."""
        value = self.get(key, "yes" if default else "no")
        if value in ("yes", "on", "true"):
            return True
        if value in ("no", "off", "false"):
            return False
        raise ValueError("parameter %s = %r is neither yes, on, true nor no, off, false" % (key, value))

    def get_numeric(self, key, default=0, target_type=int):
        """The value as a number."""
        return target_type(self.get(key, default))

    def get_list(self, key, default="", delimiter=None, target_type=str):
        """The words of the value, repeats kept; [] for an empty one."""
        value = self.get(key, default)
        return [target_type(entry) for entry in value.split(delimiter)] if value else []

    def get_dict(self, key, default="", delimiter=None, need_order=False):
        """The words of the value as name=value."""
        result = OrderedDict() if need_order else {}
        for entry in self.get_list(key, default, delimiter):
            name, equals, value = entry.partition("=")
            if not equals:
                raise ValueError('parameter %s: there is no "=" in "%s"' % (key, entry))
            result[name.strip()] = value.strip()
        return result

    def drop_dict_internals(self):
        """The keys that do not begin with _."""
        return Params({key: value for key, value in self.items() if not key.startswith("_")})

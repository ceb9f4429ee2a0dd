# SPDX-License-Identifier: GPL-2.0-or-later
"""Devices and back ends as tests make them to plug them."""

import _vt


class QBaseDevice:
    """A handle to one node of a machine, or to one that is not in a machine yet."""

    form = "device"

    def __init__(self, dev_type="QBaseDevice", params=None, aobject=None, parent_bus=None, child_bus=None):
        params = dict(params or {})
        driver = params.pop("driver", None) or dev_type
        qid = params.pop("id", None) or aobject or ""
        self._core = _vt.Node(self.form, driver, qid)
        self._aobject = aobject
        for option, value in params.items():
            self.set_param(option, value)

    @classmethod
    def _of_core(cls, core):
        """The handle to a node of the core, of the class that fits its form."""
        device = _BY_FORM.get(core.form, QBaseDevice)
        device = device.__new__(device)
        device._core = core
        device._aobject = core.origin or None
        return device

    @property
    def aobject(self):
        """The object of the parameters that it was made for."""
        return self._aobject

    @property
    def params(self):
        """A copy of its properties."""
        return self._core.params()

    def get_qid(self):
        """Its id in QEMU."""
        return self._core.qid

    def get_aid(self):
        """The same."""
        return self._core.qid

    def get_param(self, option, default=None):
        """A property, or default."""
        return self._core.get_param(option, default)

    def set_param(self, option, value, option_type=None):
        """Sets a property; None removes it."""
        if value is not None and option_type is bool:
            value = value in ("yes", "on", True)
        self._core.set_param(option, value)
        # What a property refers to has to be there first.
        if option in _REFERENCES and value is not None:
            self._core.needs = [need for need in self._core.needs if need != value] + [value]

    def __getitem__(self, option):
        value = self.get_param(option)
        if value is None:
            raise KeyError(option)
        return value

    def __setitem__(self, option, value):
        self.set_param(option, value)

    def __eq__(self, other):
        return isinstance(other, QBaseDevice) and self._core is other._core

    def __hash__(self):
        return id(self._core)

    def __repr__(self):
        return "<%s %s (%s)>" % (type(self).__name__, self.get_qid(), self._core.driver)

    def str_short(self):
        """Its name, for logs."""
        return "'%s'" % self.get_qid()

    def str_long(self):
        """Its name and properties, for logs."""
        return "%r\n%s" % (self, "\n".join("  %s = %r" % pair for pair in sorted(self.params.items())))


class QDevice(QBaseDevice):
    """A device (-device, device_add)."""


class QObject(QBaseDevice):
    """An object (-object, object-add)."""

    form = "object"


class QNetdev(QBaseDevice):
    """The host's side of a network card."""

    form = "netdev"


class CharDevice(QBaseDevice):
    """The host's side of a serial port or the like."""

    form = "chardev"

    def __init__(self, params=None, parent_bus=None):
        params = dict(params or {})
        super().__init__(params.pop("backend", "null"), params)


class QBlockdevNode(QBaseDevice):
    """A block node."""

    form = "blockdev"


_REFERENCES = {"drive", "netdev", "chardev", "rng", "memdev", "iothread", "file", "backing", "throttle-group"}
_BY_FORM = {cls.form: cls for cls in (QDevice, QObject, QNetdev, CharDevice, QBlockdevNode)}

# SPDX-License-Identifier: GPL-2.0-or-later
"""Values of other drivers, known once they have started: `context("server", "{{port}}")`.

Texts with plain names are filled in by the core. Expressions need Jinja2, which is used where it is installed, or the old
syntax of Tempita; either is imported when the first such text is met.
"""

import sys

import _vt


def parse_template(template):
    """A Jinja2 template, or one of Tempita if it is none of Jinja2's."""
    try:
        import jinja2
    except ImportError:
        jinja2 = None
    from testplan.vendor.tempita import Template as Tempita

    if jinja2 is None:
        try:
            return Tempita(template)
        except Exception as error:
            raise ValueError(f"'{template}' has expressions, which need the package jinja2") from error
    try:
        return jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True).from_string(template)
    except jinja2.TemplateError:
        import warnings

        try:
            parsed = Tempita(template)
        except Exception:
            parsed = None
        if parsed is None:
            raise
        warnings.warn(
            f"'{template}' is no Jinja2 template and is read as one of Tempita, which is on its way out; write it for Jinja2",
            FutureWarning,
            stacklevel=2,
        )
        return parsed


class ContextValue:
    """A driver's name and a text with names of its values, to be resolved when another driver starts."""

    def __init__(self, driver, value):
        if not isinstance(value, str):
            raise TypeError(f"a context value is a text with {{{{names}}}}, not {value!r}")
        self.driver = driver
        self.value = value
        self._template = None if _vt.driver.is_simple(value) else parse_template(value)

    @property
    def template(self):
        """The text as a template object."""
        return self._template or parse_template(self.value)

    def __str__(self):
        return f"context('{self.driver}', '{self.value}')"

    __repr__ = __str__

    def __call__(self, ctx):
        """The text with the values of the driver in `ctx`. Raises ValueError for a value that is not there."""
        if ctx is None:
            raise ValueError(
                f"{self} cannot be resolved: there is no environment that has a driver '{self.driver}'; add both drivers to one"
            )
        if self.driver not in ctx:
            raise RuntimeError(f'Driver "{self.driver}" is not present in context.')
        driver = ctx[self.driver]
        try:
            if self._template is None:
                return _vt.driver.render(self.value, _values_of(driver))
            return render(self._template, driver.context_input())
        except ValueError as error:
            raise ValueError(f"{self} cannot be resolved: {error}; is driver '{self.driver}' started before?") from error


def _values_of(driver):
    """A function from names to texts; attributes are only asked for where a name is used."""
    from testplan.common.entity.base import Entity

    if isinstance(driver, Entity) and type(driver).context_input is Entity.context_input:
        return _dotted(lambda name: getattr(driver, name, None))
    return _dotted(driver.context_input().get)


def _dotted(lookup):
    def value_of(name):
        first, *rest = name.split(".")
        value = lookup(first)
        for part in rest:
            value = value.get(part) if isinstance(value, dict) else getattr(value, part, None)
        return None if value is None else str(value)

    return value_of


def context(driver, value):
    """The value of a driver that is started before; `value` is a text such as "{{host}}:{{port}}"."""
    return ContextValue(driver, value)


def is_context(value):
    return isinstance(value, ContextValue)


def expand(value, contextobj, constructor=None):
    """A context value's text (through `constructor`, if there is one), anything else as it is."""
    if not is_context(value):
        return value
    text = value(contextobj)
    return constructor(text) if constructor else text


def render(template, context):
    """A text or a template with the values of a dictionary."""
    if isinstance(template, str):
        if _vt.driver.is_simple(template):
            return _vt.driver.render(template, _dotted(context.get))
        template = parse_template(template)
    if hasattr(template, "substitute"):
        return template.substitute(context)
    undefined = getattr(sys.modules.get("jinja2"), "UndefinedError", ())
    try:
        return template.render(context)
    except undefined as error:
        raise ValueError(str(error)) from error

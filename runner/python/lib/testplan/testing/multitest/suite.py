# SPDX-License-Identifier: GPL-2.0-or-later
"""Decorators: which class is a suite, which method a case, and with which parameters."""

import itertools


def _set(target, name, value):
    setattr(target, name, value)
    return target


def testsuite(*args, **options):
    """Class decorator, with or without options: name, tags, setup_timeout, teardown_timeout, strict_order."""
    if len(args) == 1 and not options and isinstance(args[0], type):
        return _suite(args[0], {})
    if args:
        raise TypeError("@testsuite takes keywords only")
    return lambda cls: _suite(cls, options)


def _suite(cls, options):
    seen = {}
    for parent in reversed(cls.__mro__):
        for name, member in vars(parent).items():
            if getattr(member, "__testcase__", None) is not None:
                seen[name] = None
    cls.__testcases__ = list(seen)
    cls.__suite_options__ = options
    if not hasattr(cls, "name"):
        cls.name = property(lambda self: suite_name(self))
    return cls


testsuite.__test__ = False


def testcase(*args, **options):
    """Method decorator, with or without options: name, tags, parameters, summarize, timeout, exclude, name_func,
    docstring_func, custom_wrappers, execution_group, num_of_failing."""
    if len(args) == 1 and not options and callable(args[0]):
        return _set(args[0], "__testcase__", {})
    if args:
        raise TypeError("@testcase takes keywords only")
    return lambda function: _set(function, "__testcase__", options)


testcase.__test__ = False


def xfail(reason, strict=False):
    """The case (or every case of the suite) is expected to fail; with `strict` it has to."""
    return lambda target: _set(target, "__xfail__", {"reason": reason, "strict": strict})


def skip_if(*predicates):
    """The case is left out if one of the functions, which get the suite, says True."""
    return lambda target: _set(target, "__skip__", tuple(predicates) + tuple(getattr(target, "__skip__", ())))


def skip_if_testcase(*predicates):
    """The same for every case of a suite."""
    return lambda cls: _set(cls, "__skip_cases__", predicates)


def timeout(seconds):
    """Method decorator for setup and teardown."""
    return lambda function: _set(function, "__timeout__", seconds)


def pre_testcase(*functions):
    """Class decorator: called before each case with (name, suite, env, result)."""
    return lambda cls: _set(cls, "pre_testcase", _chain(functions))


def post_testcase(*functions):
    """Class decorator: called after each case with (name, suite, env, result)."""
    return lambda cls: _set(cls, "post_testcase", _chain(functions))


def _chain(functions):
    def call(self, name, env, result):
        for function in functions:
            function(name, self, env, result)

    return call


def suite_name(suite):
    """The name of a suite in reports."""
    name = type(suite).__dict__.get("__suite_options__", {}).get("name")
    if callable(name):
        name = name(type(suite).__name__, suite)
    return name or type(suite).__name__


class Case:
    """A case to run: the method, and its arguments if it has parameters."""

    def __init__(self, suite, method_name, name, arguments=None, group=None):
        self.suite = suite
        self.method_name = method_name
        self.name = name
        self.arguments = arguments or {}
        self.group = group
        self.function = getattr(suite, method_name)
        self.options = self.function.__testcase__

    def __call__(self, env, result):
        return self.function(env, result, **self.arguments)

    @property
    def xfail(self):
        return getattr(self.function, "__xfail__", None) or getattr(type(self.suite), "__xfail__", None)

    @property
    def skipped(self):
        """Whether a predicate leaves it out."""
        predicates = getattr(self.function, "__skip__", ()) + getattr(type(self.suite), "__skip_cases__", ())
        return any(predicate(self.suite) for predicate in predicates)


def _own_arguments(function):
    """The names of the parameters behind env and result, and the defaults among them."""
    import inspect

    found = list(inspect.signature(function).parameters.values())[2:]
    return [each.name for each in found], {each.name: each.default for each in found if each.default is not each.empty}


def _combinations(function, parameters):
    """Dictionaries of arguments: of a list of them (dictionaries, tuples, single values), or all of a dictionary of lists."""
    names, defaults = _own_arguments(function)
    if isinstance(parameters, dict):
        keys = list(parameters)
        rows = [dict(zip(keys, values)) for values in itertools.product(*(parameters[key] for key in keys))]
    else:
        rows = []
        for row in parameters:
            if isinstance(row, dict):
                rows.append(dict(row))
            else:
                rows.append(dict(zip(names, row if isinstance(row, (tuple, list)) else (row,))))
    for row in rows:
        unknown = [key for key in row if key not in names]
        missing = [name for name in names if name not in row and name not in defaults]
        if unknown or missing:
            raise ValueError(
                f"parameters of {function.__name__}: "
                + "; ".join(
                    ([f"{unknown} are no arguments of it"] if unknown else []) + ([f"{missing} have no value"] if missing else [])
                )
            )
    return [{name: row.get(name, defaults.get(name)) for name in names} for row in rows]


def default_name_func(func_name, kwargs):
    """ "case <a=1, b='x'>"."""
    return f"{func_name} <{', '.join(f'{key}={value!r}' for key, value in kwargs.items())}>"


def cases_of(suite):
    """All cases of a suite in the order of their definition, those with parameters one for each combination."""
    if not hasattr(type(suite), "__testcases__"):
        raise TypeError(f"{type(suite).__name__} is no suite: @testsuite is missing")
    for method_name in type(suite).__testcases__:
        function = getattr(suite, method_name)
        options = getattr(function, "__testcase__", None)
        if options is None:
            continue
        name = options.get("name") or method_name
        parameters = options.get("parameters")
        if parameters is None:
            yield Case(suite, method_name, name)
            continue
        exclude, name_func = options.get("exclude"), options.get("name_func") or default_name_func
        for arguments in _combinations(function, parameters):
            if exclude is None or not exclude(**arguments):
                yield Case(suite, method_name, name_func(name, dict(arguments)), arguments, group=name)


__all__ = ("testsuite", "testcase", "xfail", "skip_if", "skip_if_testcase", "timeout", "pre_testcase", "post_testcase")

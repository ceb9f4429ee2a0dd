# SPDX-License-Identifier: GPL-2.0-or-later
"""Which drivers start before which."""

import _vt


class DriverDepGraph:
    """The core's bookkeeping of a start (or a stop), by the drivers themselves."""

    def __init__(self, core=None, drivers=None):
        self._core = core or _vt.driver.Dependencies()
        self._drivers = drivers or {}

    @classmethod
    def new(cls):
        return cls()

    @property
    def vertices(self):
        """The drivers that are left, by their identities."""
        return {key: self._drivers[key] for key in self._core.members}

    @property
    def edges(self):
        """For each driver those that wait for it."""
        return {key: dict.fromkeys(self._core.followers(key)) for key in self._core.members}

    @property
    def processing(self):
        return self._core.begun

    @property
    def processed(self):
        """Identities of those that are done, in the order of their ends."""
        return self._core.finished

    def __len__(self):
        return len(self._core.members)

    def add_vertex(self, rep, val):
        self._drivers[rep] = val
        self._core.add(rep, str(val))

    def add_edge(self, src, dst, val=None):
        self._core.add_edge(src, dst)

    def remove_vertex(self, rep):
        self._core.remove(rep)

    def cycles(self):
        """The names along a circle, in a list; empty without one."""
        circle = self._core.circle()
        return [circle] if circle else []

    def drivers_to_process(self):
        return [self._drivers[key] for key in self._core.ready()]

    def drivers_processing(self):
        return [self._drivers[key] for key in self._core.begun]

    def all_drivers_processed(self):
        return self._core.empty

    def mark_processing(self, driver):
        self._core.begin(id(driver))

    def mark_processed(self, driver):
        self._core.finish(id(driver))

    def mark_failed_to_process(self, driver):
        self._core.give_up(id(driver))

    def purge_drivers_to_process(self):
        """Nothing new begins."""
        self._core.drop_waiting()

    def transpose(self):
        """All the other way round, nothing processed yet."""
        return DriverDepGraph(self._core.reversed(), dict(self._drivers))

    def __copy__(self):
        return DriverDepGraph(self._core.copy(), dict(self._drivers))


def _drivers_of(value, where):
    from testplan.testing.multitest.driver.base import Driver

    members = (value,) if isinstance(value, Driver) else value
    try:
        members = tuple(members)
    except TypeError:
        members = (None,)
    if isinstance(value, str) or not all(isinstance(member, Driver) for member in members):
        raise TypeError(
            "Wrong type used in Testplan Driver dependencies definition. "
            f"Driver or flat collection of Driver expected for dict {where}, not {value!r}."
        )
    return members


def parse_dependency(input):
    """A graph of {first: then}, each side a driver or a collection of drivers."""
    if not isinstance(input, dict):
        raise TypeError("Wrong type used in Testplan Driver dependencies definition. Python dict expected.")
    graph = DriverDepGraph.new()
    for first, then in input.items():
        firsts, thens = _drivers_of(first, "keys"), _drivers_of(then, "values")
        for driver in firsts + thens:
            graph.add_vertex(id(driver), driver)
        for source in firsts:
            for target in thens:
                graph.add_edge(id(source), id(target))
    circles = graph.cycles()
    if circles:
        raise ValueError(
            "Bad Testplan Driver dependency definition. Cyclic dependency detected among "
            f"{' -> '.join(circles[0])}: none of them could start first."
        )
    return graph

# SPDX-License-Identifier: GPL-2.0-or-later
"""The daemons that packet tests know, and where their files go. A test's own daemon is a class like these.

    class Mine(packet_adapters.Adapter):
        def name(self): return "mine"
        def start(self): self.vpp = _vtpacket.Daemon(["mined"], self.directory, ready=("line", "ready"))
        …

An adapter of one's own has name(), start(), stop(), cli(command, timeout), create_pg_interface(index) (a number and a
MAC), begin_capture(index, file) (the pcap file that the daemon writes; None: `file`), inject(index, frames, file,
timeout), counter(name), trace(index, frame), and the daemon as `vpp`. What a daemon cannot do may be left out.
"""

import os
import tempfile
import unittest

import _vtpacket
import vpp_papi_provider


def make_tempdir(class_name):
    """A new directory for a class: among the results of Avocado's test, else a temporary one, which stays."""
    results = os.environ.get("AVOCADO_TEST_OUTPUTDIR")
    parent = results if results and os.path.isdir(results) else None
    return tempfile.mkdtemp(prefix="vpp-unittest-%s-" % class_name, dir=parent)


class _Face:
    """What the framework asks of every adapter, beside the core."""

    def provider(self, test_class, read_timeout):
        """The test's `vapi`."""
        return vpp_papi_provider.Provider(test_class)

    def wait_for_stats(self, timeout):
        """True once statistics can be had."""
        return True

    def statistics(self, test_class):
        """Counters by name, as get_counter(); None where the daemon has none."""
        return None

    def forget_streams(self, names):
        """Streams of earlier starts are not needed any more."""

    def save_api_trace(self, test):
        """What was called, to the test's files."""


class Adapter(_Face, _vtpacket.Adapter):
    """The base of adapters written in Python."""

    vpp = None

    def __init__(self, test_class):
        super().__init__()
        self.directory = test_class.tempdir
        self.settings = test_class
        self._interfaces = {}

    def start(self):
        raise NotImplementedError("start() has to run the daemon, and to set self.vpp")

    def stop(self):
        if self.vpp is not None:
            self.vpp.stop()

    def cli(self, command, timeout):
        raise NotImplementedError("%s has no CLI" % self.name())

    def counter(self, name):
        return None

    def trace(self, pg_index, frame):
        return ""

    def begin_capture(self, pg_index, file):
        return None

    def interfaces(self):
        return list(self._interfaces.values())

    def provider(self, test_class, read_timeout):
        return _OwnProvider(test_class)


class _OwnProvider(vpp_papi_provider.Provider):
    """Knows the interfaces that the test bed has made."""

    def sw_interface_dump(self, filter=None):
        bed, found = self.test_class.bed, []
        for number in bed.pg_indexes:
            found.append(vpp_papi_provider.details_of(bed.pg(number).facts))
        return [one for one in found if filter is None or filter in one.interface_name]


class OvsAdapter(_Face, _vtpacket.OvsSwitch):
    """Open vSwitch. `adapter_options`: ports ("dummy", "veth", "tap"), mtu, program, timeout."""

    def __init__(self, test_class):
        obstacle = _vtpacket.OvsSwitch.obstacle()
        if obstacle:
            raise unittest.SkipTest(obstacle)
        super().__init__(test_class.tempdir, launched=test_class._launched, **test_class.adapter_options)

    def provider(self, test_class, read_timeout):
        return vpp_papi_provider.OvsProvider(test_class)


class VppAdapter(_vtpacket.VppCore, _Face):
    """VPP, where a `vpp` is on the host (VPP_BIN); through vpp_papi where that can be imported, else by its CLI."""

    def __init__(self, test_class):
        self._test_class = test_class
        self._api = self._has_papi()
        super().__init__(
            list(test_class.vpp_cmdline), test_class.tempdir, test_class.stats_sock, launched=test_class._launched)

    @staticmethod
    def _has_papi():
        try:
            import vpp_papi  # noqa: F401

            return True
        except ImportError:
            return False

    def provider(self, test_class, read_timeout):
        if self._api:
            return vpp_papi_provider.VppPapiProvider(test_class.shm_prefix, test_class.shm_prefix, test_class, read_timeout)
        return vpp_papi_provider.VppProvider(test_class)

    def statistics(self, test_class):
        try:
            from vpp_papi.vpp_stats import VPPStats

            return VPPStats(socketname=test_class.stats_sock)
        except ImportError:
            return None


ADAPTERS = {"ovs": OvsAdapter, "vpp": VppAdapter}


def make(test_class):
    """The adapter that a test class asks for: adapter_class, adapter_name, PACKET_DAEMON, else VPP."""
    if test_class.adapter_class is not None:
        return test_class.adapter_class(test_class)
    name = test_class.adapter_name or os.environ.get("PACKET_DAEMON") or "vpp"
    if name not in ADAPTERS:
        raise ValueError("adapter_name should be one of %s, but it is %r" % (", ".join(sorted(ADAPTERS)), name))
    return ADAPTERS[name](test_class)

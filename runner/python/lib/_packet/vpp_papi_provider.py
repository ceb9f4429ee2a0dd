# SPDX-License-Identifier: GPL-2.0-or-later
"""What tests call `vapi`: the API and the CLI of a daemon under test, with a hook around each call.

VPP's own goes through vpp_papi, where that is installed, or through the CLI alone; Open vSwitch's answers those of VPP's
calls that have a meaning there.
"""

import fnmatch
import os
import reprlib
import threading
from collections import deque, namedtuple

from hook import Hook
from util import mac_pton

MPLS_IETF_MAX_LABEL = 0xFFFFF
MPLS_LABEL_INVALID = MPLS_IETF_MAX_LABEL + 1


class L2_VTR_OP:
    (L2_DISABLED, L2_PUSH_1, L2_PUSH_2, L2_POP_1, L2_POP_2, L2_TRANSLATE_1_1, L2_TRANSLATE_1_2, L2_TRANSLATE_2_1,
     L2_TRANSLATE_2_2) = range(9)


class QOS_SOURCE:
    EXT, VLAN, MPLS, IP = range(4)


class SYSLOG_SEVERITY:
    EMERG, ALERT, CRIT, ERR, WARN, NOTICE, INFO, DBG = range(8)


class UnexpectedApiReturnValueError(Exception):
    """A call of the API returned what was not expected."""


#: How an interface is described where there is no vpp_papi.
InterfaceDetails = namedtuple("InterfaceDetails", "sw_if_index interface_name l2_address admin_up_down link_up_down")
Reply = namedtuple("Reply", "sw_if_index retval")


class Provider:
    """The CLI of an adapter, with hooks; calls of the API are made of commands."""

    def __init__(self, test_class):
        self.test_class = test_class
        self.hook = Hook(test_class.logger)
        self._events = deque()
        self._arrived = threading.Condition()

    def register_hook(self, hook):
        self.hook = hook

    def connect(self):
        """Nothing: the adapter is connected."""

    def disconnect(self):
        """Nothing, too."""

    def cli(self, cli, timeout=20):
        """Has a command executed; returns what the daemon answers."""
        self.hook.before_cli(cli)
        answer = self.test_class.adapter.cli(cli, timeout)
        self.hook.after_cli(cli)
        return answer

    def ppcli(self, cli):
        """The command and its answer, for logs."""
        return "%s\n%s" % (cli, self.cli(cli))

    def clear_trace(self):
        """Nothing, where a daemon keeps no trace."""

    def state(self):
        """Texts that tell of the daemon's state, for the log after a test."""
        return []

    # Events

    def __call__(self, name, event):
        """Takes an event."""
        with self._arrived:
            self._events.append(event)
            self._arrived.notify_all()

    def collect_events(self):
        with self._arrived:
            events, self._events = self._events, deque()
        return events

    def wait_for_event(self, timeout, name=None):
        with self._arrived:
            if not self._arrived.wait_for(lambda: self._events, timeout):
                raise Exception("Event did not occur within timeout: %s within %s s" % (name or "any", timeout))
            event = self._events.popleft()
        if name and type(event).__name__ != name:
            raise Exception("Unexpected event received: %s, expected: %s" % (type(event).__name__, name))
        return event

    # Interfaces

    def sw_interface_dump(self, filter=None):
        """The interfaces that the test has made."""
        known = getattr(self.test_class, "known_interfaces", {})
        return [details for details in known.values() if filter is None or filter in details.interface_name]

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        raise AttributeError("%s has no API call %s" % (self.test_class.adapter.name(), name))


def details_of(facts):
    return InterfaceDetails(facts.sw_if_index, facts.name, mac_pton(facts.mac) if facts.mac else bytes(6), 1, 1)


class OvsProvider(Provider):
    """Open vSwitch: commands are those of ovs-appctl.

    A sub-interface is a VLAN that its parent's port carries tagged.
    """

    def __init__(self, test_class):
        super().__init__(test_class)
        self._sub_interfaces = {}
        self._trunks = {}

    def sw_interface_dump(self, filter=None):
        found = [details_of(facts) for facts in self.test_class.adapter.interfaces() if facts.mac]
        # A veth's end in the switch has a name of its own.
        found = [one._replace(interface_name=one.interface_name.removesuffix("-sw")) for one in found]
        found += self._sub_interfaces.values()
        return [one for one in found if filter is None or filter in one.interface_name]

    def state(self):
        return [self.ppcli(command) for command in ("dpif/show", "fdb/show br0", "dpctl/dump-flows")]

    def show_version(self):
        return self.cli("version")

    def create_loopback(self):
        number = getattr(self.test_class, "_loopbacks", 0)
        self.test_class._loopbacks = number + 1
        return Reply(self.test_class.adapter.create_loopback("loop%d" % number).sw_if_index, 0)

    def _name_of(self, sw_if_index):
        for found in self.test_class.adapter.interfaces():
            if found.sw_if_index == sw_if_index:
                return found.name
        raise Exception("there is no interface %d" % sw_if_index)

    def delete_loopback(self, sw_if_index):
        self.test_class.adapter.delete_port(self._name_of(sw_if_index))
        return Reply(sw_if_index, 0)

    def _carry(self, parent, vlans):
        self._trunks[parent] = vlans
        self.test_class.adapter.set_trunk_vlans(parent, sorted(vlans))

    def create_vlan_subif(self, sw_if_index, vlan):
        parent = next((one for one in self.sw_interface_dump() if one.sw_if_index == sw_if_index), None)
        number = next((one.pg_index for one in self.test_class.pg_interfaces if one.sw_if_index == sw_if_index), None)
        if parent is None or number is None:
            raise Exception("there is no packet generator interface %d" % sw_if_index)
        self._carry(number, self._trunks.get(number, set()) | {vlan})
        index = 101 + len(self._sub_interfaces)
        name = "%s.%d" % (parent.interface_name, vlan)
        self._sub_interfaces[index] = parent._replace(sw_if_index=index, interface_name=name)
        return Reply(index, 0)

    def delete_subif(self, sw_if_index):
        parent, vlan = self._sub_interfaces.pop(sw_if_index).interface_name.split(".")
        number = next(one.pg_index for one in self.test_class.pg_interfaces if one.name == parent)
        self._carry(number, self._trunks[number] - {int(vlan)})
        return Reply(sw_if_index, 0)

    def create_subif(self, *arguments, **keywords):
        raise NotImplementedError("Open vSwitch has no sub-interface with two tags")

    def create_p2pethernet_subif(self, *arguments, **keywords):
        raise NotImplementedError("Open vSwitch has no sub-interface by a peer's MAC")

    def sw_interface_set_l2_tag_rewrite(self, sw_if_index, vtr_oper, push=0, tag1=0, tag2=0):
        if vtr_oper != L2_VTR_OP.L2_DISABLED:
            raise NotImplementedError("tags are rewritten by flows in Open vSwitch")
        return Reply(sw_if_index, 0)

    def sw_interface_set_flags(self, sw_if_index, admin_up_down, link_up_down=0, deleted=0):
        state = "up" if admin_up_down else "down"
        self.cli("netdev-dummy/set-admin-state %s %s" % (self._name_of(sw_if_index), state))
        return Reply(sw_if_index, 0)


class VppProvider(Provider):
    """VPP by its CLI alone."""

    def clear_trace(self):
        self.cli("clear trace")

    def state(self):
        self.test_class.logger.debug(self.cli("show trace"))
        return [self.ppcli(command) for command in ("show interface", "show hardware", "show errors", "show run", "show log")]

    def sw_interface_set_flags(self, sw_if_index, admin_up_down, link_up_down=0, deleted=0):
        names = {details.sw_if_index: details.interface_name for details in self.sw_interface_dump()}
        self.cli("set interface state %s %s" % (names[sw_if_index], "up" if admin_up_down else "down"))
        return Reply(sw_if_index, 0)

    def create_loopback(self):
        name = self.cli("create loopback interface").strip()
        facts = self.test_class.adapter.facts_of(name)
        self.test_class.known_interfaces[facts.sw_if_index] = details_of(facts)
        return Reply(facts.sw_if_index, 0)


class VppPapiProvider(VppProvider):
    """VPP by vpp_papi. A call of the API is a method of that name, which takes its arguments by their names."""

    _zero, _negative = range(2)

    def __init__(self, name, shm_prefix, test_class, read_timeout):
        super().__init__(test_class)
        from vpp_papi import VPP

        self.name = name
        self.shm_prefix = shm_prefix
        self._expect_api_retval = self._zero
        self._expect_stack = []
        files = [
            os.path.join(root, file)
            for root, _, names in os.walk(os.getenv("VPP_INSTALL_PATH", "/usr/share/vpp"))
            for file in fnmatch.filter(names, "*.api.json")]
        self.vpp = VPP(files, logger=test_class.logger, read_timeout=read_timeout)

    def _expecting(self, what):
        self._expect_stack.append(self._expect_api_retval)
        self._expect_api_retval = what
        return self

    def assert_negative_api_retval(self):
        """In a with: calls are expected to fail."""
        return self._expecting(self._negative)

    def assert_zero_api_retval(self):
        """In a with: calls are expected to succeed, as they are anyway."""
        return self._expecting(self._zero)

    def __enter__(self):
        return self

    def __exit__(self, exc_type, exc_value, traceback):
        self._expect_api_retval = self._expect_stack.pop()

    def connect(self):
        self.vpp.connect(self.name, self.shm_prefix)
        self.papi = self.vpp.api
        self.vpp.register_event_callback(self)

    def disconnect(self):
        self.vpp.disconnect()

    def api(self, api_fn, api_args, expected_retval=0):
        """Calls a function of the API and checks what it returns."""
        self.hook.before_api(api_fn.__name__, api_args)
        reply = api_fn(**api_args)
        retval = getattr(reply, "retval", None)
        if retval is not None:
            failed = retval >= 0 if self._expect_api_retval == self._negative else retval != expected_retval
            if failed:
                wanted = "a negative" if self._expect_api_retval == self._negative else expected_retval
                message = "API call %s: expected %s return value instead of %d in %s" % (
                    api_fn.__name__, wanted, retval, reprlib.repr(reply))
                self.test_class.logger.info(message)
                raise UnexpectedApiReturnValueError(message)
        self.hook.after_api(api_fn.__name__, api_args)
        return reply

    def cli(self, cli, timeout=20):
        self.hook.before_cli(cli)
        answer = self.papi.cli_inband(cmd=cli + "\n")
        self.hook.after_cli(cli)
        return getattr(answer, "reply", None)

    def sw_interface_dump(self, filter=None):
        args = {} if filter is None else {"name_filter_valid": 1, "name_filter": filter}
        return self.api(self.papi.sw_interface_dump, args)

    def create_loopback(self):
        return self.api(self.papi.create_loopback, {"mac_address": bytes(6)})

    def __getattr__(self, name):
        if name.startswith("_") or name in ("papi", "vpp"):
            raise AttributeError(name)
        function = getattr(self.papi, name)
        return lambda **arguments: self.api(function, arguments)

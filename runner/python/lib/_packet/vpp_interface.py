# SPDX-License-Identifier: GPL-2.0-or-later
"""An interface of the daemon under test, and the hosts that the test plays behind it.

Addresses follow from the interface's number: 172.16.NUMBER.1 and fd01:NUMBER::1 are the daemon's, .2 and ::2 and the
following the hosts'.
"""

import abc
import socket

from util import Host, mac_ntop, mac_pton, mk_ll_addr


class VppInterface(abc.ABC):
    """What all kinds have in common."""

    @abc.abstractmethod
    def __init__(self, test):
        self._test = test
        self.remote_hosts = []

    # Who and where

    @property
    def test(self):
        return self._test

    @property
    def name(self):
        return self._name

    @property
    def dump(self):
        """The daemon's own description of the interface."""
        return self._dump

    @property
    def sw_if_index(self):
        """The daemon's number of the interface."""
        return self._sw_if_index

    @property
    def local_mac(self):
        return self._local_mac

    @property
    def remote_mac(self):
        return self._remote_hosts[0].mac

    @property
    def local_ip4(self):
        return self._local_ip4

    @property
    def local_ip4n(self):
        return socket.inet_pton(socket.AF_INET, self._local_ip4)

    @property
    def remote_ip4(self):
        return self._remote_hosts[0].ip4

    @property
    def remote_ip4n(self):
        return self._remote_hosts[0].ip4n

    @property
    def local_ip6(self):
        return self._local_ip6

    @property
    def local_ip6n(self):
        return socket.inet_pton(socket.AF_INET6, self._local_ip6)

    @property
    def remote_ip6(self):
        return self._remote_hosts[0].ip6

    @property
    def remote_ip6n(self):
        return self._remote_hosts[0].ip6n

    @property
    def local_ip6_ll(self):
        return self._local_ip6_ll

    @property
    def local_ip6n_ll(self):
        return socket.inet_pton(socket.AF_INET6, self._local_ip6_ll)

    @property
    def remote_ip6_ll(self):
        return mk_ll_addr(self.remote_mac)

    @property
    def remote_ip6n_ll(self):
        return socket.inet_pton(socket.AF_INET6, self.remote_ip6_ll)

    @property
    def local_addr(self):
        """The daemon's addresses by family."""
        return {socket.AF_INET: self.local_ip4, socket.AF_INET6: self.local_ip6}

    @property
    def remote_addr(self):
        return {socket.AF_INET: self.remote_ip4, socket.AF_INET6: self.remote_ip6}

    @property
    def local_addr_n(self):
        return {socket.AF_INET: self.local_ip4n, socket.AF_INET6: self.local_ip6n}

    @property
    def remote_addr_n(self):
        return {socket.AF_INET: self.remote_ip4n, socket.AF_INET6: self.remote_ip6n}

    # Hosts

    @property
    def remote_hosts(self):
        return self._remote_hosts

    @remote_hosts.setter
    def remote_hosts(self, value):
        self._remote_hosts = value
        self._hosts_by_mac = {host.mac: host for host in value}
        self._hosts_by_ip4 = {host.ip4: host for host in value}
        self._hosts_by_ip6 = {host.ip6: host for host in value}

    def host_by_mac(self, mac):
        return self._hosts_by_mac[mac]

    def host_by_ip4(self, ip):
        return self._hosts_by_ip4[ip]

    def host_by_ip6(self, ip):
        return self._hosts_by_ip6[ip]

    def generate_remote_hosts(self, count=1):
        """Hosts 2, 3, … of the interface's networks, in place of those that were there."""
        hosts = []
        for number in range(2, count + 2):
            mac = "02:%02x:00:00:ff:%02x" % (self.sw_if_index, number)
            ip4, ip6 = "172.16.%d.%d" % (self.sw_if_index, number), "fd01:%x::%x" % (self.sw_if_index, number)
            hosts.append(Host(mac, ip4, ip6, mk_ll_addr(mac)))
        self.remote_hosts = hosts

    def set_sw_if_index(self, sw_if_index):
        """Takes the number that the daemon has given, and asks the daemon for name and MAC."""
        self._sw_if_index = sw_if_index
        self.generate_remote_hosts()
        self._local_ip4 = "172.16.%d.1" % sw_if_index
        self._local_ip4_subnet = "172.16.%d.0" % sw_if_index
        self._local_ip4_bcast = "172.16.%d.255" % sw_if_index
        self._local_ip4n = self.local_ip4n
        self._local_ip4n_subnet = socket.inet_pton(socket.AF_INET, self._local_ip4_subnet)
        self._local_ip4n_bcast = socket.inet_pton(socket.AF_INET, self._local_ip4_bcast)
        self.local_ip4_prefix_len = 24
        self._local_ip6 = "fd01:%x::1" % sw_if_index
        self._local_ip6n = self.local_ip6n
        self.local_ip6_prefix_len = 64
        self.has_ip4_config = self.has_ip6_config = False
        self.ip4_table_id = self.ip6_table_id = 0
        dump = self.test.vapi.sw_interface_dump()
        for found in dump:
            if found.sw_if_index == sw_if_index:
                self._dump = found
                self._name = _text(found.interface_name)
                self._local_mac = mac_ntop(found.l2_address)
                break
        else:
            raise Exception("Could not find interface with sw_if_index %d in interface dump %r" % (sw_if_index, dump))
        self._local_ip6_ll = mk_ll_addr(self.local_mac)
        self._local_ip6n_ll = self.local_ip6n_ll
        self._remote_ip6_ll = self.remote_ip6_ll
        self._remote_ip6n_ll = self.remote_ip6n_ll

    def set_mac(self, mac):
        """`mac` prints as the address and has its bytes as `packed`."""
        self._local_mac = str(mac)
        self._local_ip6_ll = mk_ll_addr(self._local_mac)
        self.test.vapi.sw_interface_set_mac_address(self.sw_if_index, mac.packed)

    # Configuration

    def config_ip4(self):
        self.test.vapi.sw_interface_add_del_address(self.sw_if_index, self.local_ip4n, self.local_ip4_prefix_len)
        self.has_ip4_config = True

    def unconfig_ip4(self):
        if self.has_ip4_config:
            self.test.vapi.sw_interface_add_del_address(
                self.sw_if_index, self.local_ip4n, self.local_ip4_prefix_len, is_add=0)
        self.has_ip4_config = False

    def config_ip6(self):
        self.test.vapi.sw_interface_add_del_address(
            self.sw_if_index, self.local_ip6n, self.local_ip6_prefix_len, is_ipv6=1)
        self.has_ip6_config = True

    def unconfig_ip6(self):
        if self.has_ip6_config:
            self.test.vapi.sw_interface_add_del_address(
                self.sw_if_index, self.local_ip6n, self.local_ip6_prefix_len, is_ipv6=1, is_add=0)
        self.has_ip6_config = False

    def unconfig(self):
        self.unconfig_ip4()
        self.unconfig_ip6()

    def configure_ipv4_neighbors(self):
        """The daemon knows each host's MAC by its address."""
        for host in self._remote_hosts:
            self.test.vapi.ip_neighbor_add_del(self.sw_if_index, mac_pton(host.mac), host.ip4n)

    def configure_ipv6_neighbors(self):
        for host in self._remote_hosts:
            self.test.vapi.ip_neighbor_add_del(self.sw_if_index, mac_pton(host.mac), host.ip6n, is_ipv6=1)

    def set_table_ip4(self, table_id):
        """To be called before addresses are configured."""
        self.ip4_table_id = table_id
        self.test.vapi.sw_interface_set_table(self.sw_if_index, 0, table_id)

    def set_table_ip6(self, table_id):
        self.ip6_table_id = table_id
        self.test.vapi.sw_interface_set_table(self.sw_if_index, 1, table_id)

    def disable_ipv6_ra(self):
        self.test.vapi.sw_interface_ra_suppress(self.sw_if_index)

    def ip6_ra_config(self, no=0, suppress=0, send_unicast=0):
        self.test.vapi.ip6_sw_interface_ra_config(self.sw_if_index, no, suppress, send_unicast)

    def ip6_ra_prefix(self, address, address_length, is_no=0, off_link=0, no_autoconfig=0, use_default=0):
        self.test.vapi.ip6_sw_interface_ra_prefix(
            self.sw_if_index, address, address_length, is_no=is_no, off_link=off_link, no_autoconfig=no_autoconfig,
            use_default=use_default)

    def admin_up(self):
        self.test.vapi.sw_interface_set_flags(self.sw_if_index, admin_up_down=1)

    def admin_down(self):
        self.test.vapi.sw_interface_set_flags(self.sw_if_index, admin_up_down=0)

    def ip6_enable(self):
        self.test.vapi.ip6_sw_interface_enable_disable(self.sw_if_index, enable=1)

    def ip6_disable(self):
        self.test.vapi.ip6_sw_interface_enable_disable(self.sw_if_index, enable=0)

    def enable_mpls(self):
        self.test.vapi.sw_interface_enable_disable_mpls(self.sw_if_index)

    def disable_mpls(self):
        self.test.vapi.sw_interface_enable_disable_mpls(self.sw_if_index, 0)

    def set_unnumbered(self, ip_sw_if_index):
        self.test.vapi.sw_interface_set_unnumbered(self.sw_if_index, ip_sw_if_index)

    def unset_unnumbered(self, ip_sw_if_index):
        self.test.vapi.sw_interface_set_unnumbered(self.sw_if_index, ip_sw_if_index, is_add=0)

    def set_proxy_arp(self, enable=1):
        self.test.vapi.proxy_arp_intfc_enable_disable(self.sw_if_index, enable)

    def add_sub_if(self, sub_if):
        """The last one added is `sub_if`, unless that is a list, which grows."""
        if isinstance(getattr(self, "sub_if", None), list):
            self.sub_if.append(sub_if)
        else:
            self.sub_if = sub_if

    # What the daemon says

    def is_ip4_entry_in_fib_dump(self, dump):
        return any(
            (entry.address, entry.address_length, entry.table_id)
            == (self.local_ip4n, self.local_ip4_prefix_len, self.ip4_table_id)
            for entry in dump)

    def query_vpp_config(self):
        return self.is_interface_config_in_dump(self.test.vapi.sw_interface_dump())

    def get_interface_config_from_dump(self, dump):
        for found in dump:
            if _text(found.interface_name) == self.name and found.sw_if_index == self.sw_if_index:
                return found
        return None

    def is_interface_config_in_dump(self, dump):
        return self.get_interface_config_from_dump(dump) is not None

    def assert_interface_state(self, admin_up_down, link_up_down, expect_event=False):
        seen = []
        if expect_event:
            event = self.test.vapi.wait_for_event(timeout=1, name="sw_interface_event")
            self.test.assert_equal(event.sw_if_index, self.sw_if_index, "sw_if_index")
            seen.append(event)
        seen.append(self.get_interface_config_from_dump(self.test.vapi.sw_interface_dump()))
        for state in seen:
            self.test.assert_equal(state.admin_up_down, admin_up_down, "admin state")
            self.test.assert_equal(state.link_up_down, link_up_down, "link state")

    def __str__(self):
        return self.name


def _text(name):
    """An interface's name as the daemon gives it: bytes or text, with zeros behind."""
    return (name.decode("utf-8") if isinstance(name, bytes) else name).split("\0", 1)[0].rstrip()

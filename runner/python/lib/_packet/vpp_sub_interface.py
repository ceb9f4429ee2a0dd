# SPDX-License-Identifier: GPL-2.0-or-later
"""Interfaces within a packet generator interface: told apart by their tags, or by the peer's MAC."""

import abc

from vpp_interface import VppInterface
from vpp_papi_provider import L2_VTR_OP
from vpp_pg_interface import VppPGInterface


class VppSubInterface(VppPGInterface, abc.ABC):
    DOT1AD_TYPE = 0x88A8
    DOT1Q_TYPE = 0x8100

    def __init__(self, test, parent, sub_id):
        VppInterface.__init__(self, test)
        self._parent = parent
        self._sub_id = sub_id
        self._tag1 = self._tag2 = self._push1q = 0
        self._out_assert_counter = 0
        self._pg_index = parent.pg_index
        self._in_path, self._out_path, self._cap_name = parent.in_path, parent.out_path, parent.cap_name
        self._capture_cli, self._input_cli = parent.capture_cli, parent.input_cli
        parent.add_sub_if(self)

    @property
    def parent(self):
        return self._parent

    @property
    def sub_id(self):
        return self._sub_id

    @property
    def tag1(self):
        return self._tag1

    @property
    def tag2(self):
        return self._tag2

    @property
    def vtr(self):
        return self._vtr

    def set_sw_if_index(self, sw_if_index):
        super().set_sw_if_index(sw_if_index)
        self.set_vtr(L2_VTR_OP.L2_DISABLED)

    def create_arp_req(self):
        return self.add_dot1_layer(super().create_arp_req())

    def create_ndp_req(self):
        return self.add_dot1_layer(super().create_ndp_req())

    def resolve_arp(self, pg_interface=None):
        super().resolve_arp(pg_interface or self.parent)

    def resolve_ndp(self, pg_interface=None, timeout=1):
        super().resolve_ndp(pg_interface or self.parent, timeout)

    @abc.abstractmethod
    def add_dot1_layer(self, pkt):
        """The packet as the parent gets it."""

    @abc.abstractmethod
    def remove_dot1_layer(self, pkt):
        """What add_dot1_layer() has added is taken off again, and checked."""

    def remove_vpp_config(self):
        self.test.vapi.delete_subif(self.sw_if_index)

    def _add_tag(self, packet, vlan, tag_type):
        from scapy.layers.l2 import Dot1Q

        inner, kind = packet.payload, packet.type
        packet.remove_payload()
        packet.add_payload(Dot1Q(vlan=vlan, type=kind) / inner)
        packet.type = tag_type
        return packet

    def _remove_tag(self, packet, vlan=None, tag_type=None):
        tag = packet.payload
        if tag_type:
            self.test.instance().assertEqual(packet.type, tag_type)
        if vlan:
            self.test.instance().assertEqual(tag.vlan, vlan)
        kind, inner = tag.type, tag.payload
        packet.remove_payload()
        packet.add_payload(inner)
        packet.type = kind
        return packet

    def add_dot1q_layer(self, packet, vlan):
        return self._add_tag(packet, vlan, self.DOT1Q_TYPE)

    def add_dot1ad_layer(self, packet, outer, inner):
        return self._add_tag(self._add_tag(packet, inner, self.DOT1Q_TYPE), outer, self.DOT1AD_TYPE)

    def remove_dot1q_layer(self, packet, vlan=None):
        return self._remove_tag(packet, vlan, self.DOT1Q_TYPE)

    def remove_dot1ad_layer(self, packet, outer=None, inner=None):
        return self._remove_tag(self._remove_tag(packet, outer, self.DOT1AD_TYPE), inner, self.DOT1Q_TYPE)

    def set_vtr(self, vtr, push1q=0, tag=None, inner=None, outer=None):
        """How the daemon rewrites tags."""
        op = L2_VTR_OP
        self._tag1 = self._tag2 = self._push1q = 0
        if vtr in (op.L2_PUSH_1, op.L2_TRANSLATE_1_1, op.L2_TRANSLATE_2_1):
            self._tag1, self._push1q = tag, push1q
        elif vtr in (op.L2_PUSH_2, op.L2_TRANSLATE_1_2, op.L2_TRANSLATE_2_2):
            self._tag1, self._tag2, self._push1q = outer, inner, push1q
        self.test.vapi.sw_interface_set_l2_tag_rewrite(
            self.sw_if_index, vtr, push=self._push1q, tag1=self._tag1, tag2=self._tag2)
        self._vtr = vtr


class VppDot1QSubint(VppSubInterface):
    """One 802.1Q tag."""

    def __init__(self, test, parent, sub_id, vlan=None):
        super().__init__(test, parent, sub_id)
        self._vlan = sub_id if vlan is None else vlan
        self.set_sw_if_index(test.vapi.create_vlan_subif(parent.sw_if_index, self._vlan).sw_if_index)

    @property
    def vlan(self):
        return self._vlan

    def add_dot1_layer(self, pkt):
        return self.add_dot1q_layer(pkt, self.vlan)

    def remove_dot1_layer(self, pkt):
        return self.remove_dot1q_layer(pkt, self.vlan)


class VppDot1ADSubint(VppSubInterface):
    """Two tags, the outer one of 802.1ad."""

    def __init__(self, test, parent, sub_id, outer_vlan, inner_vlan):
        super().__init__(test, parent, sub_id)
        self._outer_vlan, self._inner_vlan = outer_vlan, inner_vlan
        made = test.vapi.create_subif(
            parent.sw_if_index, sub_id, outer_vlan, inner_vlan, dot1ad=1, two_tags=1, exact_match=1)
        self.set_sw_if_index(made.sw_if_index)

    @property
    def outer_vlan(self):
        return self._outer_vlan

    @property
    def inner_vlan(self):
        return self._inner_vlan

    def add_dot1_layer(self, pkt):
        return self.add_dot1ad_layer(pkt, self.outer_vlan, self.inner_vlan)

    def remove_dot1_layer(self, pkt):
        return self.remove_dot1ad_layer(pkt, self.outer_vlan, self.inner_vlan)


class VppP2PSubint(VppSubInterface):
    """No tag: the peer's MAC tells."""

    def __init__(self, test, parent, sub_id, remote_mac):
        super().__init__(test, parent, sub_id)
        made = test.vapi.create_p2pethernet_subif(parent.sw_if_index, remote_mac, sub_id)
        self.set_sw_if_index(made.sw_if_index)
        self.parent_sw_if_index = parent.sw_if_index
        self.p2p_remote_mac = remote_mac

    def add_dot1_layer(self, pkt):
        return pkt

    def remove_dot1_layer(self, pkt):
        return pkt

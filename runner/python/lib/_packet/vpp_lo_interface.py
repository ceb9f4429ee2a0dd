# SPDX-License-Identifier: GPL-2.0-or-later
"""A loopback interface of the daemon's: one with nothing behind it."""

from vpp_interface import VppInterface
from vpp_object import VppObject


class VppLoInterface(VppInterface, VppObject):

    def __init__(self, test):
        super().__init__(test)
        self.add_vpp_config()

    def add_vpp_config(self):
        self.set_sw_if_index(self.test.vapi.create_loopback().sw_if_index)

    def remove_vpp_config(self):
        self.test.vapi.delete_loopback(self.sw_if_index)

    def object_id(self):
        return "loopback-%d" % self.sw_if_index

# SPDX-License-Identifier: GPL-2.0-or-later
"""What differs between host architectures: requests of ioctl (Linux's sockios.h, if_tun.h, vhost.h), KVM's modules."""

import platform

ARCH = platform.machine()

_POWER = ARCH in ("ppc64", "ppc64le")


def _request(direction, kind, number, size=4):
    """An ioctl's number as the kernel's asm/ioctl.h makes it; direction is "r" or "w", seen from the program."""
    bits = {"r": (2, 1), "w": (4, 2)} if _POWER else {"r": (2, 2), "w": (1, 1)}
    shift = 29 if _POWER else 30
    return bits[direction][0 if _POWER else 1] << shift | size << 16 | ord(kind) << 8 | number


SIOCGIFFLAGS, SIOCSIFFLAGS = 0x8913, 0x8914
SIOCGIFADDR, SIOCSIFADDR = 0x8915, 0x8916
SIOCGIFNETMASK, SIOCSIFNETMASK = 0x891B, 0x891C
SIOCGIFMTU, SIOCSIFMTU = 0x8921, 0x8922
SIOCSIFHWADDR, SIOCGIFHWADDR = 0x8924, 0x8927
SIOCGIFINDEX = 0x8933
SIOCBRADDBR, SIOCBRDELBR, SIOCBRADDIF, SIOCBRDELIF = range(0x89A0, 0x89A4)

TUNSETIFF = _request("w", "T", 202)
TUNGETFEATURES = _request("r", "T", 207)
TUNGETIFF = _request("r", "T", 210)
TUNSETQUEUE = _request("w", "T", 217)
VHOST_VSOCK_SET_GUEST_CID = _request("w", "\xaf", 0x60, 8)

IFF_UP, IFF_PROMISC, IFF_MULTI_QUEUE = 0x1, 0x100, 0x100
IFF_TAP, IFF_NO_PI, IFF_VNET_HDR = 0x2, 0x1000, 0x4000

NETLINK_ROUTE, NLM_F_REQUEST, NLM_F_ACK, RTM_DELLINK, NLMSG_ERROR, AF_PACKET = 0, 1, 4, 17, 2, 17


def get_kvm_module_list():
    """The modules that make KVM on this host."""
    if ARCH == "x86_64":
        from avocado.utils import cpu

        return ["kvm", "kvm-%s" % cpu.get_vendor()]
    if _POWER:
        return ["kvm", "kvm-hv"]
    return ["kvm"] if ARCH.startswith("s390") else []

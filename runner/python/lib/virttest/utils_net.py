# SPDX-License-Identifier: GPL-2.0-or-later
"""Networks of the host and of guests, as far as iproute2, ping and WMIC tell."""

import json
import logging
import os
import random
import re
import signal
import subprocess

from virttest import utils_misc
from virttest.utils_windows import wmic

LOG = logging.getLogger("avocado." + __name__)


class NetError(Exception):
    """Parent of what can go wrong with a network."""



def _status_output(command, session=None, timeout=60):
    if session:
        return session.cmd_status_output(command, timeout=timeout)
    done = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=timeout, check=False)
    return done.returncode, done.stdout + done.stderr


def _ip(words, session=None):
    """What `ip -j` says, as an object; NetError if it refuses."""
    status, output = _status_output("ip -j %s" % words, session)
    if status != 0:
        raise NetError("ip %s failed (status %s): %s" % (words, status, output.strip()))
    begin = output.find("[")
    return json.loads(output[begin:]) if begin >= 0 else []


def get_ip_address_by_interface(ifname, ip_ver="ipv4", linklocal=False):
    """The first address of one of the host's interfaces; link-local ones only if asked for. NetError if it has none."""
    family = {"ipv4": "inet", "ipv6": "inet6"}.get(ip_ver)
    if family is None:
        raise NetError("an address is ipv4 or ipv6, not %r" % (ip_ver,))
    for link in _ip("address show dev %s" % ifname):
        for address in link.get("addr_info", []):
            if address["family"] == family and (address["scope"] == "link") == bool(linklocal):
                return address["local"]
    raise NetError("%s has no%s %s address" % (ifname, " link-local" if linklocal else "", ip_ver))


def get_default_gateway_interface():
    """The host's interface towards everything else, or None."""
    routes = _ip("route show default")
    return routes[0].get("dev") if routes else None


def get_host_ip_address(params=None, ip_ver="ipv4", linklocal=False):
    """The host's address: params' host_ip_addr, that of netdst's bridge, or of the default route's interface."""
    if params and params.get("host_ip_addr") and ip_ver == "ipv4":
        return params["host_ip_addr"]
    ifname = params.get("netdst") if params else None
    if not ifname or not any(link["ifname"] == ifname for link in _ip("link show")):
        ifname = get_default_gateway_interface()
    if ifname is None:
        raise NetError("the host has no default route; set host_ip_addr")
    return get_ip_address_by_interface(ifname, ip_ver, linklocal)


def get_host_iface():
    """The names of all the host's interfaces."""
    return [link["ifname"] for link in _ip("link show")]


def get_net_if_operstate(ifname, runner=None):
    """The kernel's word for an interface: up, down, unknown, …; runner runs a command and returns its output."""
    command = "cat /sys/class/net/%s/operstate" % ifname
    if runner:
        return runner(command).strip()
    status, output = _status_output(command)
    if status != 0:
        raise NetError("the state of %s cannot be read: %s" % (ifname, output.strip()))
    return output.strip()


def get_linux_ifname(session, mac_address=""):
    """The guest's interface with that MAC address; without one the list of all but the loopback."""
    status, output = session.cmd_status_output("grep -s '' /sys/class/net/*/address")
    links = re.findall(r"/sys/class/net/([^/]+)/address:([0-9a-fA-F:]{17})", output)
    if not links:
        raise NetError("the guest shows no interfaces (status %s): %s" % (status, output.strip()))
    if not mac_address:
        return [name for name, _ in links if name != "lo"]
    for name, mac in links:
        if mac.lower() == mac_address.lower():
            return name
    raise NetError("the guest has no interface with the address %s, only %s" % (mac_address, links))


def get_linux_mac(session, nic):
    """The MAC address of a guest's interface."""
    status, output = session.cmd_status_output("cat /sys/class/net/%s/address" % nic)
    match = re.search(r"(?:[0-9a-f]{2}:){5}[0-9a-f]{2}", output.lower())
    if status != 0 or match is None:
        raise NetError("the address of %s cannot be read: %s" % (nic, output.strip()))
    return match.group(0)


def bring_up_ifname(ifname):
    """Switches one of the host's interfaces on."""
    _ip("link set dev %s up" % ifname)


def bring_down_ifname(ifname):
    """Switches it off."""
    _ip("link set dev %s down" % ifname)


def get_windows_nic_attribute(session, key, value, target, timeout=240, global_switch="nic"):
    """One attribute of the Windows guest's NIC whose `key` is like `value`; None if there is no such NIC."""
    query = wmic.make_query(global_switch, "%s like '%s'" % (key, value), [target], wmic.FMT_TYPE_LIST)
    found = utils_misc.wait_for(lambda: wmic.parse_list(session.cmd(query, timeout=timeout)), timeout)
    return found[0] if found else None


def generate_mac_address_simple():
    """A random MAC address of QEMU's own, 52:54:00."""
    return "52:54:00:%02x:%02x:%02x" % tuple(random.SystemRandom().choices(range(256), k=3))


def raw_ping(command, timeout, session, output_func):
    """(exit status, output) of a ping command here or in the session's machine; interrupted after timeout seconds, if any."""
    if session:
        status, output = session.cmd_status_output(command, timeout=timeout or 60)
    else:
        process = subprocess.Popen(command, shell=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                   start_new_session=True)  # fmt: skip
        try:
            output = process.communicate(timeout=timeout or None)[0]
        except subprocess.TimeoutExpired:
            # As Ctrl+C: ping prints what it has counted.
            os.killpg(process.pid, signal.SIGINT)
            output = process.communicate()[0]
        status = process.returncode
    for line in output.splitlines() if output_func else ():
        output_func(line)
    return status, output


def ping(dest=None, count=None, interval=None, interface=None, packetsize=None, ttl=None, hint=None, adaptive=False,
         broadcast=False, flood=False, timeout=0, output_func=LOG.debug, session=None, force_ipv4=False):  # fmt: skip
    """Runs ping with these options, here or in the session's machine; returns (exit status, output)."""
    values = (("-c", count), ("-i", interval), ("-I", interface), ("-s", packetsize), ("-t", ttl), ("-M", hint))
    flags = (("-A", adaptive), ("-b", broadcast), ("-f", flood), ("-4", force_ipv4))
    words = ["ping", dest or "localhost"]
    words += ["%s %s" % (option, value) for option, value in values if value is not None]
    words += [option for option, wanted in flags if wanted]
    return raw_ping(" ".join(words), timeout, session, output_func)

# SPDX-License-Identifier: GPL-2.0-or-later
"""The helpers that only compose commands and public names: what they send to a session, and what they make of answers.

Each case runs in a process of its own with the runner's modules, on a session that answers from a table.
"""

import os
import pathlib
import subprocess
import sys
import textwrap

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("VT_BUILD", ROOT / "build/release"))
OURS = BUILD / "lib/avocado-runner-vt/python"

pytestmark = pytest.mark.skipif(not OURS.exists(), reason="the Python modules are missing")

SESSION = '''
class Session:
    def __init__(self, *answers):
        self.answers = list(answers)  # (beginning of a command, status, output), each used once
        self.sent = []

    def cmd_status_output(self, cmd, timeout=60, **_):
        self.sent.append(cmd)
        for number, (begin, status, output) in enumerate(self.answers):
            if cmd.startswith(begin):
                del self.answers[number]
                return status, output
        raise AssertionError("no answer to " + cmd)

    def cmd_status(self, cmd, timeout=60, **_):
        return self.cmd_status_output(cmd)[0]

    def cmd_output(self, cmd, timeout=60, **_):
        return self.cmd_status_output(cmd)[1]

    cmd_output_safe = cmd = cmd_output

    def close(self):
        self.closed = True


def raises(kind, call):
    try:
        call()
    except kind as error:
        return error
    raise AssertionError("no %s" % kind.__name__)

'''


def check(code):
    text = SESSION + textwrap.dedent(code)
    done = subprocess.run([sys.executable, "-c", text], env=dict(os.environ, PYTHONPATH=str(OURS)), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_intervals_of_versions():
    check("""
        from virttest.utils_version import VersionInterval as V
        assert "2.10.16" in V("[2.10.1, 2.11.0)") and "2.13.0" not in V("[2.10.1, 2.11.0)")
        assert "2.11" not in V("[2.10.1, 2.11.0)") and "2.11" in V("(2.10,2.11]") and "2.10" not in V("(2.10,2.11]")
        assert "0.1" in V("(,3]") and "99" in V("[3,)") and "3" in V("[3,3]")
        assert repr(V("[1,2)")) == "<version interval [1, 2)>"
        for wrong in ("1,2", "[2,1]", "(1,1]", "[1;2]"):
            raises(ValueError, lambda: V(wrong))
    """)


def test_requests_of_ioctl_are_those_of_the_kernel():
    if os.uname().machine != "x86_64":
        pytest.skip("the numbers below are x86_64's")
    check("""
        from virttest import arch
        assert (arch.TUNSETIFF, arch.TUNGETIFF, arch.TUNGETFEATURES, arch.TUNSETQUEUE) == (
            0x400454CA, 0x800454D2, 0x800454CF, 0x400454D9)
        assert arch.VHOST_VSOCK_SET_GUEST_CID == 0x4008AF60 and arch.SIOCBRADDIF == 0x89A2 and arch.SIOCBRADDBR == 0x89A0
    """)


def test_packages_are_installed_once_and_again_after_a_clean():
    check("""
        from virttest import utils_package
        s = Session(("which apt-get", 1, ""), ("which yum", 0, "/bin/yum"), ("rpm -q a", 0, ""), ("rpm -q b", 1, ""),
                    ("yum install -y b", 1, "no"), ("yum clean all", 0, ""), ("yum install -y b", 0, ""))
        assert utils_package.package_install(["a", "b"], s, 5) is True
        assert s.sent[-1] == "yum install -y b" and not s.answers
        s = Session(("which apt-get", 0, ""), ("dpkg -s a", 0, ""), ("apt-get --purge remove -y a", 0, ""))
        assert utils_package.RemotePackageMgr(s, "a").remove() and not s.answers
        s = Session(*[("which", 1, "")] * 4)
        assert "apt-get" in str(raises(Exception, lambda: utils_package.RemotePackageMgr(s, "a")))
        raises(Exception, lambda: utils_package.RemotePackageMgr(s, 5))
    """)


def test_what_a_qemu_binary_says(tmp_path):
    binary = tmp_path / "qemu"
    binary.write_text(
        "#!/bin/sh\ncase $1$2 in -version) echo 'QEMU emulator version 7.2.9 (Debian 1:7.2)';;\n"
        "-machinehelp) printf 'Supported machines are:\\npc   Standard PC (alias of x)\\nq35  Other PC\\n';;\n"
        "-devicehelp) printf 'USB devices:\\nname \"usb-kbd\", bus usb-bus\\n\\nNetwork devices:\\nname \"e1000\", bus PCI\\n';;\n"
        "-Mnone) cat >/dev/null; printf '{\"QMP\": {}}\\n{\"return\": {}}\\n"
        "{\"return\": [{\"name\": \"q35\", \"cpu-max\": 288}]}\\n';; esac\n"
    )
    binary.chmod(0o755)
    check("""
        from virttest import utils_qemu as q
        b = %r
        assert q.get_qemu_version(b) == ("7.2.9", "Debian 1:7.2")
        assert q.get_machines_info(b)["q35"] == "Other PC" and set(q.get_supported_machines_list(b)) == {"pc", "q35"}
        assert q.get_devices_info(b, "USB") == {"usb-kbd": "bus usb-bus"}
        assert q.get_supported_devices_list(b) == ["usb-kbd", "e1000"] and q.has_device_category(b, "Network")
        assert q.find_supported_devices(b, "e1") == ["e1000"] and not q.has_device_category(b, "CPU")
        assert q.get_maxcpus_hard_limit(b, "q35") == 288
        raises(ValueError, lambda: q.get_maxcpus_hard_limit(b, "none-such"))
        raises(OSError, lambda: q.get_qemu_version("/bin/true"))
    """ % str(binary))


def test_time_zones():
    check("""
        from virttest import utils_time as t
        host = lambda session, whose, real=t._timezone: (
            {"timezone_city": "Europe/Berlin", "timezone_code": "+0100"} if session is None else real(session, whose))
        t._timezone = host
        line = "      Time zone: %s (CET, +0100)\\n"
        assert t.verify_timezone_linux(Session(("timedatectl", 0, line % "Europe/Berlin")))
        assert not t.verify_timezone_linux(Session(("timedatectl", 0, line % "UTC")))
        zones = "(UTC) London\\r\\nGMT Standard Time\\r\\n\\r\\n(UTC+01:00) Berlin\\r\\nW. Europe Standard Time\\r\\n"
        assert t.verify_timezone_win(Session(("tzutil /g", 0, "W. Europe Standard Time"), ("tzutil /l", 0, zones))) == (True, "")
        got = t.verify_timezone_win(Session(("tzutil /g", 0, "GMT Standard Time"), ("tzutil /l", 0, zones)))
        assert got == (False, "W. Europe Standard Time")

        class Vm:
            session = Session(("timedatectl", 0, line % "UTC"), ("timedatectl set-timezone", 0, ""),
                              ("timedatectl", 0, line % "Europe/Berlin"))
            def wait_for_login(self, **_):
                return self.session
        t.sync_timezone_linux(Vm())
        assert Vm.session.sent[1] == "timedatectl set-timezone Europe/Berlin" and Vm.session.closed
        assert t.is_ntp_enabled(Session(("timedatectl", 0, "NTP enabled: yes")))
        assert not t.is_ntp_enabled(Session(("timedatectl", 0, "NTP service: inactive")))
        assert t.execute("echo here") == "here"
    """)


def test_a_windows_guest_is_asked_by_wmic():
    check(r"""
        from virttest.utils_windows import drive, system, wmic
        assert wmic.make_query("os", "a=1", ["x", "y"], "/f", "/g") == "wmic os /g where (a=1) get x,y /f"
        assert wmic.parse_list("\r\n\r\nA=1\r\nB=2=3\r\n\r\n\r\nA=4\r\nB=5\r\n") == [{"A": "1", "B": "2=3"}, {"A": "4", "B": "5"}]
        assert wmic.parse_list("A=1\r\n\r\nA=2") == ["1", "2"] and wmic.parse_list("No Instance(s) Available.") == []
        s = Session(("wmic os get OSArchitecture /format:list", 0, "\r\nOSArchitecture=64-bit\r\n"))
        assert system.os_arch(s) == "64-bit"
        assert system.product_name(Session(("wmic os get Caption", 0, ""))) is None
        assert not system.file_exists(Session((r"dir /a /b C:\x", 1, "")), r"C:\x")
        s = Session(("wmic LogicalDisk where (VolumeName like 'virtio-win%')", 0, "DeviceID=E:\r\n"))
        assert drive.get_hard_drive_letter(s, "virtio-win%") == "E:"
        s = Session(("wmic LogicalDisk where (MediaType!=0 AND MediaType!=11 AND MediaType!=12)", 0, "DeviceID=A:\r\n"))
        assert drive.get_floppy_drives_letter(s) == ["A:"]
        s = Session(("echo select volume 3 > %TEMP%", 0, ""))
        drive.extend_volume(s, 3)
        assert s.sent == [r"echo select volume 3 > %TEMP%\extend_3.dp && echo extend >> %TEMP%\extend_3.dp && "
                          r"diskpart /s %TEMP%\extend_3.dp"]
        get = lambda answer, *props: drive.get_disk_props_by_serial_number(Session(("wmic diskdrive", 0, answer)), "s%", props)
        assert get("Index=1\r\n", "Index") == {"Index": "1"} and get("", "Index") == {}
        assert get("Index=1\r\nName=x\r\n", "Index", "Name") == {"Index": "1", "Name": "x"}
    """)


def test_memory_as_linux_counts_it():
    check(r"""
        from virttest.staging import utils_memory as m
        info = "MemTotal:  100 kB\nMemFree: 7 kB\nHugepagesize:   2048 kB\nHugePages_Free:  3\n"
        ask = lambda: Session(("cat /proc/meminfo", 0, info))
        assert (m.memtotal(ask()), m.freememtotal(ask()), m.get_huge_page_size(ask())) == (100, 7, 2048)
        assert m.get_num_huge_pages_free(ask()) == 3
        raises(Exception, lambda: m.get_num_huge_pages_surp(ask()))
        node = Session(("cat /sys/devices/system/node/node0/meminfo", 0, "Node 0 MemTotal:  55 kB\nNode 0 MemFree: 1 kB\n"))
        assert m.memtotal(node, 0) == 55
        assert m.read_from_vmstat("pgfault", Session(("cat /proc/vmstat", 0, "pgmajfault 4\npgfault 9\n"))) == 9
        assert m.read_from_smaps(5, "Rss", Session(("cat /proc/5/smaps", 0, "Rss: 1 kB\nPss: 7 kB\nRss: 2 kB\n"))) == 3
        assert m.get_transparent_hugepage(Session(("cat", 0, "always [madvise] never"))) == "madvise"
        assert m.getpagesize(Session(("getconf", 0, "4096\n"))) == 4
        raises(ValueError, lambda: m.set_transparent_hugepage("sometimes"))
        assert "status 3" in str(raises(Exception, lambda: m.drop_caches(Session(("sync", 3, "no")))))
        assert m.memtotal() > m.freememtotal() > 0 and m.numa_nodes() >= 1
    """)


def test_disks_of_guests():
    check(r"""
        from virttest import utils_disk as d
        mounts = "/dev/vda1 / ext4 rw,relatime 0 0\ntmpfs /tmp tmpfs rw,nosuid 0 0\n"
        ask = lambda **want: d.is_mount(session=Session(("cat /proc/mounts", 0, mounts)), **want)
        assert ask(src="/dev/vda1") and ask(dst="/") and ask(dst="/tmp/", fstype="tmpfs", options="nosuid,rw")
        assert not ask(src="/dev/vda") and not ask(dst="/tmp", options="ro")
        s = Session(("cat /proc/mounts", 0, ""), ("mount -t ext4 -o ro /dev/vdb /mnt", 0, ""))
        assert d.mount("/dev/vdb", "/mnt", "ext4", "ro", session=s) and not s.answers
        s = Session(("cat /proc/mounts", 0, mounts), ("mount -o remount,ro tmpfs /tmp", 32, "busy"))
        assert not d.mount("tmpfs", "/tmp", options="ro", session=s)
        s = Session(("cat /proc/mounts", 0, mounts), ("umount /tmp", 0, ""))
        assert d.umount("tmpfs", "/tmp", session=s) and d.umount("x", "/y", session=Session(("cat", 0, mounts)))

        lsblk = ("lsblk -nbrpo", 0, "/dev/sda  disk\n/dev/sda1 /dev/sda part\n/dev/sdb  disk\n/dev/sr0  rom\n")
        facts = "E: DEVTYPE=disk\nE: ID_SERIAL=abc\n"
        s = Session(lsblk, ("lsblk -dno SIZE /dev/sdb", 0, "  1G\n"), ("udevadm info -q all -n sdb", 0, facts))
        assert d.get_linux_disks(s) == {"sdb": ["sdb", "1G", "disk", "abc", None]}
        s = Session(lsblk, *[("lsblk -dno", 0, "1G")] * 3, *[("udevadm", 0, facts)] * 3)
        assert list(d.get_linux_disks(s, True)) == ["sda", "sda1", "sdb"]

        s = Session(("lsblk", 0, "sdb disk\n"), ('parted -s "/dev/sdb" mkpart primary 0.0M 1024.0M', 0, ""),
                    ("partprobe /dev/sdb", 0, ""), ("lsblk", 0, "sdb disk\nsdb1 part\n"))
        assert d.create_partition(s, "sdb", "1G", "0M", "linux") == "sdb1"

        listed = "  Disk 0    Online    40 GB      0 B\n  Disk 1    Online  2048 MB  2048 MB\n  Disk 2  Offline  10 GB  10 GB\n"
        assert d.get_windows_disks_index(Session(("echo list disk", 0, listed)), "2G") == ["1"]
        assert d.get_windows_disks_index(Session(("echo list disk", 0, listed)), "10G") == ["2"]
        s = Session(("echo list disk", 0, "Current Read-only State : Yes\nStatus : Offline"), *[("echo", 0, "")] * 2)
        assert d.update_windows_disk_attributes(s, ["1"])
        assert "attributes disk clear readonly" in s.sent[1] and "online disk" in s.sent[2]
        made = Session(("echo", 0, "  Partition ###\n* Partition 2    Primary\n"))
        assert d.create_partition(made, "1", "100M", "0M", "windows") == "2"
        assert "create partition primary size=100" in made.sent[0]
    """)


def test_volumes_and_drives_by_name():
    check(r"""
        from virttest import utils_misc as m
        wmic = lambda text: Session(("wmic logicaldisk where", 0, text))
        assert m.set_winutils_letter(wmic("DeviceID\r\nE:\r\n"), r"WIN_UTILS:\a.exe WIN_UTILS:\b") == r"E:\a.exe E:\b"
        assert m.set_winutils_letter(Session(), "dir") == "dir"
        assert m.get_winutils_vol(wmic("No Instance(s) Available.")) is None
        assert "WIN_UTILS" in str(raises(Exception, lambda: m.set_winutils_letter(wmic(""), r"WIN_UTILS:\a")))
        s = Session(("lsblk", 0, "sda\nvdb\n"), ("udevadm info -q property -n /dev/sda", 0, "ID_SERIAL=x\n"),
                    ("cat /sys/block/sda/serial", 1, "no such file"), ("udevadm", 0, ""), ("cat /sys/block/vdb", 0, "stg0\n"))
        assert m.get_linux_drive_path(s, "stg0") == "/dev/vdb"
        assert m.get_linux_drive_path(Session(("lsblk", 0, "")), "stg0") == ""
    """)


def test_where_windows_finds_its_drivers():
    check(r"""
        from virttest.utils_windows import virtio_win as v
        os = lambda caption: Session(("wmic os get Caption", 0, "Caption=%s\r\n" % caption))
        for caption, iso, floppy in (("Microsoft Windows 10 Enterprise", "w10", "Win10"),
                                     ("Microsoft Windows Server 2019 Standard", "2k19", "Win2019"),
                                     ("Microsoft Windows Server 2012 R2 Standard", "2k12R2", "Win2012R2")):
            assert v.product_dirname_iso(os(caption)) == iso and v.product_dirname_vfd(os(caption)) == floppy
        assert v.product_dirname_iso(os("Something")) is None
        arch = lambda: Session(("wmic os get OSArchitecture", 0, "OSArchitecture=32-bit\r\n"))
        assert (v.arch_dirname_iso(arch()), v.arch_dirname_vfd(arch())) == ("x86", "i386")
        assert v.drive_letter_iso(Session(("wmic LogicalDisk", 0, "DeviceID=E:\r\n"))) == "E:"
    """)


def test_networks_of_host_and_guests():
    check(r"""
        from virttest import utils_net as n
        assert n.get_ip_address_by_interface("lo") == "127.0.0.1" and "lo" in n.get_host_iface()
        assert n.get_host_ip_address({"host_ip_addr": "10.1.1.1"}) == "10.1.1.1"
        assert "ipv5" in str(raises(n.NetError, lambda: n.get_ip_address_by_interface("lo", "ipv5")))
        raises(n.NetError, lambda: n.get_ip_address_by_interface("no-such-if"))
        raises(n.NetError, lambda: n.bring_up_ifname("no-such-if"))
        assert n.get_net_if_operstate("lo") == "unknown"
        assert n.get_net_if_operstate("eth0", lambda command: "up\n") == "up"
        links = ("grep", 2, "/sys/class/net/eth0/address:52:54:00:aa:bb:cc\n/sys/class/net/lo/address:00:00:00:00:00:00\n")
        assert n.get_linux_ifname(Session(links), "52:54:00:AA:BB:CC") == "eth0" and n.get_linux_ifname(Session(links)) == ["eth0"]
        raises(n.NetError, lambda: n.get_linux_ifname(Session(links), "52:54:00:00:00:01"))
        assert n.get_linux_mac(Session(("cat /sys/class/net/eth0/address", 0, "52:54:00:aa:bb:cc\n")), "eth0") == "52:54:00:aa:bb:cc"
        s = Session(("wmic nic where (macaddress like '52%') get netconnectionid /format:list", 0, "NetConnectionID=Ethernet\r\n"))
        assert n.get_windows_nic_attribute(s, "macaddress", "52%", "netconnectionid") == "Ethernet"
        assert n.generate_mac_address_simple().startswith("52:54:00:")
    """)


def test_the_reason_of_a_missing_name_says_so_and_what_is_near():
    check(r"""
        from _vtglue import statuses
        from virttest import utils_misc
        def reason(code):
            try:
                exec(code, {"utils_misc": utils_misc})
            except Exception as error:
                return statuses.verdict(error).reason
        part = "this runner does not have that part of virttest yet"
        assert part in reason("import virttest.no_such") and part in reason("from virttest import no_such")
        assert part + "; did you mean wait_for?" in reason("from virttest.utils_misc import waitfor")
        assert part + "; did you mean wait_for?" in reason("utils_misc.waitfor")
        assert part in reason("from virttest.utils_params import Params; Params().no_such")
        assert part not in reason("None.no_such") and part not in reason("import no_such_module")
        assert part not in reason("raise AttributeError('mine')") and part not in reason("raise ImportError('mine')")
    """)


def test_ping_and_what_it_lost():
    check(r"""
        from virttest import utils_net, utils_test
        lines = []
        s = Session(("ping 10.0.0.1 -c 3 -i 0.5 -s 100 -f", 1, "a\n3 packets transmitted, 2 received, 33.3% packet loss\n"))
        status, output = utils_test.ping("10.0.0.1", 3, 0.5, packetsize=100, flood=True, session=s, output_func=lines.append)
        assert status == 1 and utils_test.get_loss_ratio(output) == 33 and lines[0] == "a"
        assert utils_test.get_loss_ratio("Lost = 0 (0% loss)") == 0 and utils_test.get_loss_ratio("nothing") == -1
        # What does not end is interrupted, and its last words are there.
        status, output = utils_net.raw_ping("trap 'echo 25% packet loss; exit 3' INT; echo begun; sleep 100", 3, None, None)
        assert status == 3 and output == "begun\n25% packet loss\n", (status, output)
    """)

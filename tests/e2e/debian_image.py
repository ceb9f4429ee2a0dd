# SPDX-License-Identifier: GPL-2.0-or-later
"""A user's own image: Debian made by mmdebstrap, without root, as a bootable qcow2 disk.

It is what a user would bring along: systemd, OpenSSH, a getty on ttyS0, DHCP on every interface; root's password is
"mine". A second one, plain_debian_image(), has a script for an init instead of systemd, with OpenSSH as Debian
configures it; it is up in seconds, and its network comes up as late as QEMU's command line says (plain_options()).

Building takes a minute or two, so the images are kept in the build directory under the digests of their recipes.
Programs needed: mmdebstrap, fakeroot, mke2fs, mtools, syslinux, qemu-img.
"""

import hashlib
import os
import pathlib
import shlex
import shutil
import struct
import subprocess
import tarfile
import tempfile

PASSWORD = "mine"
LABEL = "debian-root"
MIB = 1 << 20
BOOT = (1 * MIB, 127 * MIB)
ROOT = (128 * MIB, 1920 * MIB)

# The init of the plain image. What varies from boot to boot comes by the machine's serial number in its SMBIOS tables,
# which needs no driver: "NETWORK/SECONDS/MAXSTARTUPS". sshd's log goes to the console.
PLAIN_INIT = r"""#!/bin/bash
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev 2>/dev/null
mkdir -p /dev/pts /dev/shm
mount -t devpts -o gid=5,mode=620 devpts /dev/pts
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /tmp
mkdir -m 0755 -p /run/sshd /run/lock
IFS=/ read -r network seconds startups </sys/class/dmi/id/product_serial
hostname plain
ip link set lo up
setsid -f agetty --noclear 115200 ttyS0
sleep "$seconds"
echo "network: bringing it up after $seconds s" >/dev/console
ip link set eth0 up
if [ "$network" = dhcp ]; then
    dhclient -q eth0
else
    ip address add 10.0.2.15/24 dev eth0
    ip route add default via 10.0.2.2
fi
[ -z "$startups" ] || options="-o MaxStartups=$startups"
setsid -f /usr/sbin/sshd -D -e -o LogLevel=VERBOSE $options 2>/dev/console
while true; do wait -n || sleep 60; done
"""
# What a shell is asked for when the machine shall end or restart.
PLAIN_SHUTDOWN = r"""#!/bin/sh
sync
mount -o remount,ro /
case "$0 $*" in *reboot*|*-r*) key=b ;; *) key=o ;; esac
echo $key >/proc/sysrq-trigger
"""


def _mmdebstrap(packages, *own):
    """The call that makes a root file system with packages; own are its arguments beside those of every image."""
    return [
        "mmdebstrap",
        "--mode=unshare",
        "--variant=minbase",
        f"--include={packages}",
        "--dpkgopt=path-exclude=/usr/share/man/*",
        "--dpkgopt=path-exclude=/usr/share/doc/*",
        "--dpkgopt=path-exclude=/usr/share/locale/*",
        '--essential-hook=mkdir -p "$1/etc/initramfs-tools/conf.d"; '
        'printf "COMPRESS=lz4\\nMODULES=most\\n" >"$1/etc/initramfs-tools/conf.d/test"',
        f'--customize-hook=echo root:{PASSWORD} | chroot "$1" chpasswd',
        '--customize-hook=echo "PermitRootLogin yes" >"$1/etc/ssh/sshd_config.d/test.conf"',
        f'--customize-hook=echo debian >"$1/etc/hostname"; echo "LABEL={LABEL} / ext4 rw 0 1" >"$1/etc/fstab"',
        *own,
        "bookworm",
    ]


MMDEBSTRAP = _mmdebstrap(
    "linux-image-cloud-amd64,openssh-server,systemd-sysv,dbus,iproute2,kmod,udev",
    '--customize-hook=printf "[Match]\\nType=ether\\n[Network]\\nDHCP=ipv4\\n" '
    '>"$1/etc/systemd/network/dhcp.network"; chroot "$1" systemctl enable systemd-networkd',
)
PLAIN_MMDEBSTRAP = _mmdebstrap(
    "linux-image-cloud-amd64,openssh-server,iproute2,isc-dhcp-client,kmod",
    f"--customize-hook=printf %s {shlex.quote(PLAIN_INIT)} >\"$1/sbin/init\"; chmod 755 \"$1/sbin/init\"",
    f"--customize-hook=printf %s {shlex.quote(PLAIN_SHUTDOWN)} >\"$1/sbin/shutdown\"; chmod 755 \"$1/sbin/shutdown\"; "
    'ln -sf shutdown "$1/sbin/reboot"; ln -sf shutdown "$1/sbin/poweroff"',
)
SYSLINUX_CONFIG = f"""DEFAULT debian
PROMPT 0
LABEL debian
    KERNEL /vmlinuz
    INITRD /initrd
    APPEND root=LABEL={LABEL} rw console=tty0 console=ttyS0,115200{{options}}
"""
TOOLS = ("mmdebstrap", "fakeroot", "mke2fs", "mformat", "mcopy", "syslinux", "qemu-img")


def _path():
    return os.environ.get("PATH", "/usr/bin:/bin") + ":/usr/sbin:/sbin"


def missing_tools():
    """The programs that a build would need and this host lacks."""
    return [tool for tool in TOOLS if not shutil.which(tool, path=_path())]


def _run(*argv, **options):
    done = subprocess.run(argv, env=dict(os.environ, PATH=_path()), capture_output=True, text=True, **options)
    if done.returncode:
        raise RuntimeError(f"{argv[0]} failed with {done.returncode}: {done.stderr[-2000:]}")


def _write_mbr(disk):
    code = next(
        path for path in ("/usr/lib/syslinux/mbr/mbr.bin", "/usr/share/syslinux/mbr.bin") if os.path.exists(path)
    )
    record = bytearray(512)
    boot_code = pathlib.Path(code).read_bytes()[:440]
    record[: len(boot_code)] = boot_code
    for index, ((offset, size), kind, active) in enumerate(((BOOT, 0x0E, 0x80), (ROOT, 0x83, 0))):
        entry = struct.pack("<B3sB3sII", active, b"\xfe\xff\xff", kind, b"\xfe\xff\xff", offset // 512, size // 512)
        record[446 + 16 * index : 462 + 16 * index] = entry
    record[510:] = b"\x55\xaa"
    with open(disk, "wb") as file:
        file.write(record)
        file.truncate(ROOT[0] + ROOT[1])


def _build(work, target, mmdebstrap, syslinux_config):
    tarball = work / "root.tar"
    _run(*mmdebstrap, str(tarball))
    with tarfile.open(tarball) as archive:
        for member in archive.getmembers():
            for prefix, name in (("./boot/vmlinuz-", "vmlinuz"), ("./boot/initrd.img-", "initrd")):
                if member.isfile() and member.name.startswith(prefix):
                    (work / name).write_bytes(archive.extractfile(member).read())
    disk = work / "disk.raw"
    _write_mbr(disk)
    (work / "syslinux.cfg").write_text(syslinux_config)
    image = f"{disk}@@{BOOT[0]}"
    _run("mformat", "-i", image, "-T", str(BOOT[1] // 512), "-h", "255", "-s", "63", "-H", str(BOOT[0] // 512), "::")
    _run("syslinux", "-t", str(BOOT[0]), "--install", str(disk))
    _run("mcopy", "-i", image, *(str(work / name) for name in ("vmlinuz", "initrd", "syslinux.cfg")), "::")
    (work / "root").mkdir()
    # One fakeroot session: what tar says of owners and devices must still be known when mke2fs asks.
    script = 'tar -x -p -f "$1" -C "$2" && mke2fs -q -F -t ext4 -L "$3" -E offset="$4" -d "$2" "$5" "$6"'
    arguments = (tarball, work / "root", LABEL, ROOT[0], disk, f"{ROOT[1] // 1024}k")
    _run("fakeroot", "sh", "-ec", script, "sh", *map(str, arguments))
    part = target.with_suffix(".part")
    _run("qemu-img", "convert", "-O", "qcow2", str(disk), str(part))
    part.rename(target)


def _image(cache_dir, kind, mmdebstrap, kernel_options=""):
    syslinux_config = SYSLINUX_CONFIG.format(options=kernel_options)
    recipe = repr((mmdebstrap, syslinux_config, BOOT, ROOT)).encode()
    target = pathlib.Path(cache_dir) / f"{kind}-{hashlib.sha256(recipe).hexdigest()[:16]}.qcow2"
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="debian-image-", dir=target.parent) as work:
            _build(pathlib.Path(work), target, mmdebstrap, syslinux_config)
    return target


def debian_image(cache_dir):
    """The path of the image below cache_dir, built if it is not there. Not to be written to: make an overlay."""
    return _image(cache_dir, "debian", MMDEBSTRAP)


def plain_debian_image(cache_dir):
    """The same of the image with a script for an init. Start it with plain_options()."""
    return _image(cache_dir, "plain-debian", PLAIN_MMDEBSTRAP, " net.ifnames=0 quiet")


def plain_options(network="dhcp", seconds=0, max_startups=""):
    """QEMU's arguments for the plain image: dhcp or static, when its network comes up, sshd's MaxStartups if set."""
    return ["-smbios", f"type=1,serial={network}/{seconds}/{max_startups}"]

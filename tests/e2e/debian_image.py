# SPDX-License-Identifier: GPL-2.0-or-later
"""A user's own image: Debian made by mmdebstrap, without root, as a bootable qcow2 disk.

It is what a user would bring along: systemd, OpenSSH, a getty on ttyS0, DHCP on every interface; root's password is
"mine". Building takes a minute or two, so the image is kept in the build directory under the digest of this recipe. Programs
needed: mmdebstrap, fakeroot, mke2fs, mtools, syslinux, qemu-img.
"""

import hashlib
import os
import pathlib
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

MMDEBSTRAP = [
    "mmdebstrap",
    "--mode=unshare",
    "--variant=minbase",
    "--include=linux-image-cloud-amd64,openssh-server,systemd-sysv,dbus,iproute2,kmod,udev",
    "--dpkgopt=path-exclude=/usr/share/man/*",
    "--dpkgopt=path-exclude=/usr/share/doc/*",
    "--dpkgopt=path-exclude=/usr/share/locale/*",
    '--essential-hook=mkdir -p "$1/etc/initramfs-tools/conf.d"; '
    'printf "COMPRESS=lz4\\nMODULES=most\\n" >"$1/etc/initramfs-tools/conf.d/test"',
    f'--customize-hook=echo root:{PASSWORD} | chroot "$1" chpasswd',
    '--customize-hook=echo "PermitRootLogin yes" >"$1/etc/ssh/sshd_config.d/test.conf"',
    '--customize-hook=printf "[Match]\\nType=ether\\n[Network]\\nDHCP=ipv4\\n" '
    '>"$1/etc/systemd/network/dhcp.network"; chroot "$1" systemctl enable systemd-networkd',
    f'--customize-hook=echo debian >"$1/etc/hostname"; echo "LABEL={LABEL} / ext4 rw 0 1" >"$1/etc/fstab"',
    "bookworm",
]
SYSLINUX_CONFIG = f"""DEFAULT debian
PROMPT 0
LABEL debian
    KERNEL /vmlinuz
    INITRD /initrd
    APPEND root=LABEL={LABEL} rw console=tty0 console=ttyS0,115200
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


def _build(work, target):
    tarball = work / "root.tar"
    _run(*MMDEBSTRAP, str(tarball))
    with tarfile.open(tarball) as archive:
        for member in archive.getmembers():
            for prefix, name in (("./boot/vmlinuz-", "vmlinuz"), ("./boot/initrd.img-", "initrd")):
                if member.isfile() and member.name.startswith(prefix):
                    (work / name).write_bytes(archive.extractfile(member).read())
    disk = work / "disk.raw"
    _write_mbr(disk)
    (work / "syslinux.cfg").write_text(SYSLINUX_CONFIG)
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


def debian_image(cache_dir):
    """The path of the image below cache_dir, built if it is not there; not to be written to: make an overlay or a copy."""
    recipe = repr((MMDEBSTRAP, SYSLINUX_CONFIG, BOOT, ROOT)).encode()
    target = pathlib.Path(cache_dir) / f"debian-{hashlib.sha256(recipe).hexdigest()[:16]}.qcow2"
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="debian-image-", dir=target.parent) as work:
            _build(pathlib.Path(work), target)
    return target

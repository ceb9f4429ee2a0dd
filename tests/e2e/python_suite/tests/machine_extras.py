# SPDX-License-Identifier: GPL-2.0-or-later
"""What a guest sees of encrypted disks, TPMs, shared directories, NUMA nodes and further devices."""

import os


def run(test, params, env):
    vm = env.get_vm(params["main_vm"])
    session = vm.wait_for_login()

    def see(command, wanted):
        out = session.cmd_output(command, timeout=120)
        if wanted not in out:
            test.fail(f"{command}: {out!r} has no {wanted!r}")

    see("cat /sys/class/tpm/tpm0/tpm_version_major || (modprobe tpm_crb; sleep 1; cat /sys/class/tpm/tpm0/tpm_version_major)",
        "2")
    see("ls -d /sys/devices/system/node/node0 /sys/devices/system/node/node1", "node1")
    see("cat /sys/devices/system/node/node0/distance", "21")
    for disk in ("luks", "served"):
        see(f"dd if=/dev/urandom of=/tmp/{disk} bs=64k count=4 2>/dev/null; "
            f"for d in /sys/block/vd*; do [ \"$(cat $d/serial)\" = {disk} ] && echo found /dev/${{d##*/}}; done",
            "found /dev/vd")
        see(f"for d in /sys/block/vd*; do [ \"$(cat $d/serial)\" = {disk} ] && n=/dev/${{d##*/}}; done; "
            f"dd if=/tmp/{disk} of=$n bs=64k 2>/dev/null; sync; echo 3 > /proc/sys/vm/drop_caches; "
            f"dd if=$n bs=64k count=4 2>/dev/null | cmp - /tmp/{disk} && echo the same", "the same")
    see("modprobe virtiofs; mkdir -p /mnt/fs && mount -t virtiofs shared /mnt/fs && cat /mnt/fs/word", "from the host")
    see("modprobe 9pnet_virtio; mkdir -p /mnt/p9 && mount -t 9p -o trans=virtio autotest_tag /mnt/p9 && cat /mnt/p9/word",
        "from the host")
    see("echo from the guest > /mnt/fs/answer; sync; echo written", "written")
    with open(os.path.join(params["share"], "answer")) as answer:
        if answer.read() != "from the guest\n":
            test.fail("the host does not see what the guest wrote")
    see("ls /sys/class/virtio-ports; cat /sys/class/virtio-ports/*/name", "org.avocado.0")
    session.close()
    if vm.devices.differences():
        test.fail("\n".join(vm.devices.differences()))
    test.whiteboard = "all of it"

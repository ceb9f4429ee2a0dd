# SPDX-License-Identifier: GPL-2.0-or-later
"""Bad input, each with a clear sentence and the right status: options, configs, programs, images, machines, guests."""

import os
import re
import shutil
import subprocess

import pytest
from jobs import wait_until

# One job of the variants in bad.cfg: status, and the whole reason as a regular expression.
QEMU_SAID = r"VM avocado-vt-vm1: QEMU \(pid \d+\) ended with exit status 1; it said: .*"
BAD = {
    "qemu_missing": ("ERROR", r"QEMU \(/no/such/qemu\) is not there; install .*"),
    "qemu_no_program": ("ERROR", r"QEMU \(/etc/passwd\) is not there; install .*"),
    "qemu_ends_at_once": (
        "ERROR",
        r"VM avocado-vt-vm1: .*/true ended before it could be asked what it can do \(exit status 0\); .*--vt-qemu-bin",
    ),
    "qemu_never_answers": ("ERROR", r"VM avocado-vt-vm1: .*/qemu-that-hangs did not answer within 2 s when asked .*"),
    "qemu_refuses_option": ("ERROR", QEMU_SAID + "-nonsense: invalid option"),
    "extra_params_unfinished": ("ERROR", r"a quote ' is not closed in .*"),
    "image_missing": ("ERROR", r"the file .*/images/nowhere\.qcow2 of image image1 is missing; .*vt-bootstrap.*"),
    "image_garbage": ("ERROR", QEMU_SAID + "Image is not in qcow2 format"),
    "image_cut_off": ("ERROR", r".*image1.*cut_off\.qcow2.*"),
    "image_without_base": ("ERROR", QEMU_SAID + r"Could not open backing file: .*base\.qcow2.*"),
    "image_directory": ("ERROR", r".*directory\.qcow2 .*Is a directory"),
    "image_leaks": ("ERROR", r".*leaked clusters in image image1 .*leaks\.qcow2.*skip_cluster_leak_warn = yes.*"),
    "image_damaged": ("ERROR", r".*qemu-img check finds image image1 .*damaged\.qcow2\) damaged: .*restore it.*"),
    "image_size_words": ("ERROR", r"image image1 could not be created .*large\): Invalid image size specified.*"),
    "kernel_missing": ("ERROR", r"the file .*no-kernel of parameter kernel is missing; .*"),
    "cdrom_missing": ("ERROR", r"the file .*nowhere\.iso of CD cd1 is missing; .*cdrom_cd1"),
    "machine_type_unknown": ("ERROR", QEMU_SAID + "unsupported machine type.*"),
    "cpu_model_unknown": ("ERROR", QEMU_SAID + "unable to find CPU model 'z80'"),
    "mem_words": ("ERROR", "the parameter 'mem = lots' is not a whole number.*"),
    "mem_too_large": ("ERROR", QEMU_SAID + "Cannot allocate memory"),
    "smp_words": ("ERROR", "the parameter 'smp = many' is not a whole number.*"),
    "nic_model_unknown": ("ERROR", QEMU_SAID + "'carrier_pigeon' is not a valid device model name"),
    "drive_format_unknown": ("ERROR", 'drive_format "tape" of image1 is not known; known are .*virtio.*'),
    "vm_type_unknown": ("CANCEL", 'vm_type "bochs" of avocado-vt-vm1 is not supported by this runner.*'),
    "number_words": ("ERROR", r"ValueError: the parameter 'login_timeout = soon' is not a number.*"),
    "shell_client_unknown": ("ERROR", r"LoginBadClientError: Unknown remote shell client.*'smoke'.*"),
    "pre_command_fails": (
        "ERROR",
        'pre_command "echo there is no spoon; exit 3" ended with exit status 3: there is no spoon',
    ),
    "post_command_fails": ("ERROR", r".*post_command .* ended with exit status 4: the tap still runs"),
    "program_missing": ("SKIP", "the program no-such-program is not installed on this host.*"),
    "qemu_too_old": ("CANCEL", r"the test wants a QEMU of \[99\.0\.0,\), this one is \d+\.\d+\.\d+"),
    "no_guest_system": ("ERROR", r"LoginTimeoutError: VM avocado-vt-vm1 let nobody in within 5 s.*serial console.*"),
    "dies_in_test": ("ERROR", r"VMDeadError: VM avocado-vt-vm1: QEMU \(pid \d+\) was killed by SIGKILL.*"),
}


def qemu_img(*words):
    subprocess.run(["qemu-img", *map(str, words)], check=True, stdout=subprocess.DEVNULL)


def overwrite(path, offset, data, size=None):
    with open(path, "r+b") as file:
        file.seek(offset)
        file.write(data)
        if size:
            file.truncate(size)


def make_bad_images(images):
    """What bad.cfg names; the offsets are those of a fresh qcow2 with clusters of 64 KiB (refcounts at 0x20000)."""
    qemu_img("create", "-f", "qcow2", images / "tiny.qcow2", "16M")
    (images / "garbage.qcow2").write_text("This is no image.\n" * 100)
    shutil.copy(images / "tiny.qcow2", images / "cut_off.qcow2")
    os.truncate(images / "cut_off.qcow2", 1000)
    qemu_img("create", "-f", "qcow2", images / "base.qcow2", "16M")
    qemu_img("create", "-f", "qcow2", "-F", "qcow2", "-b", images / "base.qcow2", images / "without_base.qcow2")
    (images / "base.qcow2").unlink()
    (images / "directory.qcow2").mkdir()
    for name in ("leaks", "damaged"):
        path = images / (name + ".qcow2")
        qemu_img("create", "-f", "qcow2", path, "16M")
        subprocess.run(["qemu-io", "-c", "write 0 1M", str(path)], check=True, stdout=subprocess.DEVNULL)
    overwrite(images / "leaks.qcow2", 0x20000 + 2 * 100, b"\0\1", size=102 << 16)
    overwrite(images / "damaged.qcow2", 0x20000 + 2 * 6, bytes(4))


@pytest.fixture(scope="module")
def images(site):
    make_bad_images(site.data / "images")
    return site.data / "images"


@pytest.fixture(scope="module")
def job(site, images):
    programs = site.root / "bin"
    programs.mkdir(exist_ok=True)
    hanging = programs / "qemu-that-hangs"
    hanging.write_text("#!/bin/sh\nexec sleep 1000\n")
    hanging.chmod(0o755)
    path = f"{site.environment['PATH']}:{programs}"
    # One at a time: tests that run at once get overlays, and images are not looked at.
    return site.run("statuses.bad", timeout=200, environment={"PATH": path})


@pytest.mark.parametrize("name", BAD)
def test_bad_machine(job, name):
    status, reason = BAD[name]
    test = job.test("statuses.bad." + name)
    assert test.status == status, test.reason
    assert "\n" not in test.reason and len(test.reason) < 1100
    assert re.fullmatch(reason, test.reason), test.reason


def test_all_bad_machines_were_tried_and_nothing_is_left(job, site):
    assert {test.name for test in job.tests} == {"statuses.bad." + name for name in BAD}
    assert site.no_process_within(2) < 2
    site.runner("reap")
    assert site.leftovers() == []


def test_the_users_damaged_image_is_still_there(job, images):
    """Nothing deletes or repairs what a user should look at; copies are made as the parameter says."""
    assert (images / "damaged.qcow2").exists()
    assert list(images.glob("damaged.qcow2.bad.*"))
    assert (images / "garbage.qcow2").read_text().startswith("This is no image.")
    assert not (images / "new.qcow2").exists() and not (images / "new.qcow2.part").exists()


def test_evidence_of_a_machine_that_died(job):
    test = job.test("statuses.bad.qemu_refuses_option")
    assert b"-nonsense: invalid option" in test.file("qemu-avocado-vt-vm1.log")
    assert "-nonsense" in test.log and "Running qemu command" in test.log
    test = job.test("statuses.bad.no_guest_system")
    assert (test.logdir / "screendump-avocado-vt-vm1.png").read_bytes().startswith(b"\x89PNG")
    assert (test.logdir / "serial-serial0-avocado-vt-vm1.log").exists()


# Options: nothing is run, and the message is on the terminal.
OPTIONS = {
    "vt-type": (["--vt-type", "qumu"], r"--vt-type.*'qumu'.*qemu.*libvirt"),
    "qemu-bin": (["--vt-qemu-bin", "/no/such"], r"--vt-qemu-bin.*/no/such"),
    "guest": (["--vt-guest-os", "JeOS.minni"], r"--vt-guest-os: .*no guest 'JeOS\.minni'.*near it are .*JeOS\.mini\b"),
    "machine": (["--vt-machine-type", "pc-of-tomorrow"], r"pc-of-tomorrow"),
    "arch": (["--vt-arch", "z80"], r"z80"),
    "extra-params": (["--vt-extra-params", "novalue"], r"--vt-extra-params.*novalue"),
    "only-filter": (["--vt-only-filter", "a...b"], r"a\.\.\.b|only"),
    "config": (["--vt-config", "/no/such.cfg"], r"/no/such\.cfg"),
}


@pytest.mark.parametrize("name", OPTIONS)
def test_bad_option(site, name):
    words, message = OPTIONS[name]
    done = site.avocado("run", "--vt-type", "qemu", *words, "--", "raises.passes")
    assert done.returncode == 4, done.output
    assert re.search(message, " ".join(done.output.split())), done.output
    assert "Traceback" not in done.output


SETTINGS = {
    "disk_bus": ("vt.qemu", "disk_bus", "tape"),
    "accel": ("vt.qemu", "accel", "steam"),
    "nettype": ("vt.common", "nettype", "string"),
    "smp": ("vt.qemu", "smp", "many"),
    "monitor": ("vt.qemu", "monitor", "crt"),
    "vhost": ("vt.qemu", "vhost", "maybe"),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_bad_setting(site, tmp_path, name):
    section, key, value = SETTINGS[name]
    config = tmp_path / "bad.conf"
    config.write_text(f"[{section}]\n{key} = {value}\n")
    done = site.avocado("--config", config, "run", "--vt-type", "qemu", "--", "raises.passes")
    assert done.returncode == 4, done.output
    assert key in done.output and value in done.output, done.output
    assert "Traceback" not in done.output


def test_reference_without_a_match(site):
    done = site.avocado("run", "--vt-type", "qemu", "--", "uptme")
    assert done.returncode == 2
    assert re.search(r"No test matches 'uptme'; near it are .*uptime", done.output), done.output
    listed = site.avocado("-V", "list", "--vt-type", "qemu", "--", "raises.pases")
    assert re.search(r"No test matches 'raises\.pases'; near it are .*passes", listed.output), listed.output


def test_reference_that_is_no_filter(site):
    done = site.avocado("run", "--vt-type", "qemu", "--", "a...b(")
    assert done.returncode == 2
    assert "a...b(" in done.output and "Traceback" not in done.output


BROKEN = [("variants:\n    - a:\n  type = x\n      y = 1\n", r":\d+"), ("only (((\n", r":1:\d+")]


@pytest.mark.parametrize("text, place", BROKEN)
def test_config_with_a_syntax_error(site, tmp_path, text, place):
    config = tmp_path / "broken.cfg"
    config.write_text(text)
    done = site.avocado("run", "--vt-config", config, "--", "a")
    assert done.returncode == 2
    assert re.search(re.escape(str(config)) + place, done.output), done.output
    assert "Traceback" not in done.output


def test_config_that_includes_what_is_not_there(site, tmp_path):
    config = tmp_path / "includes.cfg"
    config.write_text("x = 1\ninclude nowhere.cfg\n")
    done = site.avocado("run", "--vt-config", config, "--", "a")
    assert done.returncode == 2
    assert "nowhere.cfg" in done.output and re.search(r"includes\.cfg:2", done.output), done.output


def test_not_bootstrapped(site, tmp_path):
    config = tmp_path / "empty.conf"
    config.write_text(f"[datadir.paths]\ndata_dir = {tmp_path}/nothing\n")
    done = site.avocado("--config", config, "run", "--vt-type", "qemu", "--", "raises.passes")
    assert done.returncode == 2
    assert "vt-bootstrap" in done.output


# Guests that do not let us in: these need the built guest.
GUESTS = {
    "wrong_port": (
        ["shell_port=23", "login_within=10"],
        r"LoginTimeoutError: VM avocado-vt-vm1 let nobody in within 10 s.*last seen on the serial console: .*",
    ),
    "wrong_password": (
        ["password=letmein", "login_within=60"],
        r"LoginAuthenticationError: VM avocado-vt-vm1 refuses user root \(parameters username and password\).*",
    ),
    "kernel_without_root": (
        ["kernel_params=console=ttyS0 rdinit=/no/such init=/no/such root=/dev/nowhere panic=0", "login_within=60"],
        r"(VMDeadKernelCrashError|VMDeadError|LoginTimeoutError): .*Kernel panic - not syncing.*",
    ),
}


@pytest.mark.parametrize("name", GUESTS)
def test_guest_that_lets_nobody_in(vm_site, name):
    params, reason = GUESTS[name]
    job = vm_site.run("vm.logs_in", params=params, options=["--vt-guest-os", "JeOS.mini-direct"])
    assert job.only.status == "ERROR"
    assert re.fullmatch(reason, job.only.reason), job.only.reason
    assert "letmein" not in job.only.log, "a password is in the log"
    assert job.only.time < 50


def in_private_mounts(command):
    """A prefix that runs `command` (shell) with mounts of its own before Avocado."""
    if os.geteuid() != 0 or subprocess.run(["unshare", "-m", "true"], check=False).returncode != 0:
        pytest.skip("mounting a small disk needs root and mount namespaces")
    return ["unshare", "-m", "sh", "-ec", command + '; exec "$@"', "sh"]


def test_full_disk_below_images(site):
    small = site.root / "small"
    small.mkdir(exist_ok=True)
    prefix = in_private_mounts(
        f"mount -t tmpfs -o size=2m none {small}; qemu-img create -q -f qcow2 {small}/there.qcow2 16M; "
        f"head -c 1200000 /dev/zero >>{small}/there.qcow2"
    )
    job = site.run("small_disk", params=[f"images_base_dir={small}"], prefix=prefix)
    test = job.test("image_does_not_fit")
    assert test.status == "ERROR"
    assert re.search(r"image image1 could not be created.*No space left on device", test.reason), test.reason
    test = job.test("backup_does_not_fit")
    assert test.status == "PASS", test.reason
    assert re.search(r"is not backed up: \d+ MiB are free", test.log)


def test_full_disk_below_the_runtime_directory(site):
    """Extra parameters go by a file of the runtime directory: that it cannot be written is said before any test runs."""
    prefix = in_private_mounts(f"mkdir -p {site.runtime}; mount -t tmpfs -o size=4k,mode=700 none {site.runtime}")
    done = site.avocado(
        "run", "--vt-type", "qemu", "--vt-extra-params", "image_name_image1=images/tiny", "--", "vm.nothing", prefix=prefix
    )
    assert done.returncode != 0
    told = done.stdout + done.stderr
    assert re.search(rf"cannot write {site.runtime}/\S+: No space left on device", told), told


def test_full_disk_while_the_guest_writes(vm_site):
    small = vm_site.root / "small"
    small.mkdir(exist_ok=True)
    prefix = in_private_mounts(
        f"mount -t tmpfs -o size=2m none {small}; qemu-img create -q -f qcow2 {small}/there.qcow2 16M"
    )
    params = ["images=image1 stg", f"images_base_dir_stg={small}", "image_name_stg=there", "remove_image_stg=no"]
    job = vm_site.run(
        "vm.fills_disk", params=params, options=["--vt-guest-os", "JeOS.mini-direct"], prefix=prefix, timeout=100
    )
    assert job.only.status == "ERROR"
    fate = "QEMU stopped the guest: it could not write .*No space left on device"
    assert re.search(fate, job.only.reason), job.only.reason


def test_full_disk_below_the_results(site):
    """Avocado itself cannot write its results; what matters is that all ends, and nothing stays."""
    results = site.root / "results"
    results.mkdir(exist_ok=True)
    prefix = in_private_mounts(f"mount -t tmpfs -o size=60k none {results}")
    done = site.avocado(
        "run", "--vt-type", "qemu", "--vt-extra-params", "image_name_image1=images/tiny", "--", "vm.nothing",
        prefix=prefix, timeout=100,
    )
    assert done.returncode != 0
    assert site.no_process_within(3) < 3


def test_two_jobs_on_one_image(site, images):
    """The second waits for the first, and says so; both pass."""
    go = site.root / "first-may-end"
    told = site.root / "holds.json"
    for path in (go, told):
        path.unlink(missing_ok=True)
    words = ["run", "--vt-type", "qemu", "--vt-extra-params", "image_name_image1=images/tiny", "--vt-extra-params"]
    before = site.results_dirs()

    def logs():
        new = [path for path in site.results_dirs() if path not in before]
        found = [log for path in new for log in path.glob("test-results/*/debug.log")]
        return [log.read_text(errors="replace") for log in found]

    def waiting():
        return [text for text in logs() if re.search(r"[Ww]aiting for .*vm\.holds \(pid \d+\)", text)]

    jobs = [site.start(*words, f"until={go}", "--", "vm.holds")]
    try:
        wait_until("the first job's test holds the image", told.exists, 60)
        jobs.append(site.start(*words, f"until={go}", "--", "vm.holds"))
        wait_until("the second job says for whom it waits", waiting, 60)
        go.touch()
        outputs = [process.communicate(timeout=100)[0] for process in jobs]
    finally:
        for process in jobs:
            if process.poll() is None:
                process.kill()
                process.communicate()
    assert [process.returncode for process in jobs] == [0, 0], outputs
    assert len(logs()) == 2 and len(waiting()) == 1


def test_image_that_a_foreign_qemu_uses(site, images):
    path = images / "foreign.qcow2"
    qemu_img("create", "-f", "qcow2", path, "16M")
    foreign = subprocess.Popen(
        ["qemu-system-x86_64", "-accel", "tcg", "-nodefaults", "-display", "none", "-S"]
        + ["-drive", f"file={path},if=none"],
        stdin=subprocess.DEVNULL,
    )
    try:
        job = site.run("vm.nothing", params=["image_name_image1=images/foreign"])
    finally:
        foreign.kill()
        foreign.wait()
    assert job.only.status == "ERROR"
    assert re.search(r"image1 .*foreign\.qcow2\) is in use by another QEMU", job.only.reason), job.only.reason

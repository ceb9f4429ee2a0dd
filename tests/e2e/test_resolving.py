# SPDX-License-Identifier: GPL-2.0-or-later
"""Listing and resolving under the real Avocado, with a data directory that is bootstrapped for the occasion."""

import json
import os
import pathlib
import re
import signal
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("VT_BUILD", ROOT / "build" / "release"))
VENV = pathlib.Path(os.environ.get("VT_VENV", ROOT / "build" / "venv"))
RUNNER = BUILD / "bin" / "avocado-runner-vt"
AVOCADO = VENV / "bin" / "avocado"

pytestmark = pytest.mark.skipif(
    not RUNNER.exists() or not AVOCADO.exists(), reason="needs `make build venv`"
)


class Site:
    """An Avocado with directories of its own."""

    def __init__(self, base):
        self.base = base
        self.data = base / "data" / "avocado-vt"
        self.config = base / "avocado.conf"
        self.settings({})

    def settings(self, sections):
        lines = ["[datadir.paths]"]
        for key in ("base_dir", "test_dir", "data_dir", "logs_dir"):
            path = self.base / key.replace("_dir", "")
            path.mkdir(exist_ok=True)
            lines.append(f"{key} = {path}")
        lines.append(f"cache_dirs = ['{self.base}']")
        for section, values in sections.items():
            lines.append(f"[{section}]")
            lines += [f"{key} = {value}" for key, value in values.items()]
        self.config.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def run(self, program, *arguments, **kwargs):
        env = {**os.environ, "PATH": f"{BUILD / 'bin'}:{os.environ['PATH']}", **kwargs.pop("env", {})}
        env.pop("VIRTUAL_ENV", None)
        return subprocess.run(
            [str(program), *map(str, arguments)],
            env=env,
            cwd=self.base,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            **kwargs,
        )

    def avocado(self, *arguments, **kwargs):
        return self.run(AVOCADO, "--config", self.config, *arguments, **kwargs)

    def runner(self, *arguments, **kwargs):
        return self.run(RUNNER, *arguments, **kwargs)

    def bootstrap(self, *arguments):
        return self.avocado("vt-bootstrap", "--vt-skip-verify-download-assets", *arguments)


@pytest.fixture(scope="module", name="site")
def _site(tmp_path_factory):
    site = Site(tmp_path_factory.mktemp("site"))
    done = site.bootstrap("--vt-type", "qemu")
    assert done.returncode == 0, done.stdout + done.stderr
    return site


@pytest.fixture(name="fresh")
def _fresh(tmp_path):
    return Site(tmp_path)


def test_a_name_is_enough(site):
    done = site.avocado("list", "uptime")
    assert done.stdout == "vt builtin.uptime\n"
    assert done.returncode == 0


def test_all_tests_only_when_asked_for(site):
    assert site.avocado("list").stdout == ""
    listed = site.avocado("list", "--vt-type", "qemu").stdout.split("\n")
    assert {"vt builtin.noop_native", "vt builtin.uptime", "vt builtin.uptime_native"} <= set(listed)


def test_several_references_keep_their_order_and_one_call_serves_them(site, tmp_path):
    # A runner in front of the real one counts the calls.
    log = tmp_path / "calls"
    fake = tmp_path / "avocado-runner-vt"
    fake.write_text(f'#!/bin/sh\necho "$1" >>{log}\nexec {RUNNER} "$@"\n', encoding="utf-8")
    fake.chmod(0o755)
    done = site.avocado(
        "list", "uptime_native", "no_such", "uptime", env={"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    )
    assert done.stdout == "vt builtin.uptime_native\nvt builtin.uptime\n"
    assert log.read_text(encoding="utf-8").count("resolve") == 1


def test_files_are_left_to_other_resolvers_at_no_cost(site, tmp_path):
    log = tmp_path / "calls"
    fake = tmp_path / "avocado-runner-vt"
    fake.write_text(f'#!/bin/sh\necho "$1" >>{log}\nexec {RUNNER} "$@"\n', encoding="utf-8")
    fake.chmod(0o755)
    done = site.avocado("list", "/bin/true", env={"PATH": f"{tmp_path}:{os.environ['PATH']}"})
    assert done.stdout == "exec-test /bin/true\n"
    assert not log.exists()


def test_what_matches_nothing_names_what_is_near(site):
    done = site.avocado("-V", "list", "uptme")
    assert "No test matches 'uptme'; near it are uptime" in done.stdout
    done = site.avocado("run", "--vt-type", "qemu", "uptme")
    assert done.returncode == 2
    assert "near it are uptime" in done.stdout + done.stderr


USAGE_ERROR = 4  # Avocado's own, for a command line that cannot be


@pytest.mark.parametrize(
    "arguments, message",
    (
        (["--vt-type", "nope"], "possible are qemu, libvirt"),
        (["--vt-guest-os", "JeOS.min"], "near it are JeOS.mini"),
        (["--vt-guest-os", "uptime"], "there is no guest 'uptime'"),
        (["--vt-extra-params", "novalue"], "expected KEY=VALUE"),
        (["--vt-qemu-bin", "/no/such/qemu"], "expected a file that is there"),
        (["--vt-qemu-dst-bin", "/no/such/qemu"], "option --vt-qemu-dst-bin"),
        (["--vt-config", "/no/such.cfg"], "expected a file that is there"),
        (["--vt-only-filter", "a:b"], "'a:b' is not possible; it is no filter"),
        (["--vt-machine-type", "a:b"], "option --vt-machine-type"),
        (["--vt-filter-default-filters", "hugepages"], "possible are no_9p_export"),
        (["--vt-save-config", "/no/such/directory/x"], "option --vt-save-config"),
    ),
)
def test_bad_options_are_refused_with_a_sentence(site, arguments, message):
    command = "list" if "--vt-type" in arguments else "run"
    done = site.avocado(command, "--vt-type", "qemu", *arguments, "uptime", "/bin/true")
    assert done.returncode == USAGE_ERROR
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert "/bin/true" not in done.stdout


@pytest.mark.parametrize(
    "section, key, value, message",
    (
        ("vt", "type", "xen", "possible are qemu"),
        ("vt.qemu", "smp", "many", "expected the number of processors"),
        ("vt.qemu", "disk_bus", "floppy", "possible are virtio_blk, ide"),
        ("vt.common", "type_specific_only", "maybe", "expected yes or no"),
        ("vt.debug", "no_cleanup", "maybe", "expected yes or no"),
        ("vt.list", "limit", "0", "expected how many tests a list may have"),
        ("vt", "extra_params", "novalue", "expected KEY=VALUE"),
    ),
)
def test_bad_settings_are_refused_before_anything_runs(site, section, key, value, message):
    site.settings({section: {key: value}})
    try:
        done = site.avocado("run", "--vt-only-filter", "uptime", "/bin/true", "uptime")
        assert done.returncode == USAGE_ERROR
        assert f"vt.{key}" in done.stderr or f"{section}.{key}" in done.stderr
        assert message in done.stderr
        assert "JOB ID" not in done.stdout
        # Who does not use the plugin does not mind.
        assert site.avocado("list", "/bin/true").stdout == "exec-test /bin/true\n"
    finally:
        site.settings({})


def test_a_type_that_was_not_bootstrapped_says_how_to(site):
    done = site.avocado("run", "--vt-type", "libvirt", "uptime")
    assert done.returncode == 2
    assert "vt-bootstrap --vt-type libvirt" in done.stdout + done.stderr


def test_run_takes_what_list_takes(site):
    options = {}
    for command in ("run", "list"):
        text = site.avocado(command, "--help").stdout
        options[command] = {word.strip(",[]") for word in text.split() if word.startswith(("--vt-", "[--vt-"))}
    assert {"--vt-save-config", "--vt-omit-data-loss", "--vt-extra-params", "--vt-connect-uri"} <= options["run"]
    assert options["list"] - options["run"] == {"--vt-list-guests", "--vt-list-archs"}
    assert options["run"] <= options["list"]


def test_the_settings_are_shown_with_their_defaults(site):
    notes = site.data / "avocado-runner-vt.json"
    shown = dict(
        (line.split(maxsplit=1) + [""])[:2]
        for line in site.avocado("config").stdout.splitlines()
        if line.strip().startswith("vt.")
    )
    for key, value in {
        "vt.type": "qemu", "vt.guest_os": json.loads(notes.read_text(encoding="utf-8"))["default_guest"] or "JeOS.27", "vt.config": "None", "vt.save_config": "None",
        "vt.short_names_when_config": "False", "vt.only_filter": "", "vt.no_filter": "", "vt.extra_params": "[]",
        "vt.list_guests": "False", "vt.list_archs": "False", "vt.omit_data_loss": "False",
        "vt.list.limit": "1000000", "vt.filter.default_filters": "None", "vt.list_guests.guest_os": "None",
        "vt.setup.backup_image_before_test": "True", "vt.setup.restore_image_after_test": "True",
        "vt.setup.keep_guest_running": "False", "vt.common.data_dir": "", "vt.common.tmp_dir": "",
        "vt.common.type_specific_only": "False", "vt.common.mem": "None", "vt.common.arch": "None",
        "vt.common.nettype": "", "vt.common.netdst": "virbr0", "vt.qemu.qemu_bin": "None",
        "vt.qemu.qemu_dst_bin": "None", "vt.qemu.accel": "kvm", "vt.qemu.vhost": "off", "vt.qemu.monitor": "",
        "vt.qemu.smp": "2", "vt.qemu.image_type": "qcow2", "vt.qemu.nic_model": "virtio_net",
        "vt.qemu.disk_bus": "virtio_blk", "vt.qemu.sandbox": "on", "vt.qemu.defconfig": "yes",
        "vt.qemu.malloc_perturb": "yes", "vt.libvirt.connect_uri": "None", "vt.debug.no_cleanup": "False",
    }.items():
        assert shown[key].strip() == value, key
    plugins = site.avocado("plugins").stdout
    for line in (
        "vt-bootstrap Avocado VT - implements the 'vt-bootstrap' subcommand",
        "vt Avocado VT/virt-test support to 'run' command",
        "vt-list Avocado-VT/virt-test support for 'list' command",
    ):
        assert line in [" ".join(shown.split()) for shown in plugins.splitlines()]


def test_the_shipped_file_names_every_setting(site):
    shipped = ROOT / "resolver/plugin/avocado_runner_vt_plugin/conf.d/vt.conf"
    settings, section = {}, None
    for line in shipped.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line.startswith("#") and " = " in f"{line} " and not line.startswith("# "):
            key, value = (part.strip() for part in line[1:].split("=", 1))
            settings[f"{section}.{key}"] = value
    config = site.avocado("config").stdout
    for line in config.splitlines():
        name, value = (line.split(maxsplit=1) + ["", ""])[:2]
        if name.startswith("vt.") and not name.startswith(("vt.bootstrap.", "vt.cluster.", "vt.list_")):
            given = settings.pop(name)
            # What has no default, or one that depends on the host, is shown with an example or nothing.
            if value.strip() not in ("", "None", "[]") and name not in ("vt.guest_os", "vt.common.machine_type"):
                assert given.lower() == value.strip().lower(), name
    assert not settings
    assert "run.max_parallel_tasks" in config and shipped.name in config


def test_a_bad_config_file_is_named_with_line_and_column(site, tmp_path):
    config = tmp_path / "bad.cfg"
    config.write_text("a = 1\nvariants\n    - x:\n", encoding="utf-8")
    done = site.avocado("run", "--vt-config", config, "x")
    assert done.returncode == 2
    assert f"{config}:2:9:" in done.stdout + done.stderr


def test_filters_and_settings(site):
    done = site.avocado("list", "--vt-type", "qemu", "--vt-only-filter", "uptime uptime", "--vt-no-filter", "none")
    assert done.stdout == "vt builtin.uptime\n"
    others = (
        "uptime_native noop_native packet_native plan_native driver_native block_mirror_native block_bitmap_native "
        "block_commit_native")
    done = site.avocado("list", "--vt-type", "qemu", "--vt-no-filter", others)
    assert done.stdout == "vt builtin.uptime\n"
    site.settings({"vt": {"only_filter": "uptime_native", "extra_params": "a=b"}})
    try:
        assert site.avocado("list", "--vt-type", "qemu").stdout == "vt builtin.uptime_native\n"
    finally:
        site.settings({})


def test_a_config_of_the_users_own(site, tmp_path):
    config = tmp_path / "own.cfg"
    config.write_text("variants:\n    - one:\n        type = a\n    - two:\n        type = b\n", encoding="utf-8")
    assert site.avocado("list", "--vt-config", config).stdout == "vt one\nvt two\n"
    assert site.avocado("list", "--vt-config", config, "two").stdout == "vt two\n"


def product(tmp_path, blocks):
    """A config of ten variants in so many blocks."""
    config = tmp_path / "product.cfg"
    variants = "".join(f"    - x{i}:\n" for i in range(10))
    config.write_text("".join(f"variants v{block}:\n{variants}" for block in range(blocks)), encoding="utf-8")
    return config


@pytest.mark.parametrize("blocks", (7, 30))
def test_a_config_that_makes_too_much_is_refused_with_the_limit(site, tmp_path, blocks):
    config = product(tmp_path, blocks)
    through_avocado = ("list", "--vt-type", "qemu", "--vt-config", config, "x1")
    for done in (site.runner("list", "--vt-config", config), *([site.avocado(*through_avocado)] if blocks == 30 else [])):
        assert done.returncode != 0
        assert "more than 1,000,000 tests (limit vt.list.limit)" in done.stderr
        assert done.stdout == ""
    # What can be found is.
    done = site.runner("list", "--vt-config", config, "..".join(f"(v{block}=x3)" for block in range(blocks)))
    assert done.stdout == ".".join(["x3"] * blocks) + "\n"


def test_a_long_list_shows_its_progress_and_can_be_left(site, tmp_path):
    config = product(tmp_path, 30)
    site.settings({"vt.list": {"limit": 10**15}})
    try:
        env = {**os.environ, "PATH": f"{BUILD / 'bin'}:{os.environ['PATH']}"}
        command = [AVOCADO, "--config", site.config, "list", "--vt-type", "qemu", "--vt-config", config, "x1"]
        with subprocess.Popen(list(map(str, command)), env=env, cwd=site.base, stderr=subprocess.PIPE, text=True,
                              start_new_session=True) as process:
            assert re.match(r"avocado-runner-vt: listing for \d+ s: \d+ tests looked at, \d+ found", process.stderr.readline())
            [child] = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text(encoding="utf-8").split()
            memory = int(re.search(r"VmRSS:\s+(\d+) kB", pathlib.Path(f"/proc/{child}/status").read_text(encoding="utf-8")).group(1))
            assert memory < 100_000
            os.killpg(process.pid, signal.SIGINT)
            process.wait(timeout=60)
        assert not os.path.exists(f"/proc/{child}/exe")
    finally:
        site.settings({})


def test_one_walk_serves_thousands_of_references(site, tmp_path):
    """As names that a list printed are pasted back; no walk for each of them."""
    config = product(tmp_path, 3)
    references = ["(v0=x%d)..(v1=x%d)..(v2=x%d)" % (number % 10, number // 10 % 10, number // 100) for number in range(1000)]
    done = site.avocado("list", "--vt-type", "qemu", "--vt-config", config, *references)
    assert done.stdout.split("\n")[:-1] == [
        "vt x%d.x%d.x%d" % (number // 100, number // 10 % 10, number % 10) for number in range(1000)]


def test_a_second_extra_parameter_says_how_it_is_given(site):
    done = site.avocado("list", "--vt-type", "qemu", "--vt-extra-params", "a=1", "b=2")
    assert "--vt-extra-params A=1 --vt-extra-params b=2" in done.stderr
    done = site.runner("list", "--data-dir", site.data, "--vt-extra-params", "a=1", "b=2")
    assert done.returncode == 1 and "takes one KEY=VALUE and is repeated" in done.stderr


def test_names_of_a_list_can_be_explained(site):
    config = site.data / "backends/qemu/cfg/tests.cfg"
    names = site.runner("list", "--data-dir", site.data).stdout.split()
    assert names
    for name in names:
        done = site.runner("cfg", "explain", config, "--test", name, "type")
        assert done.returncode == 0, (name, done.stdout, done.stderr)
        assert "\ntype = " in done.stdout


def test_what_was_selected_can_be_saved_as_a_config(site, tmp_path):
    saved = tmp_path / "saved.cfg"
    site.avocado(
        "list", "--vt-type", "qemu", "--vt-save-config", saved, "--vt-extra-params", "mem=333",
        "--vt-no-filter", "noop_native", "uptime_native", "/bin/true", "no_such", "uptime",
    )
    lines = saved.read_text(encoding="utf-8").splitlines()
    assert lines[0] == f"include {site.data}/backends/qemu/cfg/tests.cfg"
    assert {"only uptime_native, uptime", "no noop_native", "mem = 333"} <= set(lines)
    assert site.avocado("list", "--vt-config", saved).stdout == "vt builtin.uptime\nvt builtin.uptime_native\n"
    site.avocado("list", "--vt-config", saved, "--write-recipes-to-directory", tmp_path, "uptime_native")
    assert json.loads(site.runner("params", tmp_path / "1.json").stdout)["mem"] == "333"


def test_the_data_directory_is_where_the_setting_says(site, tmp_path):
    site.settings({"vt.common": {"data_dir": os.path.relpath(site.data, site.base)}})
    config = site.config.read_text(encoding="utf-8").replace(f"data_dir = {site.base}/data\n", f"data_dir = {tmp_path}\n")
    site.config.write_text(config, encoding="utf-8")
    try:
        assert str(tmp_path) in site.avocado("config", "--datadir").stdout
        assert site.avocado("list", "uptime").stdout == "vt builtin.uptime\n"
        assert site.avocado("vt-list-guests").stdout.startswith(f"Using {site.data}/images")
        site.avocado("list", "--write-recipes-to-directory", tmp_path, "uptime")
        recipe = json.loads((tmp_path / "1.json").read_text(encoding="utf-8"))
        assert recipe["kwargs"]["selection"]["data_dir"] == str(site.data)
    finally:
        site.settings({})


def test_only_tests_of_the_type(site):
    site.settings({"vt.common": {"type_specific_only": "yes"}})
    try:
        assert "noop" not in site.avocado("list", "--vt-type", "qemu").stdout
    finally:
        site.settings({})


def test_recipes_carry_a_small_selection(site, tmp_path):
    done = site.avocado(
        "list", "--vt-type", "qemu", "--vt-extra-params", "a=b=c", "--vt-extra-params", "d=json:e",
        "--write-recipes-to-directory", tmp_path, "uptime",
    )
    assert done.returncode == 0, done.stderr
    recipe = json.loads((tmp_path / "1.json").read_text(encoding="utf-8"))
    assert recipe["kind"] == "vt"
    assert recipe["uri"] == "builtin.uptime"
    assert recipe["kwargs"]["selection"]["extra_params"] == ["a=b=c", "d=json:e"]
    assert len(json.dumps(recipe["kwargs"])) < 2000
    assert site.avocado("list", tmp_path / "1.json").stdout == "vt builtin.uptime\n"


def test_not_bootstrapped(fresh):
    done = fresh.avocado("-V", "list", "uptime")
    assert "run 'avocado vt-bootstrap' first" in done.stdout
    done = fresh.avocado("run", "--vt-type", "qemu", "uptime")
    assert done.returncode == 2
    assert "vt-bootstrap --vt-type qemu" in done.stdout + done.stderr


def test_bootstrap_lays_out_the_directory_and_keeps_edits(fresh):
    done = fresh.bootstrap()
    assert done.returncode == 0, done.stdout + done.stderr
    for step in range(1, 9):
        assert f"| {step} - " in done.stdout
    for name in ("tests", "tests-shared", "base", "guest-os", "guest-hw", "subtests", "machines", "host", "cdkeys"):
        assert (fresh.data / "backends" / "qemu" / "cfg" / f"{name}.cfg").is_file(), name
    for name in ("images", "isos", "steps_data", "gpg", "downloads", "virttest/test-providers.d", "test-providers.d"):
        assert (fresh.data / name).is_dir(), name
    base = fresh.data / "backends" / "qemu" / "cfg" / "base.cfg"
    original = base.read_text(encoding="utf-8")
    base.write_text(original + "mem = 777\n", encoding="utf-8")
    done = fresh.bootstrap("--yes-to-all")
    assert f"{base} differs" in done.stdout
    assert base.read_text(encoding="utf-8").endswith("mem = 777\n")
    done = fresh.bootstrap("--vt-update-config")
    assert base.read_text(encoding="utf-8") == original


def test_bootstrap_refuses_what_cannot_be(fresh):
    done = fresh.bootstrap("--vt-type", "nope")
    assert done.returncode == 1
    assert "possible are qemu" in done.stdout
    done = fresh.bootstrap("--vt-guest-os", "NoSuchGuest")
    assert done.returncode == 1
    assert "There is no guest 'NoSuchGuest'" in done.stdout


@pytest.mark.parametrize("slashes", ("//", "///"))
def test_a_provider_in_a_directory_adds_tests_and_takes_over_built_in_ones(fresh, slashes):
    tests = fresh.base / "mine" / "generic" / "tests"
    (tests / "cfg").mkdir(parents=True)
    for name in ("uptime", "hello"):
        (tests / f"{name}.py").write_text("def run(test, params, env):\n    pass\n", encoding="utf-8")
        (tests / "cfg" / f"{name}.cfg").write_text(f"- {name}:\n    type = {name}\n", encoding="utf-8")
    definitions = fresh.data / "test-providers.d"
    definitions.mkdir(parents=True)
    path = str(fresh.base / "mine").lstrip("/")
    (definitions / "mine.ini").write_text(
        f"[provider]\nuri: file:{slashes}{path}\n[generic]\nsubdir: generic/\n", encoding="utf-8"
    )
    assert fresh.bootstrap().returncode == 0
    listed = fresh.avocado("list", "--vt-type", "qemu").stdout.split()
    assert "mine.hello" in listed
    assert "mine.uptime" in listed
    assert "builtin.uptime" not in listed
    assert "builtin.noop_native" in listed


def test_a_guest_of_two_lines(fresh):
    folder = fresh.data / "guest-os" / "Linux" / "LinuxCustom"
    folder.mkdir(parents=True)
    (folder / "mine.cfg").write_text("- Mine:\n    image_name = images/mine\n", encoding="utf-8")
    assert fresh.bootstrap("--vt-guest-os", "Mine").returncode == 0
    assert fresh.avocado("list", "--vt-guest-os", "Mine", "uptime").stdout == "vt builtin.uptime\n"
    guests = fresh.avocado("vt-list-guests", "--guest-os", "Mine").stdout
    assert guests == (
        f"Using {fresh.data}/images for guest images\n\nAvailable guests in config:\n"
        "Guest.Linux.LinuxCustom.Mine (missing mine.qcow2)\n\n"
    )
    (fresh.data / "images" / "mine.qcow2").write_text("", encoding="utf-8")
    assert "missing" not in fresh.avocado("vt-list-guests", "--guest-os", "Mine").stdout


def test_list_lists_guests_and_architectures_in_place_of_tests(site):
    guests = site.avocado("vt-list-guests").stdout
    assert site.avocado("list", "--vt-type", "qemu", "--vt-list-guests").stdout == guests
    # A config of one's own, and the guest in force, have no say.
    assert site.avocado(
        "list", "--vt-list-guests", "--vt-guest-os", "JeOS.mini", "--vt-config", "/no/such", "uptime"
    ).stdout == guests
    assert "arch64" not in site.avocado("list", "--vt-list-guests", "--vt-arch", "x86_64").stdout
    archs = site.avocado("vt-list-archs", "--vt-guest-os", "JeOS.27").stdout
    assert site.avocado("list", "--vt-list-archs", "--vt-guest-os", "JeOS.27").stdout == archs
    assert site.avocado(
        "list", "--vt-list-archs", "--vt-guest-os", "JeOS.27", "--vt-arch", "x86_64", "--vt-machine-type", "q35"
    ).stdout == archs
    everything = site.avocado("list", "--vt-list-archs", "--vt-guest-os", "").stdout
    assert everything.startswith('Available arch profiles for guest os ""\n')
    assert set(archs.splitlines()[1:]) < set(everything.splitlines())
    done = site.avocado("list", "--vt-list-guests", "--vt-type", "libvirt")
    assert done.returncode == 1
    assert "vt-bootstrap --vt-type libvirt" in done.stderr
    site.settings({"vt.list_guests": {"guest_os": "JeOS.27"}, "vt": {"guest_os": "JeOS.27"}})
    try:
        assert "JeOS.mini" not in site.avocado("vt-list-guests").stdout
        assert site.avocado("vt-list-archs").stdout == archs
    finally:
        site.settings({})


def test_guests_and_architectures(site):
    guests = site.avocado("vt-list-guests").stdout
    assert guests.startswith(f"Using {site.data}/images for guest images\n\nAvailable guests in config:\nGuest.")
    assert "Guest.Linux.JeOS.27.x86_64 (missing jeos-27-x86_64.qcow2)\n" in guests
    archs = site.avocado("vt-list-archs", "--vt-guest-os", "JeOS.27").stdout
    assert archs.startswith('Available arch profiles for guest os "JeOS.27"\n')
    assert "Guest.Linux.JeOS.27.aarch64.arm64-pci\n" in archs


def test_the_default_guest_does_not_change_when_images_come_and_go(fresh):
    assert fresh.bootstrap().returncode == 0
    notes = fresh.data / "avocado-runner-vt.json"
    state = json.loads(notes.read_text(encoding="utf-8"))
    notes.write_text(json.dumps({**state, "default_guest": "JeOS.mini"}), encoding="utf-8")
    for _ in range(2):
        names = fresh.runner("list", "--data-dir", fresh.data, "--full-names", "uptime").stdout
        assert ".JeOS.mini." in names
        (fresh.data / "images" / "jeos-27-x86_64.qcow2").write_text("", encoding="utf-8")


def test_resolve_survives_hostile_input(site):
    for text in ("", "[]", "{", '{"references": 1}', '{"references": ["a"], "settings": []}', "\0\xff"):
        done = site.runner("resolve", input=text)
        assert done.returncode in (0, 2), text
        assert "terminate called" not in done.stderr
    request = {"references": ["\n", "a" * 100000, "((((", "é", "a\nvariants:"], "settings": {"vt.type": "qemu"}}
    done = site.runner("resolve", input=json.dumps({**request, "data_dir": str(site.data)}))
    reply = json.loads(done.stdout)
    assert [answer["names"] for answer in reply["resolutions"]] == [[]] * 5
    assert all(answer["info"] for answer in reply["resolutions"])

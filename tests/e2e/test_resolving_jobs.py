# SPDX-License-Identifier: GPL-2.0-or-later
"""What becomes of resolved tests in whole jobs: recipes that run again, replays, suites of a Python job, tags, JSON."""

import json

import pytest

from jobs import Job, VENV

pytestmark = pytest.mark.usefixtures("site")

NOOP = "noop_native"
QEMU = ("--vt-type", "qemu")


def outcome(site, *words, **options):
    """A whole job from any Avocado command."""
    before = site.results_dirs()
    done = site.avocado(*words, **options)
    new = [path for path in site.results_dirs() if path not in before]
    return Job(done, new[-1] if new else None)


def test_recipes_run_again(site, tmp_path):
    site.avocado(
        "list", *QEMU, "--vt-extra-params", "mem=321", "--write-recipes-to-directory", tmp_path, NOOP, NOOP
    )
    recipes = sorted(tmp_path.iterdir())
    assert [recipe.name for recipe in recipes] == ["1.json", "2.json"]
    # No option says a second time what the recipe knows.
    job = outcome(site, "run", *recipes)
    assert job.returncode == 0, job.output
    assert [test.status for test in job.tests] == ["PASS", "PASS"]
    assert "mem = 321" in job.tests[1].log
    alone = site.runner("runnable-run-recipe", recipes[0])
    assert alone.returncode == 0 and "pass" in alone.stdout
    assert json.loads(site.runner("params", recipes[0]).stdout)["mem"] == "321"


def test_what_is_listed_in_columns_and_in_json(site, tmp_path):
    lines = site.avocado("-V", "list", *QEMU, NOOP, "/bin/true").stdout.splitlines()
    assert lines[0].split() == ["Type", "Test", "Uri", "Resolver", "Tag(s)"]
    assert lines[1].split() == ["vt", "builtin.noop_native", "builtin.noop_native", "vt"]
    assert lines[2].split() == ["exec-test", "/bin/true", "/bin/true", "exec-test"]
    assert lines[-3:] == ["==================", "exec-test: 1", "vt: 1"]
    file = tmp_path / "list.json"
    site.avocado("list", *QEMU, "--json", file, NOOP, "/bin/true")
    assert json.loads(file.read_text()) == [
        {"Type": "vt", "Test": "builtin.noop_native"}, {"Type": "exec-test", "Test": "/bin/true"}]
    shown = site.avocado("list", *QEMU, "--json", "-", NOOP).stdout
    assert json.loads(shown[shown.index("["):]) == [{"Type": "vt", "Test": "builtin.noop_native"}]


def test_tags_are_those_of_tests_without_any(site):
    assert site.avocado("list", *QEMU, "--filter-by-tags", "fast", NOOP).stdout == ""
    listed = site.avocado("list", *QEMU, "-t", "fast", "--filter-by-tags-include-empty", NOOP)
    assert listed.stdout == "vt builtin.noop_native\n"
    job = site.run(NOOP, options=("--filter-by-tags=-slow", "--filter-by-tags-include-empty"))
    assert job.only.status == "PASS"


def test_references_keep_their_order_and_repeat(site):
    job = site.run("uptime_native..noop", NOOP, "/bin/true", NOOP, options=("--ignore-missing-references",))
    assert job.returncode == 0, job.output
    assert [test.name for test in job.tests] == ["builtin.noop_native", "/bin/true", "builtin.noop_native"]


def test_a_missing_reference_stops_all_unless_it_may(site):
    job = site.run(NOOP, "no_such_test", "/bin/true")
    assert job.returncode == 2 and job.dir is None
    assert "No test matches 'no_such_test'" in job.output
    job = site.run(NOOP, "no_such_test", options=("--ignore-missing-references",))
    assert job.returncode == 0 and job.only.name == "builtin.noop_native"


def test_dry_run_runs_nothing(site):
    # Its results lie in a temporary directory, which goes away.
    job = site.run(NOOP, params=("mem=5",), options=("--dry-run",))
    assert job.returncode == 0, job.output
    assert "(1/1) builtin.noop_native:  CANCEL: Test cancelled due to --dry-run" in job.output


def test_variants_multiply_tests(site):
    job = site.run(NOOP, options=("-p", "a=b"))
    assert job.returncode == 0 and job.only.status == "PASS", job.output


def test_a_replay_takes_the_same_options_wherever_it_is_called(site, tmp_path):
    folder = site.root / "replayed"
    folder.mkdir()
    (folder / "own.cfg").write_text(
        f"include {site.data}/backends/qemu/cfg/tests.cfg\nonly i440fx\nonly smp2\nonly qcow2\nonly JeOS.27.x86_64\n"
        "only virtio_net\nonly virtio_blk\n")
    before = set(site.results_dirs())
    first = site.avocado(
        "run", "--vt-config", "replayed/own.cfg", "--vt-extra-params", "mem=77", "--vt-extra-params", "odd=a b",
        "--vt-only-filter", NOOP, "noop_native")
    assert first.returncode == 0, first.output
    (results,) = set(site.results_dirs()) - before
    again = Job(site.avocado("replay", results, prefix=("env", "-C", str(tmp_path))), None)
    assert again.returncode == 0, again.output
    (second,) = set(site.results_dirs()) - before - {results}
    for path in (results, second):
        job = Job(again, path)
        assert job.only.name == "builtin.noop_native" and job.only.status == "PASS"
        assert "mem = 77" in job.only.log and "odd = a b" in job.only.log


SUITES = """
import sys
from avocado.core.job import Job
from avocado.core.suite import TestSuite

base = {"resolver.references": ["noop_native"], "vt.type": "qemu", "run.max_parallel_tasks": 1}
suites = [
    TestSuite.from_config({**base, "vt.extra_params": ["mem=111"], "vt.qemu.smp": "1"}, name="one"),
    TestSuite.from_config({**base, "vt.extra_params": ["mem=222"], "job.output.loglevel": "WARNING"}, name="two"),
    TestSuite.from_config({**base, "vt.only_filter": "uptime_native", "run.ignore_missing_references": True,
                           "resolver.references": ["uptime_native", "/bin/true"], "run.dry_run.enabled": True},
                          name="three"),
]
with Job({"core.show": ["app"]}, suites) as job:
    sys.exit(job.run())
"""


def test_each_suite_of_a_job_has_its_own_settings(site):
    script = site.root / "suites.py"
    script.write_text(SUITES)
    before = set(site.results_dirs())
    done = site.avocado(prefix=(f"{VENV}/bin/python3", str(script)))
    assert done.returncode == 0, done.output
    (results,) = set(site.results_dirs()) - before
    job = Job(done, results)
    assert [(test.id.split("-", 1)[0], test.status) for test in job.tests] == [
        ("one", "PASS"), ("two", "PASS"), ("three", "CANCEL"), ("three", "CANCEL")], job.tests
    one, two = job.tests[:2]
    assert "mem = 111" in one.log and "smp = 1" in one.log
    # The second one's log is at the level that its suite asks for.
    assert "mem = " not in two.log


def test_a_bad_setting_of_a_suite_is_refused_as_well(site):
    script = site.root / "bad.py"
    script.write_text(SUITES.replace('"vt.qemu.smp": "1"', '"vt.qemu.smp": "many"'))
    before = site.results_dirs()
    done = site.avocado(prefix=(f"{VENV}/bin/python3", str(script)))
    assert done.returncode == 4
    assert "vt.qemu.smp" in done.output and "Traceback" not in done.output
    assert site.results_dirs() == before



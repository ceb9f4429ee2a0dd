# SPDX-License-Identifier: GPL-2.0-or-later
"""The user's guide, "Write our own 'uptime' test": its commands as they are typed, in a checkout of a local repository.

The repository stands in for the suite of QEMU tests, under that suite's name.
"""

import subprocess

import pytest

from git_places import Repo
from jobs import Site

SUITE = "io-github-autotest-qemu"

# Step by step the guide's function grows by these lines; the first one goes again.
HEAD = 'def run(test, params, env):\n    """\n    Docstring describing uptime.\n    """\n'
STEPS = {
    3: "    pass\n",
    4: '    vm = env.get_vm(params["main_vm"])\n',
    5: "    vm.verify_alive()\n",
    6: '    timeout = float(params.get("login_timeout", 240))\n',
    7: "    session = vm.wait_for_login(timeout=timeout)\n",
    8: "    uptime = session.cmd('uptime')\n",
    9: '    logging.info("Guest uptime result is: %s", uptime)\n    session.close()\n',
    10: (
        "    expected_cancel_msg = '0 min'\n    expected_err_msg = '1 day'\n    expected_fail_msg = '10 days'\n"
        "    if expected_cancel_msg in uptime:\n        test.cancel('Cancel message')\n"
        "    if expected_err_msg in uptime:\n        test.error('Error message')\n"
        "    if expected_fail_msg in uptime:\n        test.fail('Fail message')\n"
    ),
}


def snippet(step):
    """The guide's file after a step."""
    if step == 3:
        return HEAD + STEPS[3]
    return HEAD + "".join(lines for number, lines in STEPS.items() if 3 < number <= step)


FINAL = "import logging\n\n" + snippet(9)  # step 12


@pytest.fixture(name="home", scope="module")
def _home(tmp_path_factory, runner, venv):  # pylint: disable=unused-argument
    """A site whose suite comes from a bare repository."""
    home = Site()
    repo = Repo(tmp_path_factory.mktemp("remote"), "tp-qemu")
    repo.add_test("boot", "qemu")
    repo.commit("suite")
    (home.data / "test-providers.d" / f"{SUITE}.ini").write_text(
        f"[provider]\nuri: {repo.bare}\n[generic]\nsubdir: generic/\n[qemu]\nsubdir: qemu/\n"
    )
    done = home.avocado("vt-bootstrap", timeout=1800)
    assert done.returncode == 0, done.output
    yield home
    home.remove()


def typed(home, commands):
    """Runs shell commands as a reader of the guide types them, one after another from one directory."""
    done = subprocess.run(
        ["bash", "-ec", commands],
        env={**home.environment, "AVOCADO_DATA": str(home.root / "data")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


CHECKOUT = f"cd $AVOCADO_DATA/avocado-vt/test-providers.d/downloads/{SUITE}\n"


def names(output):
    return [line.split()[-1] for line in output.splitlines() if line.strip()]


def test_the_tutorial(home):
    # Steps 1 to 3.
    typed(home, CHECKOUT + "touch generic/tests/uptime.py\ngit add generic/tests/uptime.py")
    checkout = home.data / "test-providers.d/downloads" / SUITE
    (checkout / "generic/tests/uptime.py").write_text(FINAL)

    # 15: nothing yet, as there is no config of it; nor after step 19, were there none.
    assert names(typed(home, CHECKOUT + "avocado list uptime")) == []

    # 16 to 18.
    typed(home, CHECKOUT + "touch generic/tests/cfg/uptime.cfg\ngit add generic/tests/cfg/uptime.cfg")
    (checkout / "generic/tests/cfg/uptime.cfg").write_text(
        "- uptime:\n    virt_test_type = qemu libvirt\n    type = uptime\n"
    )
    assert names(typed(home, CHECKOUT + "avocado list uptime")) == []

    # 19 and 20: the checkout is dirty now, and stays as it is.
    before = typed(home, CHECKOUT + "git status --porcelain")
    assert before.splitlines() == ["AM generic/tests/cfg/uptime.cfg", "AM generic/tests/uptime.py"]
    typed(home, CHECKOUT + "avocado vt-bootstrap")
    assert typed(home, CHECKOUT + "git status --porcelain") == before
    assert names(typed(home, CHECKOUT + "avocado list uptime")) == [f"{SUITE}.uptime"]

    # 21.
    output = typed(home, CHECKOUT + "avocado run --vt-type qemu uptime")
    assert f"(1/1) {SUITE}.uptime" in output and "PASS 1" in output
    log = next((home.root / "results/latest/test-results").glob("*/debug.log")).read_text()
    assert "Guest uptime result is:" in log


@pytest.mark.parametrize(
    "steps",
    [pytest.param((3, 10), id="some"), pytest.param(tuple(STEPS), id="all", marks=pytest.mark.soak)],
)
def test_the_snippets_as_they_stand(home, steps):
    """Where the guide left out an import, that is what is said; step 10 with it is told apart by the guest's uptime."""
    checkout = home.data / "virttest/test-providers.d/downloads" / SUITE
    tests = checkout / "generic/tests"
    files = {f"step{step}": snippet(step) for step in steps}
    files["step11"] = "import logging\n\n" + snippet(10)
    for name, text in files.items():
        (tests / f"{name}.py").write_text(text)
    (tests / "cfg/steps.cfg").write_text("".join(f"- {name}:\n    type = {name}\n" for name in files))
    done = home.avocado("vt-bootstrap")
    assert done.returncode == 0, done.output
    # Whoever does not log in ends while the guest still boots, and cannot ask it to shut down.
    job = home.run(*files, params=["kill_vm_gracefully=no"], timeout=600)
    by_name = {test.name.rsplit(".", 1)[1]: test for test in job.tests}
    assert list(by_name) == list(files), job.output
    for step in steps:
        test = by_name[f"step{step}"]
        if step < 9:
            assert test.status == "PASS", test
        else:
            assert test.status == "ERROR" and "name 'logging' is not defined" in test.reason, test
    last = by_name["step11"]
    up = next(line for line in last.log.splitlines() if "Guest uptime result is" in line)
    assert (last.status, last.reason) == (("CANCEL", "Cancel message") if "0 min" in up else ("PASS", "")), up

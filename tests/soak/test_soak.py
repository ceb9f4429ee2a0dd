# SPDX-License-Identifier: GPL-2.0-or-later
"""Nothing survives, whenever and however a run is killed. The whole of it is `make soak`; here a sample."""

import os
import pathlib
import random
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "e2e")]

from jobs import BUILD, VENV  # noqa: E402
import harness_soak  # noqa: E402
import iotests_soak  # noqa: E402
from soak import campaign, table  # noqa: E402

pytestmark = pytest.mark.skipif(
    not (BUILD / "bin/avocado-runner-vt").exists() or not (VENV / "bin/avocado").exists(),
    reason="the runner or Avocado is missing",
)


def check(capsys, seed, **counts):
    results = []
    with capsys.disabled():
        print(f"\nseed {seed}")
        for result in campaign(seed, **counts):
            results.append(result)
        print(table(results))
    assert not [row for row in results if row["complaints"]]


def test_a_sample_of_killed_jobs(capsys):
    """Always the same moments, as far as a busy machine allows."""
    check(capsys, "sample", fake=20, bootstrap=3)


@pytest.mark.soak
def test_a_thousand_killed_jobs(capsys):
    """Other ones each time; VT_SOAK_SEED brings a run's again."""
    seed = os.environ.get("VT_SOAK_SEED", str(random.SystemRandom().randrange(10**6)))
    check(capsys, seed, fake=1000, real=100, bootstrap=50)


def check_harnesses(seed, runs):
    results = list(harness_soak.campaign(seed, runs))
    assert not [row for row in results if row["complaints"]], f"seed {seed}"


def test_a_sample_of_killed_plans_and_drivers():
    check_harnesses("sample", 8)


@pytest.mark.soak
def test_three_hundred_killed_plans_and_drivers():
    check_harnesses(os.environ.get("VT_SOAK_SEED", str(random.SystemRandom().randrange(10**6))), 300)


def test_a_sample_of_killed_block_tests():
    assert not list(iotests_soak.campaign("sample", 3))


@pytest.mark.soak
def test_two_hundred_killed_block_tests():
    seed = os.environ.get("VT_SOAK_SEED", str(random.SystemRandom().randrange(10**6)))
    assert not list(iotests_soak.campaign(seed, 200)), f"seed {seed}"

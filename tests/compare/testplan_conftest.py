# SPDX-License-Identifier: GPL-2.0-or-later
"""Fixtures for Testplan's own tests, in the place of its conftest.py, which wants the whole of Testplan."""

import tempfile

import pytest


@pytest.fixture
def runpath():
    with tempfile.TemporaryDirectory() as place:
        yield place


@pytest.fixture(scope="module")
def runpath_module():
    with tempfile.TemporaryDirectory() as place:
        yield place


@pytest.fixture
def mockplan(runpath):
    from testplan import TestplanMock

    yield TestplanMock("plan", runpath=runpath)

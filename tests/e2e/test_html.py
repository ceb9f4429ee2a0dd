# SPDX-License-Identifier: GPL-2.0-or-later
"""Avocado's HTML report of a job with every status: what a person clicks on is there."""

import html.parser
import pathlib
import urllib.parse

import pytest

STATUSES = {"passes": "PASS", "fails": "FAIL", "errors": "ERROR", "cancels": "CANCEL", "skips": "SKIP", "warns": "WARN"}


class Page(html.parser.HTMLParser):
    """The page's text, and what it links to."""

    def __init__(self, path):
        super().__init__()
        self.text = ""
        self.links = []
        self.feed(path.read_text())

    def handle_starttag(self, tag, attrs):
        self.links += [value for key, value in attrs if key in ("href", "src") and value]

    def handle_data(self, data):
        self.text += data


@pytest.fixture(scope="module")
def job(site):
    references = [f"statuses.raises.{name}" for name in STATUSES]
    return site.run(*references, parallel=2)


def test_statuses_and_reasons_are_on_the_page(job):
    page = Page(job.dir / "results.html")
    for test in job.tests:
        name = test.name.rsplit(".", 1)[-1]
        assert test.status == STATUSES[name]
        assert test.name in page.text
        if name != "passes":
            assert test.reason in page.text
    assert set(STATUSES.values()) <= set(page.text.split())


def test_links_lead_somewhere(job):
    path = job.dir / "results.html"
    local = [link for link in Page(path).links if not link.startswith(("http", "#", "data:", "javascript:", "mailto:"))]
    assert any("debug.log" in link for link in local)
    for link in local:
        target = urllib.parse.unquote(urllib.parse.urlparse(link).path)
        assert (path.parent / target).exists() or pathlib.Path(target).exists(), link

# SPDX-License-Identifier: GPL-2.0-or-later
"""Test providers in git: their checkouts."""

import json
import os
import shutil
import signal
import subprocess

import pytest

from git_places import Repo, listed, place, repo, server  # noqa: F401 (fixtures among them)

NOTE = ".git/avocado-runner-vt.json"


# --- cloning -----------------------------------------------------------------------------------------------------------


def test_a_path_is_a_git_repository(place, repo):
    place.define(repo.bare)
    done = place.bootstrap()
    assert done.returncode == 0, done.output
    assert "mine fetched: branch master" in done.output
    assert listed(place) == ["mine.hello"]
    assert place.git("status", "--porcelain") == ""
    assert place.git("rev-parse", "--abbrev-ref", "HEAD@{upstream}") == "origin/master"
    assert not place.leftovers()


def test_a_server_is_asked_once(place, repo, server):
    place.define(server.uri(repo))
    assert place.bootstrap().returncode == 0
    asked = server.connections
    assert asked > 0 and listed(place) == ["mine.hello"]
    done = place.bootstrap()
    assert done.returncode == 0 and "mine OK" in done.output
    assert server.connections == asked


def test_the_guides_path_of_checkouts_is_there(place, repo):
    place.define(repo.bare)
    place.bootstrap()
    assert (place.definitions / "downloads/mine/generic/tests/hello.py").is_file()


def test_no_master_means_the_repositorys_own_branch(place, tmp_path):
    place.define(Repo(tmp_path / "other", branch="main").bare)
    done = place.bootstrap()
    assert done.returncode == 0 and "branch main" in done.output, done.output
    assert listed(place) == ["mine.hello"]


def test_a_branch_by_name(place, repo):
    repo.git("checkout", "-q", "-b", "devel")
    repo.add_test("of_devel")
    repo.commit("devel")
    place.define(repo.bare, branch="devel")
    assert place.bootstrap().returncode == 0
    assert listed(place) == ["mine.hello", "mine.of_devel"]
    assert place.git("symbolic-ref", "HEAD") == "refs/heads/devel"


def test_a_branch_that_is_not_there_is_no_other_one(place, repo):
    place.define(repo.bare, branch="mastre")
    done = place.bootstrap()
    assert done.returncode == 1
    assert "no branch 'mastre'; near it are master" in done.output
    assert not place.checkout().exists() and listed(place) == []


@pytest.mark.parametrize("kind", ["light", "annotated", "id", "short id"])
def test_ref_is_a_tag_or_a_commit(place, repo, kind):
    commit = repo.git("rev-parse", "HEAD")
    repo.git("tag", "light")
    repo.git("tag", "-a", "-m", "x", "annotated")
    repo.add_test("later")
    repo.commit("later")
    place.define(repo.bare, ref={"id": commit, "short id": commit[:8]}.get(kind, kind))
    done = place.bootstrap()
    assert done.returncode == 0, done.output
    assert listed(place) == ["mine.hello"]
    assert place.git("rev-parse", "HEAD") == commit


def test_ref_may_lie_on_another_branch(place, repo):
    repo.git("checkout", "-q", "-b", "side")
    repo.add_test("aside")
    commit = repo.commit("side")
    place.define(repo.bare, ref=commit)
    assert place.bootstrap().returncode == 0
    assert listed(place) == ["mine.aside", "mine.hello"]


@pytest.mark.parametrize("ref", ["v9", "0123456789abcdef0123456789abcdef01234567", "../x", "--upload-pack=id", "a b"])
def test_ref_that_is_not_there(place, repo, ref):
    place.define(repo.bare, ref=ref)
    done = place.bootstrap()
    assert done.returncode == 1
    assert f"'{ref}'" in done.output and "mine" in done.output
    assert not place.checkout().exists() and not place.leftovers()


def test_a_repository_that_is_not_there_leaves_the_others_alone(place, repo, tmp_path):
    place.define(repo.bare, name="good")
    place.define(tmp_path / "nowhere.git", name="bad")
    done = place.bootstrap()
    assert done.returncode == 1
    assert "Not ready: Test provider bad" in done.output and "nowhere.git" in done.output
    assert listed(place) == ["good.hello"]


# --- what is there stays -----------------------------------------------------------------------------------------------


def test_news_come_only_when_asked_for(place, repo):
    place.define(repo.bare)
    place.bootstrap()
    repo.add_test("news")
    repo.commit("news")
    place.bootstrap()
    assert listed(place) == ["mine.hello"]
    done = place.bootstrap("--vt-update-providers", "--vt-type", "spice")  # a type for which no shipped one is small
    assert "mine updated: branch master" in done.output, done.output
    place.bootstrap()
    assert listed(place) == ["mine.hello", "mine.news"]


def update(place, *options):
    """Asks for news, but not those of the shipped providers, whose definitions are replaced by empty ones."""
    for name in ("io-github-autotest-qemu", "io-github-autotest-libvirt", "io-github-spiceqa-spice"):
        (place.definitions / f"{name}.ini").write_text("[provider]\nuri: file:///nowhere\n")
    return place.bootstrap("--vt-update-providers", *options)


def test_a_rewritten_branch_is_followed(place, repo):
    place.define(repo.bare)
    place.bootstrap()
    repo.git("commit", "-q", "--amend", "-m", "rewritten")
    repo.add_test("other")
    repo.commit("other")
    done = update(place)
    assert done.returncode == 0 and "mine updated" in done.output, done.output
    assert listed(place) == ["mine.hello", "mine.other"]


def test_the_definitions_ref_and_branch_are_followed(place, repo):
    first = repo.git("rev-parse", "HEAD")
    repo.git("tag", "v1")
    repo.add_test("second")
    second = repo.commit("second")
    repo.git("checkout", "-q", "-b", "devel")
    repo.add_test("third")
    third = repo.commit("third")
    for keys, commit in (({}, second), ({"ref": "v1"}, first), ({"branch": "devel"}, third), ({}, second)):
        place.define(repo.bare, **keys)
        done = place.bootstrap()
        assert done.returncode == 0, done.output
        assert place.git("rev-parse", "HEAD") == commit
        assert place.git("status", "--porcelain") == ""
    assert place.git("symbolic-ref", "HEAD") == "refs/heads/master"


def test_another_repository_is_followed(place, repo, tmp_path):
    place.define(repo.bare)
    place.bootstrap()
    other = Repo(tmp_path / "other")
    other.add_test("elsewhere")
    other.commit("elsewhere")
    place.define(other.bare)
    assert place.bootstrap().returncode == 0
    assert listed(place) == ["mine.elsewhere", "mine.hello"]


WORK = {
    "a changed file": lambda place: (place.checkout() / "generic/tests/hello.py").write_text("mine = 1\n"),
    "a new file": lambda place: (place.checkout() / "generic/tests/uptime.py").write_text(""),
    "a staged file": lambda place: (
        (place.checkout() / "generic/tests/uptime.py").write_text(""),
        place.git("add", "generic/tests/uptime.py"),
    ),
    "a deleted file": lambda place: (place.checkout() / "generic/tests/hello.py").unlink(),
    "a commit": lambda place: place.git("commit", "-q", "--allow-empty", "-m", "mine"),
    "a branch": lambda place: place.git("checkout", "-q", "-b", "my-work"),
    "a detached HEAD": lambda place: place.git("checkout", "-q", "--detach"),
    "a merge": lambda place: (place.checkout() / ".git/MERGE_HEAD").write_text(place.git("rev-parse", "HEAD") + "\n"),
}


@pytest.mark.parametrize("work", WORK)
def test_the_users_work_is_left_alone(place, repo, work):
    place.define(repo.bare)
    place.bootstrap()
    WORK[work](place)

    def state():
        files = {
            str(path): path.read_bytes() for path in sorted((place.checkout() / "generic").rglob("*")) if path.is_file()
        }
        return files, place.git("rev-parse", "HEAD"), (place.checkout() / ".git/HEAD").read_text(), place.git("status")

    before = state()
    repo.add_test("hello2")
    repo.write("generic/tests/hello.py", "theirs = 1\n")
    repo.commit("theirs")
    # The new commit is fetched, so what git says of the branch's distance changes; the rest may not.
    place.git("fetch", "-q", repo.bare, "master:refs/remotes/origin/master")
    before = before[:3] + (place.git("status"),)
    done = update(place)
    assert done.returncode == 0, done.output
    assert f"{place.checkout()} is left alone" in done.output, done.output
    assert state() == before
    place.define(repo.bare, ref=repo.git("rev-parse", "HEAD"))
    done = place.bootstrap()
    assert done.returncode == 0 and "is left alone" in done.output
    assert state() == before


def test_byproducts_of_running_are_no_work(place, repo):
    place.define(repo.bare)
    place.bootstrap()
    cache = place.checkout() / "generic/tests/__pycache__"
    cache.mkdir()
    (cache / "hello.cpython-311.pyc").write_bytes(b"\0")
    repo.add_test("news")
    repo.commit("news")
    assert "mine updated" in update(place).output
    assert cache.is_dir()


def test_an_ignored_file_in_the_way_is_not_overwritten(place, repo):
    repo.write(".gitignore", "*.iso\n")
    repo.commit("ignore")
    place.define(repo.bare)
    place.bootstrap()
    (place.checkout() / "big.iso").write_text("mine")
    repo.git("add", "-f", "--", ".gitignore")
    repo.write("big.iso", "theirs")
    repo.git("add", "-f", "big.iso")
    repo.git("commit", "-q", "-m", "iso")
    repo.publish()
    done = update(place)
    assert (place.checkout() / "big.iso").read_text() == "mine", done.output
    assert "big.iso" in done.output or "conflict" in done.output
    assert place.bootstrap().returncode == 0
    assert listed(place) == ["mine.hello"]


def as_upstream(place, repo, name="mine"):
    """A checkout as upstream's bootstrap leaves it: no remote branches, no note."""
    place.checkout(name).mkdir(parents=True)
    place.git("init", "-q", "-b", "master", name=name)
    place.git("fetch", "-q", "-f", "-u", "-t", repo.bare, "master:master", name=name)
    place.git("checkout", "-q", "master", name=name)
    place.git("remote", "add", "origin", repo.bare, name=name)


def test_upstreams_checkout_is_used(place, repo, tmp_path):
    as_upstream(place, repo)
    place.define(tmp_path / "gone.git")  # nobody is asked
    done = place.bootstrap()
    assert done.returncode == 0 and "mine OK" in done.output, done.output
    assert listed(place) == ["mine.hello"]


def test_upstreams_checkout_is_updated_and_upstream_can_go_on(place, repo):
    as_upstream(place, repo)
    place.define(repo.bare)
    repo.add_test("news")
    repo.commit("news")
    assert "mine updated" in update(place).output
    assert listed(place) == ["mine.hello", "mine.news"]
    place.git("fetch", "-q", "-f", "-u", "-t", repo.bare, "master:master")
    place.git("checkout", "-q", "master")


def test_commits_in_upstreams_checkout_are_kept(place, repo):
    as_upstream(place, repo)
    place.define(repo.bare)
    place.git("commit", "-q", "--allow-empty", "-m", "mine")
    mine = place.git("rev-parse", "HEAD")
    repo.commit("theirs")
    done = update(place)
    assert "it has commits of its own" in done.output and mine[:12] in done.output
    assert place.git("rev-parse", "HEAD") == mine


def test_files_that_are_no_checkout_are_used_as_they_are(place, repo):
    shutil.copytree(repo.work, place.checkout(), ignore=shutil.ignore_patterns(".git"))
    place.define(repo.bare)
    done = place.bootstrap()
    assert done.returncode == 0 and "is no git checkout" in done.output
    assert listed(place) == ["mine.hello"]


def test_checkout_at_the_top_of_the_data_directory_is_found(place, repo):
    shutil.copytree(repo.work, place.definitions / "downloads/mine", ignore=shutil.ignore_patterns(".git"))
    place.define(repo.bare)
    place.bootstrap()
    assert listed(place) == ["mine.hello"]


# --- without a network -------------------------------------------------------------------------------------------------


def test_without_the_server_what_is_there_is_used(place, repo):
    place.define(repo.bare)
    place.bootstrap()
    repo.bare.rename(repo.bare.with_suffix(".away"))
    done = update(place)
    assert done.returncode == 0, done.output
    assert "mine cannot be updated, what is there is used" in done.output
    assert listed(place) == ["mine.hello"]


def test_no_downloads(place, repo, server):
    place.define(server.uri(repo))
    done = place.bootstrap("--vt-no-downloads", "--vt-update-providers")
    assert done.returncode == 0
    assert "mine is not fetched, as nothing may be downloaded" in done.output
    assert server.connections == 0 and not place.checkout().exists()
    repo.git("tag", "v1")
    repo.publish()
    place.bootstrap()
    asked = server.connections
    repo.add_test("news")
    repo.commit("news")
    place.define(server.uri(repo), ref="v1")
    done = place.bootstrap("--vt-no-downloads")
    assert done.returncode == 0 and server.connections == asked
    assert listed(place) == ["mine.hello"]


def test_shipped_providers_are_not_fetched_unless_asked(place):
    done = place.bootstrap()
    assert done.returncode == 0
    for name in ("io-github-autotest-qemu", "io-github-autotest-libvirt", "io-github-spiceqa-spice"):
        assert f"{name} is not fetched" in done.output
        # Worded as upstream's, without comments, it is still the shipped one.
        path = place.data / f"virttest/test-providers.d/{name}.ini"
        lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
        path.write_text("\n".join(lines) + "\n")
    done = place.bootstrap()
    assert done.returncode == 0 and done.output.count("is not fetched") == 3
    assert not list(place.downloads.iterdir())


def test_update_fetches_the_shipped_ones_that_the_type_can_use(place):
    # No network is needed: the repositories' addresses are turned into ones that do not exist.
    (place.base / "home/.gitconfig").write_text('[url "/nowhere/"]\n\tinsteadOf = https://github.com/\n')
    done = place.bootstrap("--vt-update-providers", "--vt-type", "qemu")
    assert done.returncode == 1
    assert "Not ready: Test provider io-github-autotest-qemu" in done.output
    assert "io-github-spiceqa-spice is not fetched" in done.output
    assert listed(place) == []


def test_a_shipped_provider_from_a_local_mirror(place, repo):
    repo.bare.rename(repo.bare.parent / "tp-qemu.git")
    (place.base / "home/.gitconfig").write_text(
        f'[url "{repo.bare.parent}/"]\n\tinsteadOf = https://github.com/autotest/\n'
    )
    done = place.bootstrap("--vt-update-providers")
    assert done.returncode == 0, done.output
    assert listed(place) == ["io-github-autotest-qemu.hello"]


# --- killed in the middle ----------------------------------------------------------------------------------------------


def start(place, *options):
    return subprocess.Popen(
        place.command(*options),
        env={**place.environment, "VT_TEST_MARK": str(place.base)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def big(repo):
    repo.write("generic/deps/big", os.urandom(1 << 20))
    repo.commit("big")


def test_killed_while_cloning(place, repo, server, nothing_survives):
    big(repo)
    place.define(server.uri(repo))
    server.limit = 1 << 19
    name, value = nothing_survives.split("=", 1)
    place.environment[name] = value
    process = start(place)
    assert server.stalled.wait(30)
    process.kill()
    process.wait()
    process.stdout.close()
    assert place.leftovers() and not place.checkout().exists()
    server.limit = None
    done = place.bootstrap()
    assert done.returncode == 0, done.output
    assert listed(place) == ["mine.hello"] and not place.leftovers()


def test_killed_while_updating(place, repo, server):
    place.define(server.uri(repo))
    place.bootstrap()
    big(repo)
    server.limit = 1 << 19
    process = start(place, "--vt-update-providers", "--vt-type", "lvsb")
    assert server.stalled.wait(30)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert place.leftovers()
    lock = place.checkout() / ".git/refs/remotes/origin/master.lock"
    lock.write_text("")
    server.limit = None
    done = place.bootstrap()
    assert done.returncode == 0, done.output
    assert not place.leftovers() and not lock.exists()
    assert not list((place.checkout() / ".git/objects/pack").glob("pack_*"))
    assert place.git("status", "--porcelain") == ""
    assert place.git("fsck") == ""


def test_a_silent_server_is_given_up(place, repo, server):
    big(repo)
    place.define(server.uri(repo), name="silent")
    place.define(repo.bare, name="good")
    server.limit = 1 << 19
    done = place.bootstrap("--vt-fetch-timeout", "1")
    assert done.returncode == 1
    assert "Test provider silent" in done.output and "said nothing for 1 s" in done.output
    assert "receiving objects" in done.output
    assert listed(place) == ["good.hello"] and not place.leftovers()


def half_moved(place, repo, torn=True):
    """A checkout whose move to a new commit was killed: files of both, and the beginning of one."""
    place.define(repo.bare)
    repo.write("generic/tests/gone.py", "old\n")
    repo.write("generic/tests/later.py", "old\n")
    old = repo.commit("old")
    place.bootstrap()
    (repo.work / "generic/tests/gone.py").unlink()
    repo.write("generic/tests/hello.py", "new hello\n")
    repo.write("generic/tests/later.py", "new later\n")
    repo.add_test("news")
    new = repo.commit("new")
    place.git("fetch", "-q", "origin")
    note = json.loads((place.checkout() / NOTE).read_text())
    note.update(commit=old, moving_to=new)
    (place.checkout() / NOTE).write_text(json.dumps(note))
    tests = place.checkout() / "generic/tests"
    (tests / "news.py").write_text("def run(te" if torn else "my own\n")
    (tests / "hello.py").write_text("new hello\n")
    return new


def test_a_move_that_was_killed_is_finished(place, repo):
    new = half_moved(place, repo)
    done = place.bootstrap()
    assert done.returncode == 0, done.output
    assert place.git("rev-parse", "HEAD") == new and place.git("status", "--porcelain") == ""
    assert listed(place) == ["mine.hello", "mine.news"]
    assert json.loads((place.checkout() / NOTE).read_text())["moving_to"] == ""


def test_a_move_that_was_killed_is_not_finished_over_edits(place, repo):
    half_moved(place, repo, torn=False)
    for _ in range(2):
        done = place.bootstrap()
        assert done.returncode == 0, done.output
        assert "is left alone" in done.output and "news.py" in done.output
    assert (place.checkout() / "generic/tests/news.py").read_text() == "my own\n"
    assert (place.checkout() / "generic/tests/gone.py").exists()
    (place.checkout() / "generic/tests/news.py").unlink()
    assert place.bootstrap().returncode == 0
    assert place.git("status", "--porcelain") == ""

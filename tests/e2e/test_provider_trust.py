# SPDX-License-Identifier: GPL-2.0-or-later
"""What is not trusted: unsigned tags and commits where a key is demanded, repositories that mean harm, secrets in logs."""

import http.server
import os
import pathlib
import subprocess
import threading

import pytest

from git_places import GitServer, Gpg, place, repo  # noqa: F401 (fixtures among them)
from jobs import command_line


@pytest.fixture(name="gpg", scope="module")
def _gpg(tmp_path_factory):
    gpg = Gpg(tmp_path_factory.mktemp("gpg"))
    gpg.key("alice")
    gpg.key("mallory")
    yield gpg
    gpg.stop()


def mine(place):
    return [name for name in place.tests() if name.startswith("mine.")]


def refused(place, *words):
    """Bootstraps; the definition must be refused in these words, and nothing be checked out."""
    done = place.bootstrap()
    assert done.returncode == 1, done.output
    problems = [line for line in done.output.splitlines() if "Not ready: Test provider mine" in line]
    assert problems, done.output
    for word in words:
        assert word in problems[0]
    assert not place.checkout().exists() and not place.leftovers()
    assert mine(place) == []
    return problems[0]


def accepted(place, *words):
    done = place.bootstrap()
    assert done.returncode == 0, done.output
    for word in words:
        assert word in done.output
    assert mine(place) == ["mine.hello"]


# --- signatures --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("armored", [True, False])
def test_signed_tag(place, repo, gpg, armored):
    gpg.sign_with(repo, "alice")
    repo.git("tag", "-s", "-m", "x", "v1")
    repo.publish()
    key = gpg.export("alice", place.definitions / "alice.pub", armored)
    place.define(repo.bare, ref="v1", pubkey="alice.pub")  # beside the definition
    accepted(place, "signed by", "alice@example.org")
    key.rename(place.base / "elsewhere.pub")
    place.define(repo.bare, ref="v1", pubkey=place.base / "elsewhere.pub")
    accepted(place)


def test_signed_commit(place, repo, gpg):
    gpg.sign_with(repo, "alice")
    repo.commit("signed", "-S")
    gpg.export("alice", place.definitions / "alice.pub")
    place.define(repo.bare, pubkey="alice.pub")
    accepted(place, "signed by", "branch master")


def test_several_keys_in_one_file(place, repo, gpg):
    gpg.sign_with(repo, "alice")
    repo.git("tag", "-s", "-m", "x", "v1")
    repo.publish()
    keys = place.definitions / "keys.pub"
    text = gpg.export("mallory", keys).read_bytes() + gpg.export("alice", place.definitions / "a").read_bytes()
    keys.write_bytes(text)
    place.define(repo.bare, ref="v1", pubkey="keys.pub")
    accepted(place)


def unsigned_tag(repo):
    repo.git("tag", "-a", "-m", "x", "v1")


def light_tag(repo):
    repo.git("tag", "v1")


def tag_of_another(repo):
    repo.git("tag", "-s", "-u", "mallory@example.org", "-m", "x", "v1")


def signed_tag(repo, name="v1"):
    repo.git("tag", "-s", "-m", "x", name)
    return repo.git("cat-file", "tag", name)


def moved_tag(repo):
    """A signed tag whose commit was replaced by another one."""
    old = repo.git("rev-parse", "HEAD")
    text = signed_tag(repo)
    repo.write("generic/tests/hello.py", "evil = 1\n")
    new = repo.commit("evil")
    tag = repo.git("hash-object", "-t", "tag", "-w", "--stdin", input=text.replace(old, new) + "\n")
    repo.git("update-ref", "refs/tags/v1", tag)


def renamed_tag(repo):
    """An old signed tag under a new name."""
    signed_tag(repo, "v0")
    repo.git("update-ref", "refs/tags/v1", repo.git("rev-parse", "refs/tags/v0"))


def garbled_tag(repo):
    text = signed_tag(repo)
    lines = text.splitlines()
    begin = lines.index("-----BEGIN PGP SIGNATURE-----")
    lines[begin + 2 :] = ["AAAA", "-----END PGP SIGNATURE-----", ""]
    tag = repo.git("hash-object", "-t", "tag", "-w", "--stdin", input="\n".join(lines))
    repo.git("update-ref", "refs/tags/v1", tag)


@pytest.mark.parametrize(
    "make, words",
    [
        (unsigned_tag, "the tag has no signature"),
        (light_tag, "has no signature, but the definition names a public key"),
        (tag_of_another, "is not by the key of the definition"),
        (moved_tag, "it was changed after it was signed"),
        (renamed_tag, "what was signed is the tag 'v0'"),
        (garbled_tag, "signature"),
    ],
)
def test_wrong_tags_are_refused(place, repo, gpg, make, words):
    gpg.sign_with(repo, "alice")
    make(repo)
    repo.publish()
    gpg.export("alice", place.definitions / "alice.pub")
    place.define(repo.bare, ref="v1", pubkey="alice.pub")
    refused(place, "tag v1 is refused, nothing of it was checked out", words)


def test_unsigned_commits_are_refused(place, repo, gpg):
    commit = repo.git("rev-parse", "HEAD")
    gpg.export("alice", place.definitions / "alice.pub")
    place.define(repo.bare, pubkey="alice.pub")
    refused(place, "has no signature", "name a signed tag with 'ref'")
    place.define(repo.bare, ref=commit, pubkey="alice.pub")
    refused(place, "has no signature")


def test_a_key_that_has_expired_is_refused(place, repo, gpg, tmp_path):
    gpg.key("brief", "1d", when="20200101T000000")
    gpg.sign_with(repo, "brief@example.org")
    then = tmp_path / "gpg-then"
    then.write_text('#!/bin/sh\nexec gpg --faked-system-time 20200101T010000 "$@"\n')
    then.chmod(0o755)
    repo.git("config", "gpg.program", then)
    repo.git("tag", "-s", "-m", "x", "v1")
    repo.publish()
    gpg.export("brief", place.definitions / "brief.pub")
    place.define(repo.bare, ref="v1", pubkey="brief.pub")
    refused(place, "by a key that has expired")


def test_a_key_that_was_revoked_is_refused(place, repo, gpg):
    gpg.key("carol")
    gpg.sign_with(repo, "carol@example.org")
    repo.git("tag", "-s", "-m", "x", "v1")
    repo.publish()
    gpg.revoke("carol")
    gpg.export("carol", place.definitions / "carol.pub")
    place.define(repo.bare, ref="v1", pubkey="carol.pub")
    refused(place, "by a key that was revoked")


@pytest.mark.parametrize("content", [None, b"", b"no key\n", bytes(range(256)), b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n"])
def test_key_files_that_are_none_refuse_everything(place, repo, gpg, content):
    gpg.sign_with(repo, "alice")
    repo.git("tag", "-s", "-m", "x", "v1")
    repo.publish()
    if content is not None:
        (place.definitions / "alice.pub").write_bytes(content)
    place.define(repo.bare, ref="v1", pubkey="alice.pub")
    refused(place)


def test_a_refused_update_leaves_what_was_verified(place, repo, gpg):
    gpg.sign_with(repo, "alice")
    good = repo.commit("signed", "-S")
    gpg.export("alice", place.definitions / "alice.pub")
    place.define(repo.bare, pubkey="alice.pub")
    accepted(place)
    repo.write("generic/tests/hello.py", "evil = 1\n")
    repo.commit("unsigned")
    for name in ("io-github-autotest-qemu", "io-github-autotest-libvirt", "io-github-spiceqa-spice"):
        (place.definitions / f"{name}.ini").write_text("[provider]\nuri: file:///nowhere\n")
    done = place.bootstrap("--vt-update-providers")
    assert done.returncode == 1
    assert "has no signature" in done.output and "what was there before stays in use" in done.output
    assert place.git("rev-parse", "HEAD") == good
    assert mine(place) == ["mine.hello"]


def test_a_key_that_is_named_later_is_honoured(place, repo, gpg):
    place.define(repo.bare)
    accepted(place)
    gpg.export("alice", place.definitions / "alice.pub")
    place.define(repo.bare, pubkey="alice.pub")
    done = place.bootstrap()
    assert done.returncode == 1 and "it is not used" in done.output, done.output
    assert mine(place) == []
    gpg.sign_with(repo, "alice")
    repo.git("tag", "-s", "-m", "x", "v1")
    repo.publish()
    place.define(repo.bare, ref="v1", pubkey="alice.pub")
    accepted(place, "signed by")
    # Another key in the same file is another key.
    gpg.export("mallory", place.definitions / "alice.pub")
    assert place.bootstrap().returncode == 1
    assert mine(place) == []


def ssh_key(path):
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "x", "-f", path], check=True)
    return path


def test_ssh_signatures(place, repo, tmp_path, gpg):
    key = ssh_key(tmp_path / "key")
    other = ssh_key(tmp_path / "other")
    repo.git("config", "gpg.format", "ssh")
    repo.git("config", "user.signingkey", key)
    repo.git("tag", "-s", "-m", "x", "v1")
    repo.publish()
    place.define(repo.bare, ref="v1", pubkey=f"{other}.pub")
    refused(place, "is not by the key of the definition")
    gpg.export("alice", place.definitions / "alice.pub")
    place.define(repo.bare, ref="v1", pubkey="alice.pub")
    refused(place, "is signed with an SSH key, but", "has an OpenPGP key")
    place.define(repo.bare, ref="v1", pubkey=f"{key}.pub")
    accepted(place, "signed by SHA256:")


def test_no_agent_and_no_home_of_gnupg_are_left(place, repo, gpg):
    gpg.sign_with(repo, "alice")
    repo.git("tag", "-s", "-m", "x", "v1")
    repo.publish()
    gpg.export("alice", place.definitions / "alice.pub")
    place.define(repo.bare, ref="v1", pubkey="alice.pub")
    accepted(place)
    assert not (place.base / "home/.gnupg").exists()
    marks = []
    for entry in pathlib.Path("/proc").iterdir():
        try:
            marks += [entry] if str(place.base).encode() in (entry / "environ").read_bytes() else []
        except OSError:
            continue
    assert not [entry for entry in marks if int(entry.name) != os.getpid()]


# --- repositories that mean harm ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["/etc/passwd", "../../../../outside", "..", "here/../../../../x"])
def test_links_that_lead_out_are_refused(place, repo, target):
    (repo.work / "generic/tests/here").symlink_to(".")
    (repo.work / "generic/tests/evil.cfg").symlink_to(target if target != ".." else "../../..")
    repo.commit("link")
    place.define(repo.bare)
    refused(place, "generic/tests/evil.cfg", "leads out of the repository")


def test_links_inside_are_fine(place, repo):
    (repo.work / "generic/deps").mkdir()
    (repo.work / "generic/deps/stress").symlink_to("../../deps/stress")
    repo.commit("link")
    place.define(repo.bare)
    accepted(place)


def evil_tree(path):
    """Makes a commit whose tree has a path that git itself would not add."""

    def make(git):
        blob = git("hash-object", "-w", "--stdin", input="evil\n")
        *folders, name = path.split("/")
        tree = f"100644 blob {blob}\t{name}\n"
        identifier = raw_tree(git, tree)
        for folder in reversed(folders):
            identifier = raw_tree(git, f"040000 tree {identifier}\t{folder}\n")
        return git("commit-tree", "-m", "evil", identifier)

    return make


def raw_tree(git, line):
    """A tree object with one entry, unchecked."""
    mode, _, rest = line.strip("\n").split(" ", 2)
    identifier, name = rest.split("\t")
    data = f"{mode.lstrip('0')} {name}\0".encode() + bytes.fromhex(identifier)
    path = pathlib.Path(git("rev-parse", "--show-toplevel")) / ".git/raw"
    path.write_bytes(data)
    return git("hash-object", "-t", "tree", "-w", "--literally", str(path))


@pytest.mark.parametrize("path", ["../outside", ".git/hooks/post-checkout", "generic/../../x", ".GIT/config", "generic/.git/x"])
def test_paths_that_leave_the_tree_are_never_written(place, repo, path):
    repo.git("config", "core.protectNTFS", "false")
    repo.replace_history(evil_tree(path))
    place.define(repo.bare)
    done = place.bootstrap()
    assert done.returncode == 1, done.output
    assert not place.checkout().exists() and not place.leftovers()
    assert not (place.downloads / "outside").exists() and not (place.base / "x").exists()


def test_hooks_submodules_and_filters_are_not_run(place, repo, tmp_path):
    """Those of the repository that is fetched from, and those that it brings along."""
    proof = tmp_path / "proof"
    repo.write(".gitmodules", f'[submodule "x"]\n\tpath = x\n\turl = ext::touch {proof}\n\tupdate = !touch {proof}\n')
    repo.write(".gitattributes", "*.py filter=evil\n")
    repo.git("update-index", "--add", "--cacheinfo", f"160000,{repo.git('rev-parse', 'HEAD')},x")
    repo.commit("submodule")
    for hook in ("post-checkout", "pre-receive", "upload-pack", "post-upload-pack"):
        path = repo.bare / "hooks" / hook
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\ntouch {proof}\n")
        path.chmod(0o755)
    repo.git("config", "--file", repo.bare / "config", "uploadpack.packObjectsHook", f"touch {proof}")
    (place.base / "home/.gitconfig").write_text(f'[filter "evil"]\n\tsmudge = touch {proof}\n')
    place.define(repo.bare)
    accepted(place)
    assert not proof.exists()
    assert not list((place.checkout() / "x").glob("*"))


@pytest.mark.parametrize("uri", ["ext::touch PROOF", "fd::0", "-oProxyCommand=touch PROOF:x", "ssh://-oProxyCommand=touch/x"])
def test_uris_that_run_commands_are_refused(place, tmp_path, uri):
    proof = tmp_path / "proof"
    place.define(uri.replace("PROOF", str(proof)))
    done = place.bootstrap()
    assert "Leaving out a test provider" in done.output and "mine.ini" in done.output
    assert not proof.exists()


def test_a_server_that_speaks_no_git(place):
    class Garbage(http.server.BaseHTTPRequestHandler):
        def do_GET(self):  # pylint: disable=invalid-name
            self.send_response(200)
            self.end_headers()
            self.wfile.write(bytes(range(256)) * 100)

        def log_message(self, *_):  # pylint: disable=arguments-differ
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Garbage) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        place.define(f"http://127.0.0.1:{server.server_port}/t.git")
        refused(place)
        server.shutdown()


# --- secrets -----------------------------------------------------------------------------------------------------------


class Locked(http.server.BaseHTTPRequestHandler):
    """Wants a password, and holds the answer until it was looked at from outside."""

    asked = threading.Event()
    looked = threading.Event()
    sent = []

    def do_GET(self):  # pylint: disable=invalid-name
        self.sent.append(self.headers.get("Authorization"))
        self.asked.set()
        self.looked.wait(20)
        self.send_response(401)
        self.send_header("WWW-Authenticate", 'Basic realm="x"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):  # pylint: disable=arguments-differ
        pass


def test_a_password_is_seen_by_the_server_alone(place):
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Locked) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        place.define(f"http://me:geheim99@127.0.0.1:{server.server_port}/t.git")
        process = subprocess.Popen(
            place.command(), env=place.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
        )
        assert Locked.asked.wait(20)
        shown = "".join(command_line(path.name) for path in pathlib.Path("/proc").glob("[0-9]*"))
        Locked.looked.set()
        output = process.communicate(timeout=30)[0]
        server.shutdown()
    assert process.returncode == 1
    assert "geheim99" not in shown and "geheim99" not in output
    assert f"http://127.0.0.1:{server.server_port}/t.git" in output and "wants to know who asks" in output
    assert any(Locked.sent)


def test_no_password_in_the_checkout(place, repo):
    server = GitServer(repo.base)
    place.define(server.uri(repo).replace("git://", "git://me:geheim99@"))
    assert place.bootstrap().returncode == 0
    server.stop()
    for path in place.data.rglob("*"):
        if path.is_file() and path.suffix != ".ini":
            assert b"geheim99" not in path.read_bytes(), path

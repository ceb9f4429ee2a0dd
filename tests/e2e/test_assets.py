# SPDX-License-Identifier: GPL-2.0-or-later
"""Guest images that bootstrap downloads: definitions, checksums, going on, unpacking, from a server of the test's."""

import base64
import bz2
import gzip
import hashlib
import json
import lzma
import os
import pathlib
import signal
import subprocess

import pytest

from file_server import FileServer

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("VT_BUILD", ROOT / "build/release"))
RUNNER = BUILD / "bin/avocado-runner-vt"

pytestmark = pytest.mark.skipif(not RUNNER.exists(), reason="needs `make build`")

IMAGE = b"QFI\xfb" + os.urandom(300_000) + bytes(200_000)


def sha1(data):
    return hashlib.sha1(data, usedforsecurity=False).hexdigest()


@pytest.fixture
def server():
    server = FileServer()
    yield server
    server.stop()


class Data:
    """A data directory with a guest Foo, whose image is the asset foo."""

    def __init__(self, path, server):
        self.path = path
        self.server = server
        self.image = path / "images/foo.qcow2"
        drop_in = path / "guest-os/Linux/LinuxCustom/foo.cfg"
        drop_in.parent.mkdir(parents=True)
        drop_in.write_text("- Foo:\n    image_name = images/foo\n")
        (path / "downloads").mkdir()

    def define(self, name="foo", **values):
        lines = "".join(f"{key} = {value}\n" for key, value in values.items() if value is not None)
        (self.path / f"downloads/{name}.ini").write_text(f"[{name}]\n{lines}")

    def serve(self, body, suffix=".xz", checksum=True, **more):
        """Puts an archive on the server, with its checksum, and defines it."""
        self.server.files[f"/foo.qcow2{suffix}"] = body
        self.server.files["/SUMS"] = f"{sha1(body)}  foo.qcow2{suffix}\n".encode()
        self.define(**{
            "title": "Foo",
            "url": f"{self.server.url}/foo.qcow2{suffix}",
            "sha1_url": f"{self.server.url}/SUMS" if checksum else None,
            "destination": f"images/foo.qcow2{suffix}",
            "destination_uncompressed": "images/foo.qcow2" if suffix else None,
            **more,
        })

    def start(self, *options, guest="LinuxCustom.Foo"):
        return subprocess.Popen(
            [RUNNER, "bootstrap", "--data-dir", self.path, "--vt-guest-os", guest, *options],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )

    def bootstrap(self, *options, status=0, **others):
        process = self.start(*options, **others)
        output = process.communicate(timeout=120)[0]
        assert process.returncode == status, output
        return output

    def left_behind(self):
        names = [path.name for path in (self.path / "images").iterdir()]
        return sorted(name for name in names if name not in ("foo.qcow2", "foo.qcow2.xz"))


@pytest.fixture
def data(tmp_path, server):
    return Data(tmp_path / "data", server)


@pytest.mark.parametrize("suffix, pack", [
    (".xz", lzma.compress), (".gz", gzip.compress), (".bz2", bz2.compress), ("", bytes)])
def test_an_image_is_downloaded_checked_and_unpacked(data, suffix, pack):
    data.serve(pack(IMAGE), suffix)
    output = data.bootstrap()
    assert data.image.read_bytes() == IMAGE
    assert "Downloading Foo" in output and "100 %" in output
    assert data.left_behind() in ([], [f"foo.qcow2{suffix}"])
    # Zeros take no room.
    if suffix:
        assert data.image.stat().st_blocks * 512 < len(IMAGE) - 100_000


# A folder, and in it a file of 16 bytes.
SEVEN_ZIP = base64.b64decode(
    "N3q8ryccAAM3f7UzeAAAAAAAAAAgAAAAAAAAADsv6BYAOBhImc1cHCUF5DxlpK72BXGqlSMP//zPMAAAAIEzB64Pz7XvEA/r6p4B"
    "DWIDjdNMQj8OdlN5KmEfnJHLGhVzWq/pVcR32FE6LMxuXJTR8zzF2dVwSeOCh0jatbhlttHWF0l+6PPdjsZg4VSAdcFzg8v///P8"
    "cAAXBhsBCV0ABwsBAAEjAwEBBV0AAIAADGkKAayjuVAAAA==")


def test_a_7z_archive(data):
    data.serve(SEVEN_ZIP, ".7z")
    data.bootstrap()
    assert data.image.read_bytes() == b"packed by 7-Zip\n"


def test_an_image_that_is_there_is_never_unpacked_over(data):
    data.serve(lzma.compress(IMAGE))
    data.bootstrap()
    data.image.write_bytes(b"what a test made of it")
    data.server.requests.clear()
    data.bootstrap()
    assert data.image.read_bytes() == b"what a test made of it"
    assert data.server.paths() == ["/SUMS"]


def test_a_newer_archive_replaces_an_image_only_on_a_yes(data):
    data.serve(lzma.compress(IMAGE))
    data.bootstrap()
    data.image.write_bytes(b"mine")
    (data.path / "images/foo.qcow2.backup").write_bytes(b"my backup")
    data.serve(lzma.compress(b"newer"))
    assert "There is a newer Foo" in data.bootstrap()
    assert data.image.read_bytes() == b"mine"
    data.bootstrap("--yes-to-all", "--vt-no-downloads")
    assert data.image.read_bytes() == b"mine"
    data.bootstrap("--yes-to-all")
    assert data.image.read_bytes() == b"newer"
    assert (data.path / "images/foo.qcow2.orig").read_bytes() == b"mine"
    assert (data.path / "images/foo.qcow2.backup.orig").read_bytes() == b"my backup"
    assert "There is a newer" not in data.bootstrap("--yes-to-all")


def test_an_image_that_was_removed_comes_back_without_a_download(data):
    data.serve(lzma.compress(IMAGE))
    data.bootstrap()
    data.image.unlink()
    data.server.requests.clear()
    data.bootstrap()
    assert data.image.read_bytes() == IMAGE
    assert data.server.paths() == ["/SUMS"]
    data.image.unlink()
    assert "taken as it is" in data.bootstrap("--vt-no-downloads")
    assert data.image.read_bytes() == IMAGE


def test_nothing_is_downloaded_where_that_is_forbidden(data):
    data.serve(lzma.compress(IMAGE))
    assert "downloads were forbidden" in data.bootstrap("--vt-no-downloads")
    data.bootstrap("--vt-skip-verify-download-assets")
    assert not data.image.exists() and not data.server.requests


def test_a_wrong_checksum_leaves_nothing(data):
    data.serve(lzma.compress(IMAGE))
    data.server.files["/SUMS"] = (b"0" * 40) + b"  foo.qcow2.xz\n"
    output = data.bootstrap(status=1)
    assert "is not what it should be" in output and "wanted was 0000" in output
    assert not data.image.exists() and data.left_behind() == []
    assert not (data.path / "images/foo.qcow2.xz").exists()


def test_without_the_checksum_that_is_promised_nothing_is_downloaded(data):
    data.serve(lzma.compress(IMAGE))
    del data.server.files["/SUMS"]
    assert "404" in data.bootstrap(status=1)
    assert data.server.paths() == ["/SUMS"]


@pytest.mark.parametrize("text", [
    "{sha256} *foo.qcow2.xz\nfff  other\n", "SHA256 (foo.qcow2.xz) = {sha256}\n", "{sha1}\n", "{sha1} JEOS\n"])
def test_checksum_files_of_all_kinds(data, text):
    body = lzma.compress(IMAGE)
    data.serve(body)
    data.server.files["/SUMS"] = text.format(sha256=hashlib.sha256(body).hexdigest(), sha1=sha1(body)).encode()
    data.bootstrap()
    assert data.image.read_bytes() == IMAGE


def test_a_checksum_in_the_definition(data):
    body = lzma.compress(IMAGE)
    data.serve(body, checksum=False, sha256=hashlib.sha256(body).hexdigest())
    data.bootstrap()
    assert data.image.read_bytes() == IMAGE
    data.serve(body, checksum=False, sha256="0" * 64)
    data.image.unlink()
    (data.path / "images/foo.qcow2.xz").unlink()
    data.bootstrap(status=1)


def test_a_broken_connection_is_taken_up_where_it_broke(data):
    body = lzma.compress(IMAGE)
    data.serve(body)
    data.server.cut = [100_000, 50_000, 1]
    data.bootstrap()
    assert data.image.read_bytes() == IMAGE
    ranges = [wanted for path, wanted, _ in data.server.requests if path.endswith(".xz")]
    assert ranges == [None, "bytes=100000-", "bytes=150000-", "bytes=150001-"]
    assert all(mark for path, wanted, mark in data.server.requests if wanted)


def test_a_server_without_ranges_sends_it_all_again(data):
    data.serve(lzma.compress(IMAGE))
    data.server.ranges = False
    data.server.cut = [100_000]
    data.bootstrap()
    assert data.image.read_bytes() == IMAGE


def test_a_server_that_gives_up_is_given_up_and_the_next_run_goes_on(data):
    body = lzma.compress(IMAGE)
    data.serve(body)
    data.server.cut = [100_000, 0, 0, 0]
    output = data.bootstrap(status=1)
    assert "the next vt-bootstrap goes on from there" in output and "the connection ended" in output
    data.server.requests.clear()
    data.bootstrap()
    assert data.image.read_bytes() == IMAGE
    assert data.server.requests[-1][1] == "bytes=100000-"


def test_a_file_that_changed_between_two_attempts_is_begun_anew(data):
    data.serve(lzma.compress(os.urandom(300_000)))
    data.server.cut = [100_000, 0, 0, 0]
    data.bootstrap(status=1)
    data.serve(lzma.compress(IMAGE))
    data.bootstrap()
    assert data.image.read_bytes() == IMAGE


@pytest.mark.parametrize("checksum", [True, False])
def test_a_part_that_nothing_vouches_for_is_not_gone_on_with(data, checksum):
    body = lzma.compress(IMAGE)
    data.serve(body, checksum=checksum)
    (data.path / "images").mkdir()
    (data.path / "images/foo.qcow2.xz.part").write_bytes(b"\0" * 1000)
    data.bootstrap()
    assert data.image.read_bytes() == IMAGE
    assert not any(wanted for _, wanted, _ in data.server.requests)


def test_parts_that_do_not_fit_together_are_noticed_by_the_checksum(data):
    body = lzma.compress(IMAGE)
    data.serve(body)
    data.server.etags = False
    data.server.cut = [100_000, 0, 0, 0]
    data.bootstrap(status=1)
    part = data.path / "images/foo.qcow2.xz.part"
    part.write_bytes(b"\0" * part.stat().st_size)
    assert "do not fit together" in data.bootstrap()
    assert data.image.read_bytes() == IMAGE


def test_killed_in_the_middle_and_run_again(data):
    body = lzma.compress(IMAGE)
    data.serve(body)
    data.server.hold = "/foo.qcow2.xz"
    process = data.start()
    assert data.server.held.wait(60)
    part = data.path / "images/foo.qcow2.xz.part"
    while not part.exists() or part.stat().st_size == 0:
        assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.communicate()
    data.server.release.set()
    data.server.hold = None
    data.bootstrap()
    assert data.image.read_bytes() == IMAGE
    assert data.server.requests[-1][1].startswith("bytes=")


def test_a_redirection_is_followed_and_a_loop_is_not(data):
    data.serve(lzma.compress(IMAGE), url=f"{data.server.url}/moved")
    data.server.files["/SUMS"] = sha1(lzma.compress(IMAGE)).encode()
    data.server.redirects = {"/moved": "/further", "/further": "/foo.qcow2.xz"}
    data.bootstrap()
    assert data.image.read_bytes() == IMAGE
    data.image.unlink()
    (data.path / "images/foo.qcow2.xz").unlink()
    data.server.redirects = {"/moved": "/moved"}
    assert "redirects" in data.bootstrap(status=1)
    # Nor to a file of this host.
    data.server.redirects = {"/moved": "file:///etc/passwd"}
    data.bootstrap(status=1)
    assert not data.image.exists()


@pytest.mark.parametrize("status", [403, 404, 500])
def test_a_server_that_refuses_is_named(data, status):
    data.serve(lzma.compress(IMAGE))
    data.server.statuses["/foo.qcow2.xz"] = status
    assert f"status {status}" in data.bootstrap(status=1)


def test_no_server_at_all(data, server):
    data.serve(lzma.compress(IMAGE))
    server.stop()
    output = data.bootstrap(status=1)
    assert "connect" in output and "Not ready" in output


def test_a_local_file_may_be_the_source(data, tmp_path):
    (tmp_path / "foo.xz").write_bytes(lzma.compress(IMAGE))
    data.serve(b"", checksum=False, url=f"file://{tmp_path}/foo.xz")
    assert "unchecked" in data.bootstrap()
    assert data.image.read_bytes() == IMAGE


@pytest.mark.parametrize("values", [
    {"destination": "../outside.xz"}, {"destination": "images/../../outside.xz"}, {"destination": "/tmp/outside.xz"},
    {"destination_uncompressed": "../../outside"}, {"destination_uncompressed": "images/.."},
    {"destination": "backends/qemu/cfg/base.cfg"}, {"destination_uncompressed": "avocado-runner-vt.json"},
    {"destination": "images"}, {"destination": None}, {"url": None}, {"url": "gopher://127.0.0.1/x"},
    {"sha1": "no digest"}])
def test_a_definition_that_leads_elsewhere_is_refused(data, values):
    data.serve(lzma.compress(IMAGE), **values)
    before = sorted(path.name for path in data.path.parent.iterdir())
    output = data.bootstrap(status=1)
    assert "Not ready" in output
    assert sorted(path.name for path in data.path.parent.iterdir()) == before
    assert "/foo.qcow2.xz" not in data.server.paths()
    assert not data.image.exists()


def test_an_archive_that_is_none_is_named_and_leaves_nothing(data):
    for body in (b"no archive", lzma.compress(IMAGE)[:-100], b""):
        data.serve(body)
        output = data.bootstrap(status=1)
        assert "cannot decompress" in output, output
        assert not data.image.exists() and data.left_behind() == []
        (data.path / "images/foo.qcow2.xz").unlink()


def test_a_command_of_the_definition_unpacks(data):
    data.serve(lzma.compress(IMAGE), uncompress_cmd="sh -c 'xz -cd \"$1\" | cat > foo.qcow2' x")
    data.bootstrap()
    assert data.image.read_bytes() == IMAGE
    data.image.unlink()
    data.serve(lzma.compress(IMAGE), uncompress_cmd="true")
    assert "made no foo.qcow2" in data.bootstrap(status=1)
    data.serve(lzma.compress(IMAGE), uncompress_cmd="exit 3;")
    assert "exit status 3" in data.bootstrap(status=1)
    assert not data.image.exists() and data.left_behind() == []


def test_the_note_survives_and_the_definition_is_the_users(data):
    data.serve(lzma.compress(IMAGE))
    data.bootstrap()
    notes = json.loads((data.path / "avocado-runner-vt.json").read_text())
    assert notes["assets"]["foo"] == "sha1:" + sha1(lzma.compress(IMAGE))
    shipped = data.path / "downloads/jeos-27-x86_64.ini"
    shipped.write_text(shipped.read_text() + "# mine\n")
    data.bootstrap()
    assert shipped.read_text().endswith("# mine\n")


def test_jeos_27_comes_from_its_shipped_definition(data):
    """The way of upstream's default guest, with its server played by the test."""
    body = lzma.compress(IMAGE)
    data.server.files = {"/jeos-27-64.qcow2.xz": body, "/SHA1SUM": f"{sha1(body)} jeos-27-64.qcow2.xz\n".encode()}
    data.bootstrap("--vt-skip-verify-download-assets")
    definition = data.path / "downloads/jeos-27-x86_64.ini"
    text = definition.read_text()
    assert "https://avocado-project.org/data/assets/jeos/27/jeos-27-64.qcow2.xz" in text
    text = text.replace("https://avocado-project.org/data/assets/jeos/27/jeos-27-64.qcow2.xz",
                        f"{data.server.url}/jeos-27-64.qcow2.xz")
    text = text.replace("https://avocado-project.org/data/assets/jeos/27/SHA1SUM_JEOS_27_64",
                        f"{data.server.url}/SHA1SUM")
    definition.write_text(text)
    data.bootstrap(guest="JeOS.27")
    assert (data.path / "images/jeos-27-x86_64.qcow2").read_bytes() == IMAGE

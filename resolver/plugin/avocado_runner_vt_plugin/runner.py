# SPDX-License-Identifier: GPL-2.0-or-later
"""Calls the binary."""

import json
import os
import shutil
import subprocess

PROGRAM = "avocado-runner-vt"


class RunnerError(Exception):
    """The binary is missing, or did not answer; the text says what to do."""


def program():
    """Full path of the binary."""
    path = shutil.which(PROGRAM)
    if path is None:
        raise RunnerError(f"{PROGRAM} is not on PATH; install it, or add the directory it lies in to PATH")
    return path


def data_dir(config):
    """The data directory that these settings mean."""
    return config.get("vt.common.data_dir") or os.path.join(
        os.path.abspath(os.path.expanduser(config.get("datadir.paths.data_dir"))), "avocado-vt"
    )


def vt_settings(config):
    """The settings of this plugin, ready for JSON."""
    result = {key: value for key, value in config.items() if key.startswith("vt.")}
    # Each use of an option on the command line makes a list of its own.
    result["vt.extra_params"] = [
        pair for item in result.get("vt.extra_params") or [] for pair in (item if isinstance(item, list) else [item])
    ]
    return result


def ask(command, request):
    """Sends one JSON object to a subcommand and returns the one it answers with."""
    done = subprocess.run(
        [program(), command], input=json.dumps(request).encode(), capture_output=True, check=False
    )
    try:
        return json.loads(done.stdout)
    except ValueError:
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:] or ["it said nothing"]
        raise RunnerError(f"{PROGRAM} {command} ended with status {done.returncode}: {last[0]}") from None


def call(arguments):
    """Runs a subcommand on the terminal and returns its exit status."""
    try:
        return subprocess.call([program(), *arguments])
    except KeyboardInterrupt:
        return 1

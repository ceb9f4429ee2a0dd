# SPDX-License-Identifier: GPL-2.0-or-later
"""Calls the binary."""

import json
import os
import shutil
import subprocess
import sys
import threading

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
    own = config.get("vt.common.data_dir")
    path = own or os.path.join(config.get("datadir.paths.data_dir"), "avocado-vt")
    return os.path.abspath(os.path.expanduser(path))


def default_guest(config):
    """The guest that is used where nobody names one."""
    try:
        with open(os.path.join(data_dir(config), "avocado-runner-vt.json"), encoding="utf-8") as notes:
            return json.load(notes).get("default_guest") or "JeOS.27"
    except (OSError, ValueError, AttributeError):
        return "JeOS.27"


def vt_settings(config):
    """The settings of this plugin, ready for JSON."""
    result = {key: value for key, value in config.items() if key.startswith("vt.")}
    # Each use of an option on the command line makes a list of its own.
    for key in ("vt.extra_params", "vt.filter.default_filters"):
        value = result.get(key) or []
        if not isinstance(value, str):
            value = [word for item in value for word in (item if isinstance(item, list) else [item])]
        result[key] = value
    result["vt.common.data_dir"] = data_dir(config)
    return result


def environment():
    """Ours, with what makes the binary end when we do, however that is."""
    return {**os.environ, "AVOCADO_VT_CALLER": str(os.getpid())}


def _pass_on(stream, last):
    """Shows what the binary says of its progress, and keeps the last other line."""
    for line in stream:
        text = line.decode(errors="replace").rstrip()
        if text.startswith(f"{PROGRAM}: listing "):
            print(text, file=sys.stderr, flush=True)
        elif text:
            last[:] = [text]


def ask(command, request):
    """Sends one JSON object to a subcommand and returns the one it answers with."""
    last = []
    with subprocess.Popen(
        [program(), command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    ) as process:
        reader = threading.Thread(target=_pass_on, args=(process.stderr, last), daemon=True)
        reader.start()
        try:
            try:
                with process.stdin:
                    process.stdin.write(json.dumps(request).encode())
            except BrokenPipeError:
                pass  # it ended early, and has said why
            answer = process.stdout.read()
            process.wait()
        except BaseException:
            process.kill()  # whoever interrupts a list does not wait for it
            raise
        reader.join()
    try:
        return json.loads(answer)
    except ValueError:
        last = last or ["it said nothing"]
        raise RunnerError(f"{PROGRAM} {command} ended with status {process.returncode}: {last[0]}") from None


def call(arguments):
    """Runs a subcommand on the terminal and returns its exit status."""
    try:
        return subprocess.call([program(), *arguments], env=environment())
    except KeyboardInterrupt:
        return 1

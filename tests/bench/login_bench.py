# SPDX-License-Identifier: GPL-2.0-or-later
"""How soon after sshd's "Server listening" a login is there: ours, and the ssh client's, started at that moment.

Prints a row for each combination of when the guest's network comes up, sshd's MaxStartups and the host's load, with how
many connections sshd saw before it let us in.

    build/venv/bin/python3 tests/bench/login_bench.py [--quick]

Needs what `make bootstrap` makes, and the tools of tests/e2e/debian_image.py.
"""

import argparse
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "e2e"))
import debian_image  # noqa: E402  pylint: disable=C0413
import jobs  # noqa: E402  pylint: disable=C0413
import login_guest  # noqa: E402  pylint: disable=C0413

# Network, when it comes up, MaxStartups, processes that keep the host busy, whether the guest restarts, too.
ROWS = (
    ("dhcp", 1, "", 0, True),
    ("dhcp", 1, "1:100:1", 0, False),
    ("static", 15, "", 0, False),
    ("dhcp", 60, "", 0, False),
    ("dhcp", 60, "1:100:1", 0, False),
    ("dhcp", 60, "500", 0, False),
    ("dhcp", 120, "", 0, False),
    ("dhcp", 60, "", 8, False),
)
TITLE = "network after    MaxStartups load |  first: ours   ssh | second: ours   ssh | reboot: ours | sshd saw"


def row(site, image, network, seconds, startups, busy, reboots):
    with login_guest.load(busy):
        ours, _ = login_guest.login(site, image, network, seconds, startups, reboots=reboots)
        client, _ = login_guest.login(site, image, network, seconds, startups, by="ssh")
    reboot = f"{ours['reboot']:12.1f}" if reboots else 12 * " "
    print(
        f"{network:>7} {seconds:5}    {startups or '10:30:100':>11} {busy:4}"
        f" | {ours['first']:12.1f} {client['first']:5.1f}"
        f" | {ours['second']:12.1f} {client['second']:5.1f} | {reboot} | {ours['connections']:8}",
        flush=True,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="three rows only")
    arguments = parser.parse_args()
    missing = debian_image.missing_tools()
    if missing:
        sys.exit("no Debian image without " + ", ".join(missing))
    image = debian_image.plain_debian_image(ROOT / "build/e2e/cache")
    site = jobs.bootstrapped_site()
    try:
        print("seconds from sshd's \"Server listening\" to a session (first), of another login, and after a restart")
        print(TITLE)
        for values in ROWS[:3] if arguments.quick else ROWS:
            row(site, image, *values)
    finally:
        site.remove()


if __name__ == "__main__":
    main()

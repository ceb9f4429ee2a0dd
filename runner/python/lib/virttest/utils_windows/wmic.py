# SPDX-License-Identifier: GPL-2.0-or-later
"""WMIC's questions and the answers of its format "list": lines key=value, an empty line after each object."""

import re

FMT_TYPE_LIST = "/format:list"


def make_query(cmd, cond=None, props=None, get_swch=None, gbl_swch=None):
    """`wmic CMD [GBL_SWCH] [where (COND)] get [PROPS] [GET_SWCH]`."""
    where = "where (%s)" % cond if cond else None
    words = ["wmic", cmd, gbl_swch, where, "get", ",".join(props or ()), get_swch]
    return " ".join(word for word in words if word)


def is_noinstance(data):
    """True if the answer is that there is no such object."""
    return data.strip().lower().startswith("no instance(s) available")


def parse_list(data):
    """A dictionary for each object; of those with one property its value alone."""
    if is_noinstance(data) or not data.strip():
        return []
    objects = []
    for paragraph in re.split(r"(?:\r*\n){2,}", data.strip()):
        found = dict(line.strip().split("=", 1) for line in paragraph.splitlines() if "=" in line)
        if found:
            objects.append(next(iter(found.values())) if len(found) == 1 else found)
    return objects

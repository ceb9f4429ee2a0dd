# SPDX-License-Identifier: GPL-2.0-or-later
import logging


def run(test, params, env):
    env["left by the first"] = {"a": [1, 2]}
    logging.info("the first ran")

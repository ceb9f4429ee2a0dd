# SPDX-License-Identifier: GPL-2.0-or-later
import logging


def run(test, params, env):
    if env["left by the first"] != {"a": [1, 2]}:
        test.fail("the first one's value is not there")
    logging.info("the second ran")

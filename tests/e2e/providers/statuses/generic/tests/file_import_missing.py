# SPDX-License-Identifier: GPL-2.0-or-later
import no_such_module_anywhere


def run(test, params, env):
    no_such_module_anywhere.go()

# SPDX-License-Identifier: GPL-2.0-or-later
def walk(test, params, env):
    pass

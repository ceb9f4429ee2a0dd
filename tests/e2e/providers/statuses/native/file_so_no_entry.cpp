// SPDX-License-Identifier: GPL-2.0-or-later
extern "C" int run() {
    return 0;
}

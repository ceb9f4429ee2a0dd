// SPDX-License-Identifier: GPL-2.0-or-later
// A shared object that is no test.
int nothing_of_the_kind = 0;

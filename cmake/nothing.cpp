// SPDX-License-Identifier: GPL-2.0-or-later
// The one source of the targets that precompile headers for others (see VtLayer.cmake).

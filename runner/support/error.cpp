// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/support/error.hpp"

#include <system_error>

namespace vt {

std::string errno_text(int errnum) {
    return std::generic_category().message(errnum);
}

SystemError::SystemError(const std::string& what, int errnum)
    : Error(what + ": " + errno_text(errnum)), errnum_(errnum) {}

}  // namespace vt

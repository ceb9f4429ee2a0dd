// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/session/file_transfer.hpp"

namespace vt {

bool is_plain_name(const std::string& name) {
    return !name.empty() && name != "." && name != ".." && name.find('/') == std::string::npos &&
           name.find('\0') == std::string::npos;
}

bool has_wildcards(const std::string& path) {
    return path.find_first_of("*?[") != std::string::npos;
}

}  // namespace vt

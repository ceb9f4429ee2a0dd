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

std::string without_tilde(const std::string& path) {
    if (path == "~") {
        return ".";
    }
    return path.rfind("~/", 0) == 0 ? path.substr(2) : path;
}

}  // namespace vt

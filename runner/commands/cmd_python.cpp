// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/commands/commands.hpp"
#include "runner/python/python_loader.hpp"
#include "runner/support/error.hpp"
#include "runner/support/printable.hpp"

#include <fmt/core.h>

namespace vt {

int run_python_command(const std::vector<std::string>& arguments) {
    if (arguments.empty() || arguments.front() == "-h" || arguments.front() == "--help") {
        fmt::print(arguments.empty() ? stderr : stdout, "usage: avocado-runner-vt python SCRIPT [ARG]...\n");
        return arguments.empty() ? 2 : 0;
    }
    try {
        return python::run_script(arguments);
    } catch (const Error& error) {
        fmt::print(stderr, "avocado-runner-vt: {}\n", printable(error.what()));
        return 1;
    }
}

}  // namespace vt

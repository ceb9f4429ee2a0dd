// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/commands/commands.hpp"
#include "runner/python/python_loader.hpp"
#include "runner/support/error.hpp"
#include "runner/support/printable.hpp"

#include <fmt/core.h>

namespace vt {

int run_api_command(const std::vector<std::string>& arguments) {
    try {
        // Only Python can say what a module of Python has, once it is imported.
        std::vector<std::string> argv{(python::module_directory() / "_vtglue" / "api.py").native()};
        argv.insert(argv.end(), arguments.begin(), arguments.end());
        return python::run_script(argv);
    } catch (const Error& error) {
        fmt::print(stderr, "avocado-runner-vt: {}\n", printable(error.what()));
        return 1;
    }
}

}  // namespace vt

// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/bootstrap/programs.hpp"
#include "runner/bootstrap/setup.hpp"
#include "runner/support/log.hpp"
#include "runner/support/strings.hpp"

namespace vt::bootstrap {

void check_mandatory_programs(const Setup& setup) {
    std::vector<Program> missing;
    for (const Program& program : programs_for(setup.options.type, host_machine()).mandatory) {
        if (auto path = find(program)) {
            log::info("{} OK", path->string());
        } else {
            log::error("Mandatory program {} is missing", join(program.names, " or "));
            missing.push_back(program);
        }
    }
    if (!missing.empty()) {
        throw BootstrapError("Programs that tests of type " + setup.options.type +
                             " need are missing. Install them with '" + install_hint(missing) +
                             "', then run vt-bootstrap again");
    }
}

void check_recommended_programs(const Setup& setup) {
    std::vector<Program> missing;
    for (const Program& program : programs_for(setup.options.type, host_machine()).recommended) {
        if (auto path = find(program)) {
            log::info("{} OK", path->string());
        } else {
            log::info("Recommended program {} is missing", join(program.names, " or "));
            missing.push_back(program);
        }
    }
    if (!missing.empty()) {
        log::info("Some tests need them; they come with '{}'", install_hint(missing));
    }
}

}  // namespace vt::bootstrap

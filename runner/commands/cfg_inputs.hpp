// SPDX-License-Identifier: GPL-2.0-or-later
/// \file cfg_inputs.hpp
/// The inputs that `cfg`, `cfg explain` and `cfg lint` share: files and statements, in the order of the
/// command line.
#pragma once

#include "cfg/parser.hpp"
#include "cfg/program.hpp"

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace vt {

/// What the options of one command collect.
struct CfgInputs {
    std::vector<std::string> files;
    std::vector<std::string> only;
    std::vector<std::string> no;
    std::vector<std::string> set;
    std::string cache;
    cfg::Options options;
};

/// Adds the options to a command. `inputs` must live as long as it.
/// \param many_files whether FILE may be given several times
void add_cfg_inputs(CLI::App& command, CfgInputs& inputs, bool many_files);

/// Reads the inputs of a command that has been parsed, in the order in which they stood; `-` is standard
/// input. \p more follows them. Throws CLI::ParseError for `--set` without `=`, and what cfg::load throws.
cfg::Program read_cfg_inputs(const CLI::App& command, const CfgInputs& inputs,
                             const std::vector<cfg::Input>& more = {});

}  // namespace vt

// SPDX-License-Identifier: GPL-2.0-or-later
#include "cfg/cache.hpp"

namespace vt::cfg {

Program load(const std::vector<Input>& inputs, const Options& options,
             const std::optional<std::filesystem::path>&) {
    return parse(inputs, options);
}

}  // namespace vt::cfg

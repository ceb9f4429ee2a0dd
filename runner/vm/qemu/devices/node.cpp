// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/vm/qemu/devices/node.hpp"

#include <array>

#include <fmt/core.h>

namespace vt::qemu {

std::string_view name_of(Form form) {
    constexpr std::array<std::string_view, 10> names{"machine", "cpu",    "object", "chardev", "blockdev",
                                                     "drive",   "netdev", "device", "option",  "plain"};
    return names.at(static_cast<std::size_t>(form));
}

std::string_view name_of(NodeState state) {
    constexpr std::array<std::string_view, 6> names{"planned", "cold",       "plugging",
                                                    "live",    "unplugging", "gone"};
    return names.at(static_cast<std::size_t>(state));
}

bool Node::same_as(const Node& other) const {
    return qid == other.qid && form == other.form && driver == other.driver && props == other.props &&
           extra == other.extra && address == other.address && needs == other.needs;
}

std::string Node::param(std::string_view name) const {
    if (name == "id" || name == "node-name") {
        return qid;
    }
    if (name == "driver" || name == "qom-type" || name == "type") {
        return driver;
    }
    if (name == "bus" && !address.bus.empty()) {
        return address.bus;
    }
    if (name == "addr" && !address.at.empty()) {
        return address.at.size() > 1 && address.at[1] != 0
                   ? fmt::format("0x{:x}.{:x}", address.at[0], address.at[1])
                   : fmt::format("0x{:x}", address.at[0]);
    }
    for (const auto& [own, value] : parse_option_text(extra)) {
        if (own == name) {
            return value.text();
        }
    }
    return props.text(name);
}

}  // namespace vt::qemu

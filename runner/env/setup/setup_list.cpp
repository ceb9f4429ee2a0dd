// SPDX-License-Identifier: GPL-2.0-or-later
// The setups in their order, which is Avocado-VT's but for the first two: demands touch nothing, and nothing
// is changed before it is the test's turn.
#include "runner/env/setup.hpp"

namespace vt {

std::vector<std::unique_ptr<Setup>> make_setups(const SetupScope& scope) {
    std::vector<std::unique_ptr<Setup>> setups;
    for (const auto make :
         {make_demands_setup, make_turn_setup, make_host_dmesg_setup, make_ulimits_setup, make_services_setup,
          make_bridge_setup, make_storage_setup, make_modules_setup, make_huge_pages_setup, make_thp_setup,
          make_ksm_setup, make_commands_setup, make_images_setup, make_shares_setup, make_vms_setup}) {
        setups.push_back(make(scope));
    }
    return setups;
}

}  // namespace vt

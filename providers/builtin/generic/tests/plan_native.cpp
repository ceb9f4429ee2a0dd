// SPDX-License-Identifier: GPL-2.0-or-later
// A plan of processes, as a C++ test writes it: a writer and a reader meet in a pipe, and a bystander is
// stopped at the end.
#include "runner/native/plan_api.hpp"

#include <string>

VT_TEST(test, params, env) {
    const std::string pipe = (test.workdir() / "pipe").string();
    vt::api::Plan plan(test);
    plan.set_timeout(vt::Seconds(params.get_double("plan_timeout", 20)));
    const auto maker = plan.spawn({"mkfifo", pipe});
    plan.wait(maker, 0);
    const auto bystander = plan.spawn({"sleep", "600"});
    const auto both = plan.spawn_par({
        {"sh", "-c", "echo hello > \"$0\"", pipe},
        {"sh", "-c", "read -r word < \"$0\" && [ \"$word\" = " + params.get("expected_word", "hello") + " ]",
         pipe},
    });
    plan.wait_par({{both[0], 0}, {both[1], 0}});
    plan.kill(bystander);
    test.log("The plan:\n{}", plan.table());
    plan.execute();
    test.log("What came of it:\n{}", plan.table());
}

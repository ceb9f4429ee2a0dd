// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/harness/packet/ovsdb.hpp"

#include "runner/io/socket.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace vt::packet {

using Json = nlohmann::json;

namespace {

constexpr const char* database = "Open_vSwitch";

/// The longest wait that the database is asked for, in milliseconds.
constexpr double longest_wait = 3'600'000;

std::string error_text(const Json& result) {
    return fmt::format("{}{}{}", result.value("error", std::string()), result.contains("details") ? ": " : "",
                       result.value("details", std::string()));
}

/// Throws OvsdbError for the first operation that failed.
void check_results(const Json& operations, const Json& results) {
    if (!results.is_array()) {
        throw OvsdbError("the database answered a transaction with " + results.dump());
    }
    for (std::size_t i = 0; i < results.size(); ++i) {
        if (!results[i].is_object() || !results[i].contains("error") || results[i]["error"].is_null()) {
            continue;
        }
        // A failed commit comes as one result more than there are operations.
        const auto what = i < operations.size()
                              ? fmt::format("{} in {}", operations[i].value("op", std::string()),
                                            operations[i].value("table", std::string("?")))
                              : std::string("the commit");
        throw OvsdbError(
            fmt::format("the database of the switch refuses {}: {}", what, error_text(results[i])));
    }
}

}  // namespace

Ovsdb::Ovsdb(IoLoop& loop, const std::filesystem::path& path, const Deadline& deadline,
             std::shared_ptr<Interrupt> interrupt)
    : interrupt_(std::move(interrupt)),
      rpc_(loop, connect_unix(path, deadline, interrupt_.get()), "the switch's database") {}

Json Ovsdb::transact(const Json& operations, const Deadline& deadline) {
    Json parameters = Json::array({database});
    for (const auto& operation : operations) {
        parameters.push_back(operation);
    }
    auto results = rpc_.call("transact", parameters, deadline, interrupt_.get());
    check_results(operations, results);
    return results;
}

Json Ovsdb::configure(const Json& operations, const Deadline& deadline) {
    const std::lock_guard lock(configuring_);
    auto all = operations;
    all.push_back({{"op", "mutate"},
                   {"table", database},
                   {"where", Json::array()},
                   {"mutations", Json::array({Json::array({"next_cfg", "+=", 1})})}});
    all.push_back(
        {{"op", "select"}, {"table", database}, {"where", Json::array()}, {"columns", {"next_cfg"}}});
    auto results = transact(all, deadline);
    const auto rows = results.back().value("rows", Json::array());
    if (rows.empty()) {
        throw OvsdbError("the database of the switch has no row for the switch");
    }
    const Json wanted{{"cur_cfg", rows[0]["next_cfg"]}};
    const auto patience = std::min(deadline.remaining().count() * 1000, longest_wait);
    try {
        transact(Json::array({{{"op", "wait"},
                               {"timeout", static_cast<std::int64_t>(patience)},
                               {"table", database},
                               {"where", Json::array()},
                               {"columns", {"cur_cfg"}},
                               {"until", "=="},
                               {"rows", Json::array({wanted})}}}),
                 deadline);
    } catch (const OvsdbError&) {
        throw TimeoutError(fmt::format("the switch did not take up its configuration within {:g} s",
                                       deadline.total().count()));
    }
    return results;
}

Json ovsdb_map(const std::map<std::string, std::string>& entries) {
    Json pairs = Json::array();
    for (const auto& entry : entries) {
        pairs.push_back(Json::array({entry.first, entry.second}));
    }
    return Json::array({"map", pairs});
}

Json ovsdb_set(const std::vector<Json>& members) {
    return Json::array({"set", members});
}

Json ovsdb_named(const std::string& name) {
    return Json::array({Json::array({"name", "==", name})});
}

}  // namespace vt::packet

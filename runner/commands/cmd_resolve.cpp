// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/commands/cmd_resolve.hpp"

#include "resolver/data_dir.hpp"
#include "resolver/resolver.hpp"
#include "resolver/saved_config.hpp"
#include "runner/commands/list_ticker.hpp"
#include "runner/support/error.hpp"
#include "runner/support/file.hpp"
#include "runner/support/printable.hpp"

#include <iostream>
#include <iterator>

#include <CLI/CLI.hpp>
#include <fmt/core.h>
#include <nlohmann/json.hpp>

namespace vt {

using nlohmann::json;

namespace {

/// The request cannot be read.
class RequestError : public Error {
  public:
    using Error::Error;
};

struct Request {
    std::vector<std::string> references;
    json settings;
    std::string data_dir;
};

Request read_request(std::istream& in) {
    std::string text{std::istreambuf_iterator<char>(in), {}};
    try {
        json object = json::parse(text);
        return {object.at("references").get<std::vector<std::string>>(),
                object.value("settings", json::object()), object.value("data_dir", "")};
    } catch (const json::exception& error) {
        throw RequestError(
            fmt::format("expected a JSON object with references, settings and data_dir on standard "
                        "input: {}",
                        error.what()));
    }
}

json answer(const resolver::Resolution& resolution) {
    json names = json::array();
    json full_names = json::array();
    json deps = json::object();
    for (const resolver::FoundTest& test : resolution.tests) {
        names.push_back(test.name);
        full_names.push_back(test.full_name);
        if (!test.dep.empty()) {
            deps[test.full_name] = test.dep;
        }
    }
    json result = {{"reference", resolution.reference},
                   {"names", std::move(names)},
                   {"full_names", std::move(full_names)}};
    if (!deps.empty()) {
        result["deps"] = std::move(deps);
    }
    if (!resolution.info.empty()) {
        result["info"] = printable_line(resolution.info);
    }
    return result;
}

json reply(const Request& request) {
    resolver::Selection selection =
        resolver::selection_from_settings(request.settings, resolver::default_data_dir(request.data_dir));
    const auto found = [&] {
        ListTicker ticker;
        return resolver::resolve(request.references, selection, resolver::config_cache_dir(),
                                 {resolver::list_limit_from_settings(request.settings), &ticker.progress()});
    }();
    if (const auto path = resolver::saved_config_path(request.settings)) {
        resolver::save_config(*path, selection, found);
    }
    json resolutions = json::array();
    for (const resolver::Resolution& resolution : found) {
        resolutions.push_back(answer(resolution));
    }
    if (!selection.config.empty()) {
        selection.config_digest = resolver::content_digest(read_file(selection.config));
    }
    return {{"selection", resolver::to_json(selection)}, {"resolutions", std::move(resolutions)}};
}

}  // namespace

void add_resolve_command(CLI::App& app, int& exit_status) {
    CLI::App* command = app.add_subcommand("resolve", "Resolves references for Avocado: JSON in, JSON out");
    command->callback([&exit_status] {
        json result;
        exit_status = 0;
        try {
            result = reply(read_request(std::cin));
        } catch (const RequestError& error) {
            fmt::print(stderr, "avocado-runner-vt resolve: {}\n", printable(error.what()));
            exit_status = 2;
            return;
        } catch (const resolver::NotBootstrappedError& error) {
            result = {{"error", printable(error.what())}};
        } catch (const resolver::SelectionError& error) {
            // As Avocado does with its own options, nothing goes on with a value that cannot be.
            result = {{"error", printable(error.what())}, {"bad_value", true}};
        } catch (const std::exception& error) {
            result = {{"error", printable(error.what())}};
        }
        std::cout << result.dump(-1, ' ', false, json::error_handler_t::replace) << std::endl;
    });
}

}  // namespace vt

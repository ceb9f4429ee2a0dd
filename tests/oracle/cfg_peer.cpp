// SPDX-License-Identifier: GPL-2.0-or-later
/// \file cfg_peer.cpp
/// The engine's side of the comparison with upstream's parser: reads one request a line from standard input,
/// writes one answer a line. Thousands of small configurations a second go through one process, and keys keep
/// their insertion order, which the canonical JSON of the command line does not show.
///
/// Request: {"inputs": [[kind, text, value], …], "defaults": bool, "expand": [name, …], "limit":
/// dictionaries}. Answer: {"dicts": [[[key, value], …], …]} or {"error": text, "file": …, "line": …}.
///
/// With "explain": N the answer is {"explained": [{"name": …, "keys": {key: {"value": …, "steps": […]}}},
/// …]}, all keys of each dictionary that has a key which none before it had, and of every Nth one.
#include "cfg/errors.hpp"
#include "cfg/expander.hpp"
#include "cfg/explain.hpp"
#include "cfg/parser.hpp"

#include <iostream>
#include <set>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace {

using nlohmann::json;
using vt::cfg::Input;

Input input_of(const json& request) {
    const std::string kind = request.at(0);
    const std::string text = request.at(1);
    if (kind == "file") {
        return Input::file(text);
    }
    if (kind == "only") {
        return Input::only(text);
    }
    if (kind == "no") {
        return Input::no(text);
    }
    return kind == "assign" ? Input::assign(text, request.at(2)) : Input::string(text);
}

json map_of(const std::vector<std::pair<std::string_view, std::string_view>>& map) {
    json result = json::array();
    for (const auto& [file, labels] : map) {
        result.push_back({file, labels});
    }
    return result;
}

json dictionary_of(const vt::cfg::Dictionary& dictionary) {
    json result = json::array();
    result.push_back({"name", dictionary.name});
    result.push_back({"dep", dictionary.dep});
    result.push_back({"shortname", dictionary.shortname});
    const auto maps = [&] {
        if (!dictionary.name_map.empty()) {
            result.push_back({"_name_map_file", map_of(dictionary.name_map)});
            result.push_back({"_short_name_map_file", map_of(dictionary.short_name_map)});
        }
    };
    for (std::size_t i = 0; i < dictionary.entries.size(); ++i) {
        if (i == dictionary.maps_position) {
            maps();
        }
        result.push_back({dictionary.entries[i].key, dictionary.entries[i].value});
    }
    if (dictionary.maps_position >= dictionary.entries.size()) {
        maps();
    }
    return result;
}

json explanation_of(const vt::cfg::Explanation& explanation) {
    json keys = json::object();
    for (const auto& key : explanation.keys) {
        json steps = json::array();
        for (const auto& step : key.steps) {
            steps.push_back({{"in_force", step.fate == vt::cfg::ExplainStep::Fate::in_force},
                             {"text", step.text},
                             {"column", step.where.column},
                             {"value", step.value},
                             {"notes", step.notes}});
        }
        keys[key.key] = {{"value", key.value.value_or("")}, {"steps", std::move(steps)}};
    }
    return {{"name", explanation.name}, {"keys", std::move(keys)}};
}

json explain_all(const vt::cfg::Program& program, std::size_t every, std::size_t limit) {
    json result = json::array();
    std::set<std::string, std::less<>> seen;
    std::set<std::string, std::less<>> names;
    vt::cfg::Expander expander(program);
    for (std::size_t number = 0; number < limit; ++number) {
        const vt::cfg::Dictionary* dictionary = expander.next();
        if (dictionary == nullptr) {
            break;
        }
        // Of dictionaries with the same name, the first is explained.
        if (!names.emplace(dictionary->name).second) {
            continue;
        }
        std::vector<std::string> fresh;
        for (const auto& entry : dictionary->entries) {
            if (seen.emplace(entry.key).second) {
                fresh.emplace_back(entry.key);
            }
        }
        if (number % every == 0) {
            fresh.clear();  // all of them
        } else if (fresh.empty()) {
            continue;
        }
        result.push_back(explanation_of(vt::cfg::explain(program, dictionary->name, fresh)));
    }
    return result;
}

json answer(const json& request) {
    try {
        vt::cfg::Options options;
        options.defaults = request.value("defaults", false);
        options.expand_defaults = request.value("expand", std::vector<std::string>());
        std::vector<Input> inputs;
        for (const json& input : request.at("inputs")) {
            inputs.push_back(input_of(input));
        }
        const vt::cfg::Program program = vt::cfg::parse(inputs, options);
        const std::size_t limit = request.value("limit", std::size_t{1000});
        if (request.contains("explain")) {
            return {{"explained", explain_all(program, request.at("explain"), limit)}};
        }
        vt::cfg::Expander expander(program);
        json dictionaries = json::array();
        while (dictionaries.size() < limit) {
            const vt::cfg::Dictionary* dictionary = expander.next();
            if (dictionary == nullptr) {
                break;
            }
            dictionaries.push_back(dictionary_of(*dictionary));
        }
        return {{"dicts", dictionaries}};
    } catch (const vt::cfg::ParserError& error) {
        const auto& where = error.report().where;
        return {{"error", error.what()}, {"file", where.file}, {"line", where.line}};
    } catch (const vt::Error& error) {
        return {{"error", error.what()}, {"file", ""}, {"line", 0}};
    }
}

}  // namespace

int main() {
    std::ios::sync_with_stdio(false);
    std::string line;
    while (std::getline(std::cin, line)) {
        std::cout << answer(json::parse(line)).dump(-1, ' ', false, json::error_handler_t::replace)
                  << std::endl;
    }
}

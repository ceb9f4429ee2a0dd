// SPDX-License-Identifier: GPL-2.0-or-later
/// \file cfg_peer.cpp
/// The engine's side of the comparison with upstream's parser: reads one request a line from standard input,
/// writes one answer a line. Thousands of small configurations a second go through one process, and keys keep
/// their insertion order, which the canonical JSON of the command line does not show.
///
/// Request: {"inputs": [[kind, text, value], …], "defaults": bool, "expand": [name, …], "limit":
/// dictionaries}. Answer: {"dicts": [[[key, value], …], …]} or {"error": text, "file": …, "line": …}.
#include "cfg/errors.hpp"
#include "cfg/expander.hpp"
#include "cfg/parser.hpp"

#include <iostream>
#include <string>

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

json answer(const json& request) {
    try {
        vt::cfg::Options options;
        options.defaults = request.value("defaults", false);
        options.expand_defaults = request.value("expand", std::vector<std::string>());
        std::vector<Input> inputs;
        for (const json& input : request.at("inputs")) {
            inputs.push_back(input_of(input));
        }
        vt::cfg::Expander expander(vt::cfg::parse(inputs, options));
        json dictionaries = json::array();
        const std::size_t limit = request.value("limit", std::size_t{1000});
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

// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/commands/cmd_iotests.hpp"
#include "runner/support/strings.hpp"

#include <algorithm>
#include <functional>
#include <map>

#include <fmt/core.h>
#include <unistd.h>

namespace vt {
namespace {

using Words = std::vector<std::string>;

/// Options with a value, and what they set.
std::map<std::string, std::function<void(const std::string&)>> options_of(IotestsRequest& request) {
    auto& settings = request.settings;
    auto& selection = request.selection;
    const auto number = [](const std::string& option, const std::string& value) {
        char* end = nullptr;
        const double count = std::strtod(value.c_str(), &end);
        if (end == value.c_str() || *end != '\0' || !(count > 0)) {
            throw Error(fmt::format("{} wants a number above 0, not \"{}\"", option, value));
        }
        return count;
    };
    return {
        {"-c", [&](const auto& value) { settings.cache_mode = value; }},
        {"-i", [&](const auto& value) { settings.aio_mode = value; }},
        {"-o", [&](const auto& value) { settings.image_options = value; }},
        {"-g", [&](const auto& value) { selection.groups = split(value, ','); }},
        {"--groups", [&](const auto& value) { selection.groups = split(value, ','); }},
        {"-x", [&](const auto& value) { selection.excluded = split(value, ','); }},
        {"--exclude-groups", [&](const auto& value) { selection.excluded = split(value, ','); }},
        {"--start-from", [&](const auto& value) { selection.start_from = value; }},
        {"-j", [&, number](const auto& value) { request.jobs = static_cast<int>(number("-j", value)); }},
        {"--color",
         [&](const auto& value) { request.color = value == "on" || (value == "auto" && request.color); }},
        {"--source", [&](const auto& value) { request.source = value; }},
        {"--results", [&](const auto& value) { request.results = value; }},
        {"--machine", [&](const auto& value) { settings.machine = value; }},
        {"--timeout",
         [&, number](const auto& value) { settings.timeout = Seconds(number("--timeout", value)); }},
        {"--iotests-module", [&](const auto& value) { settings.module = value; }},
        {"--iotests-api", [&](const auto& value) { settings.api = value; }},
    };
}

std::map<std::string, std::function<void()>> flags_of(IotestsRequest& request) {
    auto& settings = request.settings;
    std::map<std::string, std::function<void()>> flags{
        {"-n", [&] { request.dry_run = true; }},
        {"--dry-run", [&] { request.dry_run = true; }},
        {"-d", [&] { settings.debug = true; }},
        {"-p", [&] { settings.print = true; }},
        {"-gdb", [&] { settings.gdb = true; }},
        {"-valgrind", [&] { settings.valgrind = true; }},
        {"-misalign", [&] { settings.misalign = true; }},
        {"-tap", [&] { request.tap = true; }},
        {"-nocache", [&] { settings.cache_mode = "none"; }},
        {"-h", [&] { request.help = true; }},
        {"--help", [&] { request.help = true; }},
    };
    for (const auto& name : block::known_formats()) {
        flags["-" + name] = [&settings, name] { settings.format = name; };
    }
    for (const auto& name : block::known_protocols()) {
        flags["-" + name] = [&settings, name] { settings.protocol = name; };
    }
    return flags;
}

void check(const IotestsRequest& request) {
    const auto& settings = request.settings;
    const auto one_of = [](const std::string& option, const std::string& value, const Words& known) {
        if (std::find(known.begin(), known.end(), value) == known.end()) {
            throw Error(fmt::format("{} should be one of {}, not \"{}\"", option, join(known, ", "), value));
        }
    };
    one_of("--iotests-module", settings.module, {"ours", "theirs"});
    one_of("--iotests-api", settings.api, {"", "6.1", "7.2"});
    if (settings.gdb && settings.valgrind) {
        throw Error("-gdb and -valgrind exclude each other");
    }
}

}  // namespace

IotestsRequest parse_iotests(const Words& words) {
    IotestsRequest request;
    request.color = ::isatty(STDOUT_FILENO) == 1;
    const auto options = options_of(request);
    const auto flags = flags_of(request);
    for (std::size_t i = 0; i < words.size(); ++i) {
        const auto& word = words[i];
        const auto equals = word.find('=');
        if (word == "--") {
            request.command.assign(words.begin() + static_cast<std::ptrdiff_t>(i) + 1, words.end());
            break;
        }
        if (const auto flag = flags.find(word); flag != flags.end()) {
            flag->second();
        } else if (const auto option = options.find(word); option != options.end()) {
            if (++i == words.size()) {
                throw Error(word + " wants a value");
            }
            option->second(words[i]);
        } else if (const auto joined = options.find(word.substr(0, equals));
                   word.starts_with("--") && equals != std::string::npos && joined != options.end()) {
            joined->second(word.substr(equals + 1));
        } else if (word.size() > 2 && word.starts_with("-j")) {
            options.at("-j")(word.substr(2));
        } else if (word.starts_with("-")) {
            throw Error(fmt::format("unknown option {}; see avocado-runner-vt iotests -h", word));
        } else {
            request.selection.names.push_back(word);
        }
    }
    check(request);
    return request;
}

}  // namespace vt

// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/monitor/redact.hpp"

#include "runner/support/strings.hpp"

#include <array>
#include <string_view>

#include <nlohmann/json.hpp>

namespace vt {
namespace {

constexpr const char* hidden = "***";

bool is_secret_object(const nlohmann::json& arguments) {
    const auto type = arguments.value("qom-type", nlohmann::json());
    return type.is_string() && type.get<std::string>().rfind("secret", 0) == 0;
}

void hide_in(nlohmann::json& arguments, const std::string& command) {
    const auto hide = [&](nlohmann::json& object, const char* key) {
        const auto found = object.find(key);
        if (found != object.end()) {
            *found = hidden;
        }
    };
    hide(arguments, "password");
    if (is_secret_object(arguments)) {
        hide(arguments, "data");
        const auto props = arguments.find("props");
        if (props != arguments.end() && props->is_object()) {
            hide(*props, "data");
        }
    }
    const auto line = arguments.find("command-line");
    if (command == "human-monitor-command" && line != arguments.end() && line->is_string()) {
        *line = redact_line(line->get<std::string>());
    }
    if (command == "change") {
        hide(arguments, "arg");
    }
}

}  // namespace

nlohmann::json redact(nlohmann::json command) {
    const auto arguments = command.find("arguments");
    const auto name = command.value("execute", nlohmann::json());
    if (arguments != command.end() && arguments->is_object()) {
        hide_in(*arguments, name.is_string() ? name.get<std::string>() : std::string());
    }
    return command;
}

std::string redact_line(const std::string& line) {
    const auto words = split_words(line);
    if (words.size() > 2 && words[0] == "set_password") {
        return "set_password " + words[1] + " " + hidden;
    }
    if (words.size() > 2 && words[0] == "change" && words[1] == "vnc") {
        return std::string("change vnc password ") + hidden;
    }
    if (!words.empty() && words[0] == "object_add" && line.find("secret") != std::string::npos) {
        return std::string("object_add secret… ") + hidden;
    }
    return line;
}

}  // namespace vt

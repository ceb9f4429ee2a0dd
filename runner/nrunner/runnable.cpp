// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/nrunner/runnable.hpp"

#include "runner/nrunner/base64.hpp"
#include "runner/nrunner/recipe_json.hpp"
#include "runner/support/file.hpp"
#include "runner/support/strings.hpp"

#include <algorithm>
#include <iterator>
#include <map>
#include <set>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

namespace vt::nrunner {
namespace {

using nlohmann::json;

std::string dump(const RecipeJson& value) {
    return value.dump(-1, ' ', false, RecipeJson::error_handler_t::replace);
}

/// A JSON value as a keyword argument: strings stay text.
KeyValue keyword(const std::string& key, const RecipeJson& value) {
    if (value.is_string()) {
        return {key, value.get<std::string>(), false};
    }
    return {key, dump(value), true};
}

/// The argument's JSON text, whichever way it came.
std::string json_text(const KeyValue& argument) {
    return argument.is_json ? argument.value : dump(RecipeJson(argument.value));
}

/// Files \p argument where it belongs; a later one of the same name replaces the earlier.
void add_keyword(Runnable& runnable, KeyValue argument) {
    if (argument.key == "output_dir") {
        if (argument.is_json && argument.value != "null") {
            throw UsageError("output_dir should be a path, but it is " + argument.value);
        }
        runnable.output_dir = argument.is_json ? std::string() : std::move(argument.value);
    } else if (argument.key == "tags") {
        runnable.tags = json_text(argument);
    } else if (argument.key == "variant") {
        runnable.variant = json_text(argument);
    } else if (argument.key == "dependencies" || argument.key == "assets") {
        // Avocado's own business, done before a runner is started.
    } else {
        runnable.kwargs.push_back(std::move(argument));
    }
}

/// Of equal keys the last value wins and the first place stays, as in a Python dictionary.
void merge_equal_keys(std::vector<KeyValue>& arguments) {
    std::map<std::string, std::size_t, std::less<>> places;
    std::vector<KeyValue> merged;
    for (auto& argument : arguments) {
        const auto [place, is_new] = places.emplace(argument.key, merged.size());
        if (is_new) {
            merged.push_back(std::move(argument));
        } else {
            merged[place->second] = std::move(argument);
        }
    }
    arguments = std::move(merged);
}

/// The text of a KEY=VALUE argument's value.
KeyValue decode_keyword(const std::string& token) {
    const auto sign = token.find('=');
    KeyValue argument{token.substr(0, sign), token.substr(sign + 1), false};
    constexpr std::string_view prefix = "json:";
    if (argument.value.starts_with(prefix)) {
        try {
            return keyword(argument.key,
                           parse_json(std::string_view(argument.value).substr(prefix.size()), argument.key));
        } catch (const NulError&) {
            throw;
        } catch (const UsageError&) {
            return argument;  // Avocado does not escape a string that happens to begin so
        }
    }
    return argument;
}

std::string decode_positional(const std::string& value) {
    constexpr std::string_view prefix = "base64:";
    if (!value.starts_with(prefix)) {
        return value;
    }
    const auto bytes = decode_base64(std::string_view(value).substr(prefix.size()));
    if (!bytes) {
        throw UsageError(fmt::format("the argument {} is no base64 after its prefix", value));
    }
    refuse_nul(*bytes, "a positional argument");
    return *bytes;
}

std::string checked_config(std::string_view text) {
    const auto config = parse_json(text, "the config (-c)");
    if (!config.is_object()) {
        throw UsageError(
            fmt::format("the config (-c) should be a JSON object, but it is {}", config.type_name()));
    }
    return dump(config);
}

/// An option of the command line.
struct Option {
    std::string_view name;
    char letter;
    bool task_only;
};
constexpr Option options[] = {
    {"--kind", 'k', false},      {"--uri", 'u', false},       {"--config", 'c', false},
    {"--arg", 'a', false},       {"--identifier", 'i', true}, {"--category", 't', true},
    {"--status-uri", 's', true}, {"--job-id", 'j', true},
};

/// What a token of the command line is.
struct Token {
    const Option* option = nullptr;    ///< nothing: a keyword argument
    std::optional<std::string> value;  ///< glued to the option
};

/// Avocado always gives options and their values as two words; `--option=value` and `-oVALUE` are for people.
/// Any other word with an equals sign is a keyword argument, even one that begins with a dash.
Token read_token(const std::string& word, Form form) {
    for (const auto& option : options) {
        if (option.task_only && form != Form::task) {
            continue;
        }
        const std::string letter{'-', option.letter};
        if (word == letter || word == option.name) {
            return {&option, std::nullopt};
        }
        if (word.starts_with(std::string(option.name) + "=")) {
            return {&option, word.substr(option.name.size() + 1)};
        }
        if (word.starts_with(letter) && word.find('=') == std::string::npos) {
            return {&option, word.substr(2)};
        }
    }
    return {};
}

void set_option(Task& task, const Option& option, const std::string& value, std::set<char>& given) {
    given.insert(option.letter);
    switch (option.letter) {
        case 'k':
            task.runnable.kind = value;
            break;
        case 'u':
            task.runnable.uri = value;
            break;
        case 'c':
            task.runnable.config = checked_config(value);
            break;
        case 'a':
            task.runnable.args.push_back(decode_positional(value));
            break;
        case 'i':
            task.id = value;
            break;
        case 't':
            task.category = value;
            break;
        case 's':
            task.status_uris.push_back(value);
            break;
        default:
            task.job_id = value;
            break;
    }
}

/// A member that has to be a string where it is there.
std::string text_member(const RecipeJson& object, const char* name) {
    const auto found = object.find(name);
    if (found == object.end() || found->is_null()) {
        return {};
    }
    if (!found->is_string()) {
        throw UsageError(
            fmt::format("\"{}\" of the recipe should be a string, but it is {}", name, found->type_name()));
    }
    return found->get<std::string>();
}

Runnable runnable_from_object(const RecipeJson& recipe) {
    if (!recipe.is_object()) {
        throw UsageError(
            fmt::format("a runnable's recipe should be a JSON object, but it is {}", recipe.type_name()));
    }
    static const std::set<std::string, std::less<>> allowed{"kind",   "uri",    "args",
                                                            "kwargs", "config", "identifier"};
    for (const auto& member : recipe.items()) {
        if (!allowed.contains(member.key())) {
            throw UsageError(fmt::format("a runnable's recipe has no member \"{}\"; it may have {}",
                                         member.key(), join({allowed.begin(), allowed.end()}, ", ")));
        }
    }
    Runnable runnable;
    runnable.kind = text_member(recipe, "kind");
    if (runnable.kind.empty()) {
        throw UsageError("a runnable's recipe needs a \"kind\"");
    }
    runnable.uri = text_member(recipe, "uri");
    runnable.identifier = text_member(recipe, "identifier");
    if (const auto args = recipe.find("args"); args != recipe.end() && !args->is_null()) {
        if (!args->is_array()) {
            throw UsageError("\"args\" of the recipe should be a list of strings");
        }
        for (const auto& value : *args) {
            runnable.args.push_back(value.is_string() ? value.get<std::string>() : dump(value));
        }
    }
    if (const auto config = recipe.find("config"); config != recipe.end() && !config->is_null()) {
        runnable.config = checked_config(dump(*config));
    }
    if (const auto kwargs = recipe.find("kwargs"); kwargs != recipe.end() && !kwargs->is_null()) {
        if (!kwargs->is_object()) {
            throw UsageError("\"kwargs\" of the recipe should be an object");
        }
        for (const auto& member : kwargs->items()) {
            add_keyword(runnable, keyword(member.key(), member.value()));
        }
        merge_equal_keys(runnable.kwargs);
    }
    return runnable;
}

/// The servers that the settings name, where the command line named none.
std::vector<std::string> servers_of(const RecipeJson& value) {
    std::vector<std::string> uris;
    if (value.is_string()) {
        uris.push_back(value.get<std::string>());
    } else if (value.is_array()) {
        for (const auto& uri : value) {
            if (uri.is_string()) {
                uris.push_back(uri.get<std::string>());
            }
        }
    }
    return uris;
}

void complete(Task& task) {
    if (task.status_uris.empty()) {
        task.status_uris = servers_of(RecipeJson(task.runnable.setting("run.status_server_uri")));
    }
    if (task.id.empty()) {
        task.id = trim(read_file("/proc/sys/kernel/random/uuid", 100));
    }
}

}  // namespace

json Runnable::kwargs_json() const {
    auto object = json::object();
    for (const auto& argument : kwargs) {
        object[argument.key] = argument.is_json ? json::parse(argument.value) : json(argument.value);
    }
    return object;
}

json Runnable::setting(std::string_view name) const {
    const auto object = json::parse(config, nullptr, false);
    if (!object.is_object()) {
        return nullptr;
    }
    const auto found = object.find(std::string(name));
    return found == object.end() ? json() : *found;
}

Task task_from_arguments(const std::vector<std::string>& arguments, Form form,
                         const std::string& default_kind) {
    Task task;
    std::set<char> given;
    for (auto word = arguments.begin(); word != arguments.end(); ++word) {
        const auto token = read_token(*word, form);
        if (token.option != nullptr) {
            if (!token.value && std::next(word) == arguments.end()) {
                throw UsageError(fmt::format("{} needs a value", *word));
            }
            set_option(task, *token.option, token.value ? *token.value : *++word, given);
        } else if (word->find('=') != std::string::npos) {
            add_keyword(task.runnable, decode_keyword(*word));
        } else if (*word != "--") {
            throw UsageError(fmt::format("\"{}\" is neither an option nor KEY=VALUE", *word));
        }
    }
    merge_equal_keys(task.runnable.kwargs);
    if (task.runnable.kind.empty()) {
        if (default_kind.empty()) {
            throw UsageError("the kind of runnable (-k) is missing");
        }
        task.runnable.kind = default_kind;
    }
    if (form == Form::task) {
        if (!given.contains('i') || task.id.empty()) {
            throw UsageError("the task's identifier (-i) is missing");
        }
        complete(task);
    }
    return task;
}

Runnable runnable_from_recipe(std::string_view text) {
    return runnable_from_object(parse_json(text, "the recipe"));
}

Task task_from_recipe(std::string_view text) {
    const auto recipe = parse_json(text, "the recipe");
    if (!recipe.is_object() || !recipe.contains("runnable")) {
        throw UsageError("a task's recipe should be a JSON object with a member \"runnable\"");
    }
    Task task;
    task.runnable = runnable_from_object(recipe["runnable"]);
    task.id = text_member(recipe, "id");
    task.job_id = text_member(recipe, "job_id");
    if (const auto category = text_member(recipe, "category"); !category.empty()) {
        task.category = category;
    }
    if (recipe.contains("status_uris")) {
        task.status_uris = servers_of(recipe["status_uris"]);
    }
    complete(task);
    return task;
}

std::string usage(Form form, const std::string& program) {
    std::string text =
        fmt::format("usage: {} {}", program, form == Form::task ? "task-run -i ID" : "runnable-run");
    if (form == Form::task) {
        text += " [-t CATEGORY] [-s STATUS_URI]... [-j JOB_ID]";
    }
    return text + " [-k KIND] [-u URI] [-c CONFIG] [-a ARG]... [KEY=VALUE]...\n";
}

}  // namespace vt::nrunner

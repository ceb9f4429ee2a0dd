// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// A runnable and a task as Avocado describes them: from a command line or from a recipe.
///
/// The formats are Avocado 113's (avocado.core.nrunner). Keyword arguments keep their order, since in a fat
/// runnable they are the test's parameters, where order has a meaning. Recipes keep theirs too.
///
/// What is ugly: a keyword argument whose text begins with `json:` and is no JSON may be a plain string,
/// since Avocado does not escape those; it is then taken as one.
#pragma once

#include "runner/support/error.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace vt::nrunner {

/// A command line or a recipe is not what the protocol wants; what() says what, and what would be.
class UsageError : public Error {
  public:
    using Error::Error;
};

/// One keyword argument.
struct KeyValue {
    std::string key;
    std::string value;     ///< the text, or JSON text
    bool is_json = false;  ///< the value came as JSON and is no string

    bool operator==(const KeyValue&) const = default;
};

/// What to run.
struct Runnable {
    std::string kind;
    std::string uri;  ///< empty: none
    std::vector<std::string> args;
    std::vector<KeyValue> kwargs;  ///< without those below
    std::string config = "{}";     ///< JSON object: the settings named in `configuration_used`
    std::string identifier;        ///< empty: none (recipes only)
    std::string tags;              ///< JSON; empty: none
    std::string variant;           ///< JSON; empty: none
    std::string output_dir;        ///< where results go; empty: not given

    /// The keyword arguments as one JSON object.
    nlohmann::json kwargs_json() const;
    /// A setting as JSON; null if it is not there.
    nlohmann::json setting(std::string_view name) const;

    bool operator==(const Runnable&) const = default;
};

/// A runnable to be run under an identifier, reporting to status servers.
struct Task {
    Runnable runnable;
    std::string id;
    std::string job_id;  ///< empty: none
    std::string category = "test";
    std::vector<std::string> status_uris;

    bool operator==(const Task&) const = default;
};

/// The commands that take a description of what to run.
enum class Form { runnable, task };

/// Parses the arguments of `runnable-run` or `task-run` (those after the command's name). \param default_kind
/// for a missing `-k`; empty: then it is an error. Throws UsageError.
Task task_from_arguments(const std::vector<std::string>& arguments, Form form,
                         const std::string& default_kind);

/// Parses a recipe: JSON text as Avocado writes it. Throws UsageError.
Runnable runnable_from_recipe(std::string_view text);
Task task_from_recipe(std::string_view text);

/// How the commands are called, for people.
std::string usage(Form form, const std::string& program);

}  // namespace vt::nrunner

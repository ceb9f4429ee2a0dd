// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/task/harness_body.hpp"

#include "runner/env/test_status.hpp"
#include "runner/python/python_loader.hpp"
#include "runner/task/verdict.hpp"

#include <filesystem>
#include <string>

#include <nlohmann/json.hpp>

namespace vt {
namespace {

namespace fs = std::filesystem;

/// Whose modules the test imports, as its runnable says.
std::string preference(const nrunner::Runnable& runnable) {
    const auto arguments = runnable.kwargs_json();
    const auto found = arguments.find("prefer");
    return found != arguments.end() && found->is_string() ? found->get<std::string>() : "own";
}

void run(const nrunner::BodyContext& body) {
    const auto& runnable = body.task().runnable;
    set_log_level(runnable);
    const auto [file, selection] = split_reference(runnable.uri);
    if (file.empty()) {
        throw TestError("the runnable names no file; a plan's or driver's uri is FILE or FILE:Class.method");
    }
    python::run_harness({runnable.kind, fs::absolute(file).lexically_normal(), selection, body.output_dir(),
                         preference(runnable)});
}

}  // namespace

std::pair<std::string, std::string> split_reference(std::string_view uri) {
    const auto colon = uri.rfind(':');
    std::error_code ignored;
    if (colon == std::string_view::npos || fs::is_regular_file(fs::path(uri), ignored)) {
        return {std::string(uri), {}};
    }
    return {std::string(uri.substr(0, colon)), std::string(uri.substr(colon + 1))};
}

nrunner::TestResult run_harness_test(nrunner::BodyContext& body) {
    try {
        run(body);
        return {};
    } catch (...) {
        return to_result(classify(std::current_exception()));
    }
}

}  // namespace vt

// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/commands/commands.hpp"
#include "runner/sharing/job_lock.hpp"
#include "runner/support/error.hpp"
#include "runner/support/printable.hpp"

#include <iostream>
#include <iterator>

#include <CLI/CLI.hpp>
#include <fmt/core.h>
#include <nlohmann/json.hpp>

namespace vt {

using nlohmann::json;

namespace {

json reply(const json& request) {
    if (const auto file = request.find("release"); file != request.end()) {
        release_job_lock(file->get<std::string>());
        return json::object();
    }
    const auto owner = ProcessId::of(request.at("pid").get<pid_t>());
    const auto lock =
        take_job_lock(request.at("dir").get<std::string>(), request.at("job").get<std::string>(), owner);
    auto answer = json{{"file", lock.file.string()}, {"warnings", json::array()}};
    for (const auto& warning : lock.warnings) {
        answer["warnings"].push_back(printable_line(warning));
    }
    return answer;
}

}  // namespace

void add_joblock_command(CLI::App& app, int& exit_status) {
    auto* command = app.add_subcommand("joblock", "Takes or releases the lock of a job: JSON in, JSON out");
    command->callback([&exit_status] {
        exit_status = 0;
        json answer;
        try {
            const std::string text{std::istreambuf_iterator<char>(std::cin), {}};
            answer = reply(json::parse(text));
        } catch (const json::exception& error) {
            fmt::print(stderr,
                       "avocado-runner-vt joblock: expected a JSON object with dir, job and pid, or with "
                       "release, on standard input: {}\n",
                       error.what());
            exit_status = 2;
            return;
        } catch (const std::exception& error) {
            answer = {{"error", printable_line(error.what())}};
        }
        std::cout << answer.dump(-1, ' ', false, json::error_handler_t::replace) << std::endl;
    });
}

}  // namespace vt

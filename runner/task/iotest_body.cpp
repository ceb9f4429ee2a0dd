// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/task/iotest_body.hpp"

#include "runner/env/test_status.hpp"
#include "runner/harness/block/script_run.hpp"
#include "runner/io/io_loop.hpp"
#include "runner/support/log.hpp"
#include "runner/support/runtime_dirs.hpp"
#include "runner/support/strings.hpp"
#include "runner/task/verdict.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <string>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace vt {
namespace {

namespace fs = std::filesystem;

std::string text_of(const nlohmann::json& value) {
    return value.is_string() ? value.get<std::string>() : value.dump();
}

bool flag_of(const std::string& key, const std::string& text) {
    if (text == "true" || text == "yes" || text == "on" || text == "1") {
        return true;
    }
    if (text.empty() || text == "false" || text == "no" || text == "off" || text == "0") {
        return false;
    }
    throw TestError(fmt::format("vt.iotests.{} should be yes or no, but it is \"{}\"", key, text));
}

void one_of(const std::string& key, const std::string& text, const std::vector<std::string>& known) {
    if (std::find(known.begin(), known.end(), text) == known.end()) {
        throw TestError(
            fmt::format("vt.iotests.{} should be one of {}, but it is \"{}\"", key, join(known, ", "), text));
    }
}

/// Keyword arguments by name, as text.
std::map<std::string, std::string> arguments_of(const nrunner::Runnable& runnable) {
    std::map<std::string, std::string> found;
    const auto arguments = runnable.kwargs_json();
    for (const auto& [key, value] : arguments.items()) {
        found[key] = text_of(value);
    }
    return found;
}

block::Settings settings_of(std::map<std::string, std::string> given) {
    block::Settings settings;
    const auto take = [&](const char* key, const std::string& otherwise) {
        const auto at = given.find(key);
        return at == given.end() || at->second.empty() ? otherwise : at->second;
    };
    settings.format = take("format", settings.format);
    one_of("format", settings.format, block::known_formats());
    settings.protocol = take("protocol", settings.protocol);
    one_of("protocol", settings.protocol, block::known_protocols());
    settings.image_options = take("image_options", "");
    if (const auto mode = take("cache_mode", ""); !mode.empty()) {
        settings.cache_mode = mode;
    }
    settings.aio_mode = take("aio_mode", settings.aio_mode);
    settings.machine = take("machine", "");
    settings.programs.qemu = take("qemu", "");
    settings.programs.qemu_img = take("qemu_img", "");
    settings.programs.qemu_io = take("qemu_io", "");
    settings.programs.qemu_nbd = take("qemu_nbd", "");
    settings.programs.storage_daemon = take("storage_daemon", "");
    settings.gdb = flag_of("gdb", take("gdb", ""));
    settings.valgrind = flag_of("valgrind", take("valgrind", ""));
    settings.print = flag_of("print", take("print", ""));
    settings.debug = flag_of("debug", take("debug", ""));
    settings.module = take("module", settings.module);
    one_of("module", settings.module, {"ours", "theirs"});
    settings.api = take("api", "");
    one_of("api", settings.api, {"", "6.1", "7.2"});
    const auto timeout = take("timeout", "900");
    char* end = nullptr;
    settings.timeout = Seconds(std::strtod(timeout.c_str(), &end));
    if (*end != '\0' || !(settings.timeout.count() > 0)) {
        throw TestError(
            fmt::format("vt.iotests.timeout should be seconds above 0, but it is \"{}\"", timeout));
    }
    return settings;
}

nrunner::TestResult result_of(const block::ScriptResult& came) {
    for (const auto& remark : split(std::string(trim(came.remarks)), '\n')) {
        if (!trim(remark).empty()) {
            log::warning("{}", trim(remark));
        }
    }
    for (const auto& what : came.left_behind) {
        log::warning("left running, killed: {}", what);
    }
    for (const auto& core : came.cores) {
        log::warning("a program crashed; its core is {}", core);
    }
    nrunner::TestResult result;
    result.reason = came.reason;
    switch (came.verdict) {
        case block::Verdict::pass:
            break;
        case block::Verdict::fail:
            result.status = nrunner::Status::fail;
            result.fail_class = "TestFail";
            if (!came.difference.empty()) {
                log::error("the output is not the expected one:\n{}", came.difference);
            }
            break;
        case block::Verdict::not_run:
            result.status = nrunner::Status::skip;
            result.fail_class = "TestSkipError";
            break;
        case block::Verdict::error:
            result.status = nrunner::Status::error;
            result.fail_class = "TestError";
            break;
    }
    return result;
}

nrunner::TestResult run(const nrunner::BodyContext& body) {
    const auto& runnable = body.task().runnable;
    set_log_level(runnable);
    const auto script = block::Script::read(runnable.uri);
    if (!script) {
        throw TestError(
            fmt::format("{} is no block test that can be read: its first line should name bash or python3, "
                        "and it should use common.rc or import iotests",
                        runnable.uri.empty() ? "an empty name" : runnable.uri));
    }
    auto settings = settings_of(arguments_of(runnable));
    settings.programs.complete();
    const auto dirs = RuntimeDirs::make();
    const auto facts = block::Facts::of(settings.programs, user_cache_dir(dirs));
    if (!facts.qtest) {
        log::info("{} has no qtest accelerator: machines run under TCG, and execute nothing",
                  settings.programs.qemu.string());
    }
    IoLoop loop;
    block::RunContext context;
    context.journals = dirs.journal();
    context.sock_dirs = dirs.base;
    context.results = body.output_dir();
    context.on_line = [](std::string_view line) { log::info("{}", line); };
    return result_of(block::run_script(loop, *script, settings, facts, context));
}

}  // namespace

nrunner::TestResult run_iotest(nrunner::BodyContext& body) {
    try {
        return run(body);
    } catch (...) {
        return to_result(classify(std::current_exception()));
    }
}

}  // namespace vt

// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/caps/capabilities.hpp"
#include "runner/harness/block/settings.hpp"
#include "runner/process/process.hpp"
#include "runner/support/file.hpp"
#include "runner/support/log.hpp"
#include "runner/support/strings.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>

namespace vt::block {
namespace fs = std::filesystem;
namespace {

using Json = nlohmann::json;

constexpr int format_version = 3;  ///< of the cached file
constexpr Seconds patience{60};

/// What tells one build of a program from another without reading it.
std::string identity(const fs::path& program) {
    struct stat info {};
    if (::stat(program.c_str(), &info) != 0) {
        return program.string();
    }
    return fmt::format("{} {} {} {}.{}", program.string(), info.st_ino, info.st_size, info.st_mtim.tv_sec,
                       info.st_mtim.tv_nsec);
}

std::string answer(const fs::path& program, const std::vector<std::string>& arguments) {
    process::Command command;
    command.argv = {program};
    command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
    const auto completed = process::run(command, Deadline::after(patience));
    if (!completed.status.ok()) {
        throw SetupError(fmt::format("{} was to say what it can do, but ended with {}: {}", command.text(),
                                     completed.status.text(), trim(completed.err)));
    }
    return completed.out;
}

std::vector<std::string> image_formats_in(const std::string& help) {
    constexpr std::string_view heading = "Supported formats:";
    for (const auto& line : split(help, '\n')) {
        if (line.starts_with(heading)) {
            return split_words(std::string_view(line).substr(heading.size()));
        }
    }
    return {};
}

/// QMP does not tell which formats a build may only read.
Json ask(const Programs& programs) {
    return {{"version", format_version},
            {"drive_formats", to_valid_utf8(answer(programs.qemu, {"-drive", "format=help"}))},
            {"image_formats", image_formats_in(answer(programs.qemu_img, {"--help"}))}};
}

Capabilities capabilities_of(const fs::path& qemu, const fs::path& cache_dir) {
    try {
        return Capabilities::of(qemu, cache_dir, patience);
    } catch (const CapabilitiesError& error) {
        throw SetupError(fmt::format("block tests need a QEMU that says what it can do: {}", error.what()));
    }
}

std::optional<Json> cached(const fs::path& file) {
    std::error_code ignored;
    if (!fs::exists(file, ignored)) {
        return std::nullopt;
    }
    try {
        auto found = Json::parse(read_file(file));
        if (found.at("version") == format_version) {
            return found;
        }
    } catch (const std::exception& error) {
        log::debug("what {} holds is asked for again: {}", file.string(), error.what());
    }
    return std::nullopt;
}

}  // namespace

Facts Facts::of(const Programs& programs, const fs::path& cache_dir) {
    const auto capabilities = capabilities_of(programs.qemu, cache_dir);
    Facts facts;
    facts.qtest = capabilities.has_accelerator("qtest");
    if (const auto machine = capabilities.default_machine()) {
        facts.default_machine = machine->alias.empty() ? machine->name : machine->alias;
    }
    const auto devices = capabilities.names("device");
    // A module that comes or goes changes the devices, and the file's name with them.
    facts.cache = cache_dir / fmt::format("iotests-{}.json", content_digest(identity(programs.qemu) + "\n" +
                                                                            identity(programs.qemu_img) +
                                                                            "\n" + join(devices, " ")));
    auto found = cached(facts.cache);
    if (!found) {
        found = ask(programs);
        (*found)["devices"] = devices;
        write_file_atomically(facts.cache, found->dump(), 0600);
    }
    facts.drive_formats = found->at("drive_formats");
    facts.image_formats = found->at("image_formats").get<std::vector<std::string>>();
    return facts;
}

bool Facts::has_image_format(const std::string& format) const {
    return image_formats.empty() ||
           std::find(image_formats.begin(), image_formats.end(), format) != image_formats.end();
}

}  // namespace vt::block

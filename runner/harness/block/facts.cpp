// SPDX-License-Identifier: GPL-2.0-or-later
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

constexpr int format_version = 2;  ///< of the cached file
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

std::string default_machine_in(const std::string& help) {
    std::string name;
    const auto lines = split(help, '\n');
    for (const auto& line : lines) {
        if (line.ends_with(" (default)")) {
            name = line.substr(0, line.find(' '));
        }
    }
    const auto alias = fmt::format(" (alias of {})", name);
    for (const auto& line : lines) {
        if (!name.empty() && line.ends_with(alias)) {
            return line.substr(0, line.find(' '));
        }
    }
    return name;
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

bool has_qtest(const std::string& help) {
    const auto words = split_words(help);
    return std::find(words.begin(), words.end(), "qtest") != words.end();
}

Json ask(const Programs& programs) {
    return {{"version", format_version},
            {"qtest", has_qtest(answer(programs.qemu, {"-accel", "help"}))},
            {"machine", default_machine_in(answer(programs.qemu, {"-machine", "help"}))},
            {"devices", to_valid_utf8(answer(programs.qemu, {"-machine", "none", "-device", "help"}))},
            {"drive_formats", to_valid_utf8(answer(programs.qemu, {"-drive", "format=help"}))},
            {"image_formats", image_formats_in(answer(programs.qemu_img, {"--help"}))}};
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
    Facts facts;
    facts.cache = cache_dir / fmt::format("iotests-{}.json", content_digest(identity(programs.qemu) + "\n" +
                                                                            identity(programs.qemu_img)));
    auto found = cached(facts.cache);
    if (!found) {
        found = ask(programs);
        write_file_atomically(facts.cache, found->dump(), 0600);
    }
    facts.qtest = found->at("qtest");
    facts.default_machine = found->at("machine");
    facts.devices = found->at("devices");
    facts.drive_formats = found->at("drive_formats");
    facts.image_formats = found->at("image_formats").get<std::vector<std::string>>();
    return facts;
}

bool Facts::has_image_format(const std::string& format) const {
    return image_formats.empty() ||
           std::find(image_formats.begin(), image_formats.end(), format) != image_formats.end();
}

}  // namespace vt::block

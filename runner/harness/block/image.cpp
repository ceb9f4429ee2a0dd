// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/harness/block/image.hpp"

#include "runner/process/process.hpp"
#include "runner/support/error.hpp"
#include "runner/support/file.hpp"
#include "runner/support/strings.hpp"
#include "runner/support/unique_fd.hpp"

#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <fmt/format.h>

namespace vt::block {
namespace {

constexpr std::size_t sector_size = 512;

void put_number(std::string& sector, std::size_t at, std::uint32_t number) {
    for (int shift = 24; shift >= 0; shift -= 8) {
        sector[at++] = static_cast<char>(number >> shift & 0xff);
    }
}

}  // namespace

void create_marked_image(const std::filesystem::path& file, std::uint64_t size) {
    const UniqueFd fd(::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    if (!fd) {
        throw SystemError("cannot make " + file.string(), errno);
    }
    constexpr std::size_t at_once = std::size_t{1} << 20;
    std::string sector(sector_size, '\0');
    std::string pending;
    for (std::uint64_t offset = 0; offset < size; offset += sector_size) {
        const auto number = static_cast<std::uint32_t>(offset / sector_size);
        put_number(sector, 0, number);
        put_number(sector, sector_size - 4, number);
        pending += sector;
        if (pending.size() >= at_once || offset + sector_size >= size) {
            write_all(fd.get(), pending);
            pending.clear();
        }
    }
}

std::vector<std::string> create_arguments(const std::vector<std::string>& arguments,
                                          const std::string& format, const std::string& options,
                                          const std::string& luks_secret) {
    if (arguments.empty() || arguments.front() != "create") {
        return arguments;
    }
    std::string wanted;
    std::vector<std::string> image_options;
    std::vector<std::string> rest;
    for (std::size_t i = 1; i < arguments.size(); ++i) {
        const auto& word = arguments[i];
        const bool takes_next = (word == "-f" || word == "-o") && i + 1 < arguments.size();
        if (word.starts_with("-f") && (takes_next || word.size() > 2)) {
            wanted = takes_next ? arguments[++i] : word.substr(2);
        } else if (word.starts_with("-o") && (takes_next || word.size() > 2)) {
            image_options.push_back(takes_next ? arguments[++i] : word.substr(2));
        } else {
            rest.push_back(word);
        }
    }
    std::vector<std::string> result{"create"};
    if (!wanted.empty()) {
        result.insert(result.end(), {"-f", wanted});
    }
    // The run's options are for its format: a test may make images of others beside.
    if (!options.empty() && wanted == format) {
        image_options.insert(image_options.begin(), options);
    }
    const auto has_secret = [](const std::string& text) {
        return text.find("key-secret") != std::string::npos;
    };
    if (wanted == "luks" && std::none_of(image_options.begin(), image_options.end(), has_secret)) {
        result.insert(result.end(), {"--object", luks_secret});
        image_options.emplace_back("key-secret=keysec0");
    }
    for (const auto& option : image_options) {
        result.insert(result.end(), {"-o", option});
    }
    result.insert(result.end(), rest.begin(), rest.end());
    return result;
}

ToolResult Tools::img(const std::vector<std::string>& arguments, const Deadline& deadline, bool check) const {
    process::Command command;
    command.argv = {settings_.programs.qemu_img};
    const auto words = create_arguments(arguments, settings_.format, settings_.image_options, {});
    command.argv.insert(command.argv.end(), words.begin(), words.end());
    command.merge_stderr = true;
    auto done = process::run(command, deadline);
    if (done.status.signal != 0 || (check && !done.status.ok())) {
        done.err = done.out;  // what CommandError quotes
        throw process::CommandError(command, std::move(done));
    }
    return {done.status, done.out};
}

std::string Tools::io(const std::filesystem::path& image, const std::vector<std::string>& commands,
                      const Deadline& deadline, const std::string& format) const {
    process::Command command;
    command.argv = {settings_.programs.qemu_io, "--cache", settings_.cache(), "--aio",
                    settings_.aio_mode,         "-f",      format_or(format)};
    for (const auto& one : commands) {
        command.argv.insert(command.argv.end(), {"-c", one});
    }
    command.argv.push_back(image);
    command.merge_stderr = true;
    auto done = process::run(command, deadline);
    const bool failed = done.out.find(" failed") != std::string::npos;
    if (!done.status.ok() || failed) {
        done.err = done.out;
        if (done.status.ok()) {
            throw Error(fmt::format("{}: {}", command.text(), trim(done.out)));
        }
        throw process::CommandError(command, std::move(done));
    }
    return done.out;
}

void Tools::create(const std::filesystem::path& image, std::uint64_t size, const Deadline& deadline,
                   const std::string& format, const std::filesystem::path& backing,
                   const std::string& backing_format) const {
    std::vector<std::string> arguments{"create", "-q", "-f", format_or(format)};
    if (!backing.empty()) {
        arguments.insert(arguments.end(), {"-b", backing, "-F", format_or(backing_format)});
    }
    arguments.insert(arguments.end(), {image, std::to_string(size)});
    img(arguments, deadline);
}

bool Tools::same_content(const std::filesystem::path& one, const std::filesystem::path& other,
                         const Deadline& deadline, const std::string& format,
                         const std::string& other_format) const {
    const auto done =
        img({"compare", "-f", format_or(format), "-F", format_or(other_format), one, other}, deadline, false);
    if (done.status.code > 1) {
        throw Error(
            fmt::format("{} and {} cannot be compared: {}", one.string(), other.string(), trim(done.output)));
    }
    return done.status.ok();
}

void Tools::check(const std::filesystem::path& image, const Deadline& deadline,
                  const std::string& format) const {
    constexpr int leaks = 3;
    const auto done = img({"check", "-f", format_or(format), image}, deadline, false);
    if (!done.status.ok() && done.status.code != leaks) {
        throw Error(fmt::format("{} is damaged: {}", image.string(), trim(done.output)));
    }
}

}  // namespace vt::block

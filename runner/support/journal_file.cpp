// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/support/journal_file.hpp"

#include "runner/support/error.hpp"
#include "runner/support/file.hpp"
#include "runner/support/strings.hpp"
#include "runner/support/unique_fd.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include <fcntl.h>
#include <fmt/core.h>
#include <nlohmann/json.hpp>
#include <sys/file.h>
#include <sys/stat.h>

namespace vt {
namespace fs = std::filesystem;
namespace {

using nlohmann::json;

constexpr std::array kind_names{"process", "file",  "directory", "tap",
                                "bridge",  "mount", "setting",   "command"};

std::string dump(const json& line) {
    return line.dump(-1, ' ', false, json::error_handler_t::replace);
}

/// The number \p key of \p entry, 0 if it has none; foreign words must not stop a reader.
template <typename Number>
Number number(const json& entry, const char* key) {
    const auto found = entry.find(key);
    return found != entry.end() && found->is_number_integer() ? found->get<Number>() : Number{};
}

std::string word(const json& entry, const char* key) {
    const auto found = entry.find(key);
    return found != entry.end() && found->is_string() ? found->get<std::string>() : std::string();
}

bool flag(const json& entry, const char* key) {
    const auto found = entry.find(key);
    return found != entry.end() && found->is_boolean() && found->get<bool>();
}

/// The owner that a journal's file name tells; a pid of 0 if it is no journal.
ProcessId owner_of(const fs::path& path) {
    const auto parts = split(path.stem().string(), '-');
    ProcessId owner;
    if (path.extension() == ".jsonl" && parts.size() == 2) {
        std::from_chars(parts[0].data(), parts[0].data() + parts[0].size(), owner.pid);
        std::from_chars(parts[1].data(), parts[1].data() + parts[1].size(), owner.start_time);
    }
    return owner;
}

void take_line(JournalFile& file, const json& entry) {
    if (entry.contains("boot")) {
        file.world = World{word(entry, "boot"), number<std::uint64_t>(entry, "pids")};
        return;
    }
    const auto id = number<std::uint64_t>(entry, "id");
    if (id == 0) {
        return;  // not ours
    }
    if (flag(entry, "gone")) {
        file.open.erase(id);
    } else if (flag(entry, "kept")) {
        if (const auto found = file.open.find(id); found != file.open.end()) {
            found->second.kept = true;
        }
    } else if (const auto kind = std::find(kind_names.begin(), kind_names.end(), word(entry, "kind"));
               kind != kind_names.end()) {
        Resource resource;
        resource.kind = static_cast<Resource::Kind>(kind - kind_names.begin());
        resource.name = word(entry, "name");
        resource.process = {number<pid_t>(entry, "pid"), number<std::uint64_t>(entry, "start")};
        resource.value = word(entry, "value");
        resource.holder = {number<pid_t>(entry, "holder"), number<std::uint64_t>(entry, "holder_start")};
        file.open[id] = resource;
    }
}

}  // namespace

std::string Resource::text() const {
    const auto* kind_name = kind_names.at(static_cast<std::size_t>(kind));
    if (kind == Kind::command) {
        return "undoing by \"" + replace_all(name, "\n", " ") + "\"";
    }
    return kind == Kind::process ? fmt::format("{} {} (pid {})", kind_name, name, process.pid)
                                 : fmt::format("{} {}", kind_name, name);
}

World World::ours() {
    World world;
    try {
        world.boot = trim(read_file("/proc/sys/kernel/random/boot_id", 100));
    } catch (const Error&) {
        world.boot = "unknown";
    }
    struct stat info {};
    if (::stat("/proc/self/ns/pid", &info) == 0) {
        world.pids = info.st_ino;
    }
    return world;
}

std::optional<JournalFile> JournalFile::read(const fs::path& path) {
    JournalFile file;
    file.path = path;
    file.owner = owner_of(path);
    if (file.owner.pid == 0) {
        return std::nullopt;
    }
    std::string text;
    try {
        text = read_file(path);
    } catch (const Error&) {  // its owner has just ended well, or somebody else was faster
        return std::nullopt;
    }
    for (const auto& line : split(text, '\n')) {
        if (const auto entry = json::parse(line, nullptr, false); entry.is_object()) {
            take_line(file, entry);
        }
    }
    return file;
}

bool JournalFile::owner_lives() const {
    if (of_our_world()) {
        return owner.alive();
    }
    if (world && world->boot != World::ours().boot) {
        return false;
    }
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    return (fd && ::flock(fd.get(), LOCK_SH | LOCK_NB) != 0) || (!world && owner.alive());
}

bool JournalFile::of_our_world() const {
    return world == World::ours();
}

std::string first_line(const World& world) {
    return dump({{"boot", world.boot}, {"pids", world.pids}});
}

std::string line_of(std::uint64_t id, const Resource& resource) {
    json line{{"id", id},
              {"kind", kind_names.at(static_cast<std::size_t>(resource.kind))},
              {"name", resource.name}};
    if (resource.kind == Resource::Kind::process) {
        line["pid"] = resource.process.pid;
        line["start"] = resource.process.start_time;
    }
    if (resource.kind == Resource::Kind::setting) {
        line["value"] = resource.value;
    }
    if (resource.holder.pid != 0) {
        line["holder"] = resource.holder.pid;
        line["holder_start"] = resource.holder.start_time;
    }
    return dump(line);
}

std::string gone_line(std::uint64_t id) {
    return dump({{"id", id}, {"gone", true}});
}

std::string kept_line(std::uint64_t id) {
    return dump({{"id", id}, {"kept", true}});
}

}  // namespace vt

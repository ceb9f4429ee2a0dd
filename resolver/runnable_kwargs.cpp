// SPDX-License-Identifier: GPL-2.0-or-later
#include "resolver/runnable_kwargs.hpp"

#include "runner/support/error.hpp"
#include "runner/support/file.hpp"
#include "runner/support/runtime_dirs.hpp"
#include "runner/support/strings.hpp"
#include "runner/support/unique_fd.hpp"

#include <cerrno>
#include <string_view>

#include <fcntl.h>
#include <fmt/core.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>
#include <unistd.h>

namespace vt::resolver {

using nlohmann::json;
namespace fs = std::filesystem;

namespace {

constexpr std::string_view name_start = "selection-";
constexpr std::size_t largest_selection = std::size_t{32} << 20;

/// A selection that decides what runs is believed only from a file that nobody else can write or read.
json read_selection_file(const fs::path& path) {
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    struct stat info {};
    if (!fd || ::fstat(fd.get(), &info) != 0) {
        throw SelectionError(
            fmt::format("the test's selection {} cannot be read ({}); it goes with its job: resolve the test "
                        "anew, or use a "
                        "recipe, which has the selection in it",
                        path.native(), errno_text(errno)));
    }
    if (!S_ISREG(info.st_mode) || info.st_uid != ::geteuid() || (info.st_mode & 0077) != 0) {
        throw SelectionError(
            fmt::format("the test's selection {} should be a file of user {} with mode 0600, but it is owned "
                        "by user {} with "
                        "mode {:o}",
                        path.native(), ::geteuid(), info.st_uid, info.st_mode & 07777));
    }
    auto selection =
        json::parse(read_file(fmt::format("/proc/self/fd/{}", fd.get()), largest_selection), nullptr, false);
    if (selection.is_discarded()) {
        throw SelectionError(fmt::format("the test's selection {} is no JSON", path.native()));
    }
    return selection;
}

std::optional<json> selection_of(const json& kwargs) {
    if (const auto selection = kwargs.find("selection"); selection != kwargs.end()) {
        return *selection;
    }
    const auto file = kwargs.find("selection_file");
    if (file == kwargs.end()) {
        return std::nullopt;
    }
    if (!file->is_string()) {
        throw SelectionError("A test's 'selection_file' is no text");
    }
    return read_selection_file(file->get<std::string>());
}

}  // namespace

std::optional<SmallRunnable> small_runnable(const json& kwargs) {
    const auto selection = selection_of(kwargs);
    if (!selection) {
        return std::nullopt;
    }
    SmallRunnable result;
    result.selection = selection_from_json(*selection);
    if (auto name = kwargs.find("full_name"); name != kwargs.end()) {
        if (!name->is_string()) {
            throw SelectionError("A test's 'full_name' is no text");
        }
        result.full_name = name->get<std::string>();
    }
    return result;
}

fs::path write_selection_file(const json& selection, const ProcessId& owner) {
    const auto dirs = RuntimeDirs::make();
    // Not in the job's directory: there may be no guardian yet that takes that down, and never one.
    make_private_directory(dirs.selections());
    const auto path = dirs.selections() / fmt::format("{}{}.json", name_start, random_name());
    auto entry = Journal::open(dirs.journal())->add({Resource::Kind::file, path.native(), {}, false, owner});
    write_file_atomically(path, selection.dump(-1, ' ', false, json::error_handler_t::replace), 0600);
    entry.abandon();  // to whoever looks after the job has ended
    return path;
}

void remove_selection_file(const fs::path& file) {
    if (!file.filename().native().starts_with(name_start)) {
        throw Error(fmt::format("{} is no selection of a job", file.native()));
    }
    if (::unlink(file.c_str()) != 0 && errno != ENOENT) {
        throw SystemError("cannot remove " + file.native(), errno);
    }
    Journal::reap(RuntimeDirs::make().journal());
}

}  // namespace vt::resolver

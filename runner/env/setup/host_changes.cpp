// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/env/setup/host_changes.hpp"

#include "runner/support/error.hpp"
#include "runner/support/journal_takedown.hpp"
#include "runner/support/kernel_setting.hpp"
#include "runner/support/log.hpp"
#include "runner/support/strings.hpp"

#include <algorithm>
#include <cerrno>
#include <exception>
#include <utility>

#include <sys/mount.h>

namespace vt {

namespace fs = std::filesystem;

HostChanges::HostChanges(const fs::path& journal, fs::path root)
    : journal_(Journal::open(journal)), root_(std::move(root)) {}

HostChanges::~HostChanges() {
    try {
        undo();
    } catch (const std::exception& error) {
        log::warning("The host is not as it was before the test: {}", error.what());
    }
}

fs::path HostChanges::at(const fs::path& file) const {
    return root_ / file.relative_path();
}

std::string HostChanges::read(const fs::path& file) const {
    return kernel_setting::read(at(file));
}

void HostChanges::guard(const fs::path& file) {
    const auto path = at(file).native();
    if (std::any_of(changes_.begin(), changes_.end(), [&](const Change& change) {
            return change.resource.kind == Resource::Kind::setting && change.resource.name == path;
        })) {
        return;  // its first value is known
    }
    Resource resource{Resource::Kind::setting, path, {}, false};
    resource.value = kernel_setting::read(path);
    add(std::move(resource));
}

void HostChanges::set(const fs::path& file, std::string_view value) {
    guard(file);
    log::info("{}: {} (was {})", file.native(), value, read(file));
    kernel_setting::write(at(file), value);
}

void HostChanges::mount(const std::string& source, const fs::path& target, const std::string& type,
                        const std::string& options) {
    if (std::error_code error; !fs::exists(target, error)) {
        undo_by({"rmdir", target.native()});  // never with what is on it, should it stay mounted
        fs::create_directories(target);
    }
    makes(Resource::Kind::mount, target.native());
    if (::mount(source.c_str(), target.c_str(), type.c_str(), 0, options.c_str()) != 0) {
        const int problem = errno;
        changes_.pop_back();
        throw SystemError("cannot mount " + type + " on " + target.native(), problem);
    }
    log::info("{} ({}) is mounted on {}", type, options, target.native());
}

void HostChanges::undo_by(const std::vector<std::string>& argv) {
    add({Resource::Kind::command, join(argv, "\n"), {}, false});
}

void HostChanges::makes(Resource::Kind kind, const std::string& name) {
    add({kind, name, {}, false});
}

void HostChanges::add(Resource resource) {
    auto entry = journal_->add(resource);
    changes_.push_back({std::move(resource), std::move(entry)});
}

void HostChanges::undo() {
    std::exception_ptr first;
    while (!changes_.empty()) {
        try {
            take_down(changes_.back().resource);
            log::debug("Taken back: {}", changes_.back().resource.text());
        } catch (const std::exception& error) {
            log::error("{}", error.what());
            changes_.back().entry.abandon();  // whoever reaps tries again
            if (!first) {
                first = std::current_exception();
            }
        }
        changes_.pop_back();
    }
    if (first) {
        std::rethrow_exception(first);
    }
}

void HostChanges::leave() {
    changes_.clear();
}

}  // namespace vt

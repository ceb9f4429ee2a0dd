// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/bootstrap/selinux.hpp"

#include "runner/support/file.hpp"
#include "runner/support/log.hpp"
#include "runner/support/strings.hpp"

#include <array>

#include <fmt/core.h>
#include <sys/xattr.h>
#include <unistd.h>

namespace vt::bootstrap {

namespace fs = std::filesystem;
using process::Command;

namespace {

/// The third part of a context.
std::string type_in(const std::string& context) {
    std::vector<std::string> parts = split(context, ':');
    return parts.size() > 2 ? parts[2] : std::string();
}

/// The first path of \p label that has another type, with what it has.
std::optional<std::string> wrong_path(const SelinuxHost& host, const SelinuxLabel& label) {
    auto wrong = [&](const fs::path& path) -> std::optional<std::string> {
        std::string context = host.context_of(path);
        if (type_in(context) == label.type) {
            return std::nullopt;
        }
        return fmt::format("{} has the SELinux context {}, its type should be {}", path.string(),
                           context.empty() ? "(none)" : context, label.type);
    };
    if (auto sentence = wrong(label.path)) {
        return sentence;
    }
    if (!label.with_content) {
        return std::nullopt;
    }
    std::error_code error;
    for (fs::directory_iterator entry(label.path, error), end; !error && entry != end;
         entry.increment(error)) {
        if (auto sentence = wrong(entry->path())) {
            return sentence;
        }
    }
    return std::nullopt;
}

/// \p path as a regular expression of the policy.
std::string rule_for(const SelinuxLabel& label) {
    std::string rule;
    for (char c : label.path.string()) {
        if (std::string_view(".^$?*+|[](){}\\").find(c) != std::string_view::npos) {
            rule += '\\';
        }
        rule += c;
    }
    return label.with_content ? rule + "(/.*)?" : rule;
}

/// One of the commands that give \p label; each makes the next one useful.
struct Relabelling {
    Command command;
    bool if_the_last_failed = false;
};

std::vector<Relabelling> commands_for(const SelinuxHost& host, const SelinuxLabel& label) {
    auto with_path = [&](std::vector<std::string> argv) {
        if (label.with_content) {
            argv.emplace_back("-R");
        }
        argv.push_back(label.path.string());
        return argv;
    };
    auto command = [](std::vector<std::string> argv) {
        Command result;
        result.argv = std::move(argv);
        return result;
    };
    if (!host.find_program("semanage") || !host.find_program("restorecon") || !host.root) {
        return {{command(with_path({"chcon", "-t", label.type}))}};
    }
    std::string rule = rule_for(label);
    return {{command({"semanage", "fcontext", "--add", "-t", label.type, rule})},
            // A rule for that very path is changed, not added.
            {command({"semanage", "fcontext", "--modify", "-t", label.type, rule}), true},
            {command(with_path({"restorecon", "-F"}))}};
}

void relabel(const SelinuxHost& host, const SelinuxLabel& label) {
    bool last_failed = false;
    for (const Relabelling& step : commands_for(host, label)) {
        if (step.if_the_last_failed && !last_failed) {
            continue;
        }
        try {
            process::Completed done = host.run(step.command);
            last_failed = !done.status.ok();
            if (last_failed) {
                log::debug("'{}' ended with {}: {}", step.command.text(), done.status.text(), trim(done.err));
            }
        } catch (const Error& error) {
            last_failed = true;
            log::warning("SELinux: {}", error.what());
        }
    }
}

}  // namespace

SelinuxHost selinux_of_this_host() {
    SelinuxHost host;
    host.context_of = [](const fs::path& path) {
        std::array<char, 512> value{};
        ssize_t size = ::lgetxattr(path.c_str(), "security.selinux", value.data(), value.size() - 1);
        // It ends with a zero byte.
        return size > 0 ? std::string(value.data()) : std::string();
    };
    host.find_program = [](const std::string& name) -> std::optional<fs::path> {
        for (const char* dir : {"", "/usr/sbin/", "/sbin/"}) {
            if (auto path = process::find_program(dir + name)) {
                return path;
            }
        }
        return std::nullopt;
    };
    host.run = [find = host.find_program](Command command) {
        if (auto path = find(command.argv.front())) {
            command.argv.front() = path->string();
        }
        command.environment["LC_ALL"] = "C.UTF-8";
        return process::run(command, Deadline::after(Seconds{300}));
    };
    host.root = ::geteuid() == 0;
    return host;
}

SelinuxMode selinux_mode(const SelinuxHost& host) {
    fs::path file = host.selinuxfs / "enforce";
    std::error_code error;
    if (!fs::exists(file, error)) {
        return SelinuxMode::absent;
    }
    try {
        return trim(read_file(file)) == "1" ? SelinuxMode::enforcing : SelinuxMode::permissive;
    } catch (const Error& problem) {
        log::debug("SELinux: {}", problem.what());
        return SelinuxMode::permissive;
    }
}

SelinuxReport check_selinux(const SelinuxHost& host, const std::vector<SelinuxLabel>& labels, bool set) {
    SelinuxReport report;
    report.mode = selinux_mode(host);
    if (report.mode == SelinuxMode::absent) {
        return report;
    }
    for (const SelinuxLabel& label : labels) {
        std::optional<std::string> wrong = wrong_path(host, label);
        if (!wrong) {
            continue;
        }
        if (set) {
            relabel(host, label);
            wrong = wrong_path(host, label);
            if (!wrong) {
                ++report.relabelled;
                continue;
            }
        }
        report.wrong.push_back(*wrong);
        for (const Relabelling& step : commands_for(host, label)) {
            if (!step.if_the_last_failed) {
                report.commands.push_back(step.command.text());
            }
        }
    }
    return report;
}

}  // namespace vt::bootstrap

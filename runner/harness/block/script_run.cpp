// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/harness/block/script_run.hpp"

#include "runner/harness/block/comparison.hpp"
#include "runner/harness/block/progress.hpp"
#include "runner/io/io_loop.hpp"
#include "runner/io/socket.hpp"
#include "runner/process/supervised.hpp"
#include "runner/support/file.hpp"
#include "runner/support/install_dirs.hpp"
#include "runner/support/log.hpp"
#include "runner/support/scratch.hpp"
#include "runner/support/strings.hpp"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <optional>

#include <fmt/format.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace vt::block {
namespace fs = std::filesystem;
namespace {

constexpr Seconds last_breath{1};  ///< for what a script has told to end and not waited for
constexpr std::size_t longest_output = std::size_t{64} << 20;
constexpr std::size_t longest_note = 65536;
constexpr std::uint64_t whole_core = std::uint64_t{4} << 30;

std::string text_of(const fs::path& file, std::size_t limit) {
    try {
        return fs::exists(file) ? read_file(file, limit) : std::string();
    } catch (const Error& error) {
        log::warning("{}", error.what());
        return {};
    }
}

/// "core" and "core.12", as the kernel names them where nobody has told it otherwise.
bool is_core(const fs::path& file) {
    const auto name = file.filename().string();
    constexpr std::string_view word = "core";
    return name.starts_with(word) &&
           (name.size() == word.size() ||
            (name[word.size()] == '.' && name.find_first_not_of("0123456789", word.size() + 1) == name.npos));
}

void move_file(const fs::path& from, const fs::path& to) {
    std::error_code other_device;
    fs::rename(from, to, other_device);
    if (other_device) {
        fs::copy_file(from, to, fs::copy_options::overwrite_existing);
        fs::remove(from);
    }
}

std::string line_of(std::string_view text) {
    return join(split_words(text), " ");
}

/// Where TEST_DIRs are made. Scripts split commands at blanks, so a path with one cannot be used.
fs::path parent_of_test_dirs(const fs::path& chosen) {
    fs::path parent = chosen;
    for (const auto* name : {"TEST_DIR", "TMPDIR"}) {
        const char* value = std::getenv(name);
        if (parent.empty() && value != nullptr && value[0] != '\0') {
            parent = value;
        }
    }
    parent = fs::absolute(parent.empty() ? fs::path("/var/tmp") : parent).lexically_normal();
    if (parent.native().find_first_of(" \t\n") != std::string::npos) {
        throw SetupError(
            fmt::format("block tests cannot use \"{}\" as TEST_DIR: the scripts split commands at blanks; "
                        "name a directory without blanks",
                        parent.string()));
    }
    fs::create_directories(parent);
    return parent;
}

/// The directories of one script.
class Directories {
  public:
    Directories(const RunContext& context, const std::string& name)
        : test_(context.journals, "vt-iotest-", parent_of_test_dirs(context.test_dirs)),
          sock_(context.journals, "io-", context.sock_dirs) {
        // The last part is the script's name, as `check` has it: some outputs show it.
        place_.test_dir = test_.path() / name;
        place_.sock_dir = sock_.path();
        place_.log_dir = test_.path() / "qmp";
        fs::create_directory(place_.test_dir);
        fs::create_directory(place_.log_dir);
    }
    const Place& place() const { return place_; }
    fs::path progress() const { return place_.log_dir / "progress"; }

  private:
    ScratchDirectory test_;
    ScratchDirectory sock_;
    Place place_;
};

fs::path source_of(const Script& script, const RunContext& context) {
    if (!context.source.empty()) {
        return context.source;
    }
    const auto folder = script.file.parent_path();
    return folder.filename() == "tests" && fs::exists(folder.parent_path() / "common.rc")
               ? folder.parent_path()
               : folder;
}

std::vector<std::string> argv_of(const Script& script, const Settings& settings) {
    std::vector<std::string> argv;
    if (script.language == Language::python) {
        argv.push_back(settings.programs.python);
        if (settings.module != "theirs") {
            argv.push_back(InstallDirs::find().python() / "_vtglue" / "iotest.py");
        }
    } else if (script.language == Language::bash && ::access(script.file.c_str(), X_OK) != 0) {
        argv.emplace_back("bash");
    }
    argv.push_back(script.file);
    if (settings.debug) {
        argv.emplace_back("-d");
    }
    return argv;
}

/// The last exchange with a QEMU, of the log that was written last.
std::string last_exchange(const fs::path& log_dir) {
    fs::path newest;
    fs::file_time_type when{};
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(log_dir, ignored)) {
        if (entry.path().extension() == ".log" && (newest.empty() || entry.last_write_time(ignored) > when)) {
            newest = entry.path();
            when = entry.last_write_time(ignored);
        }
    }
    if (newest.empty()) {
        return "it had no QMP connection";
    }
    constexpr std::size_t shown = 2;
    auto lines = split(std::string(trim(read_tail(newest, 4096))), '\n');
    if (lines.size() > shown) {
        lines.erase(lines.begin(), lines.end() - shown);
    }
    return "the last of QMP: " + join(lines, " | ");
}

/// One run from its start to its verdict.
class Run {
  public:
    Run(IoLoop& loop, const Script& script, const Settings& settings, const Facts& facts,
        const RunContext& context)
        : loop_(loop), script_(script), settings_(settings), facts_(facts), context_(context) {}

    ScriptResult run() {
        const auto expected = expected_output(script_.file, settings_.format, settings_.cache(), machine());
        if (!fs::exists(expected)) {
            return of(Verdict::not_run, fmt::format("No qualified output (expected {})", expected.string()));
        }
        if (!facts_.has_image_format(settings_.format) && settings_.format != "vvfat") {
            return of(Verdict::not_run, fmt::format("{} has no image format {}; it has {}",
                                                    settings_.programs.qemu_img.string(), settings_.format,
                                                    join(facts_.image_formats, ", ")));
        }
        const Directories directories(context_, script_.name);
        const auto begun = std::chrono::steady_clock::now();
        const auto first_file = fs::file_time_type::clock::now();
        auto result = judge(directories, expected, start_and_wait(directories));
        result.seconds = Seconds(std::chrono::steady_clock::now() - begun).count();
        result.left_behind = std::move(left_);
        keep(directories, result);
        keep_cores(directories, first_file, result);
        return result;
    }

  private:
    static ScriptResult of(Verdict verdict, std::string reason) {
        ScriptResult result;
        result.verdict = verdict;
        result.reason = std::move(reason);
        return result;
    }

    const std::string& machine() const {
        return settings_.machine.empty() ? facts_.default_machine : settings_.machine;
    }

    process::Description description(const Directories& directories) const {
        process::Description wanted;
        wanted.name = script_.name;
        wanted.command.argv = argv_of(script_, settings_);
        wanted.command.working_dir = script_.file.parent_path();
        wanted.command.environment =
            environment(settings_, facts_, directories.place(), source_of(script_, context_));
        wanted.command.environment["VT_IOTESTS_PROGRESS"] =
            context_.on_line ? directories.progress().string() : std::string();
        wanted.command.merge_stderr = true;
        wanted.out.file = output(directories);
        wanted.out.on_line = context_.on_line;
        wanted.limits.core = whole_core;
        return wanted;
    }

    fs::path output(const Directories& directories) const {
        return directories.place().test_dir / (script_.name + ".out.bad");
    }

    /// How the script ended; nothing if it did not within its time.
    std::optional<process::ExitStatus> start_and_wait(const Directories& directories) {
        std::optional<Progress> progress;
        if (context_.on_line) {
            progress.emplace(loop_, directories.progress(), context_.on_line);
        }
        process::Supervised child(loop_, description(directories));
        std::optional<process::ExitStatus> status;
        try {
            status = child.wait(Deadline::after(settings_.timeout), context_.interrupt);
        } catch (const TimeoutError&) {
            hung_ = last_exchange(directories.place().log_dir);
        }
        left_ = child.left_behind(Deadline::after(status ? last_breath : Seconds(0)));
        // Machines of our own module have ended with the script, which has noted those that it left.
        for (const auto& line :
             split(text_of(directories.place().log_dir / "left-behind", longest_note), '\n')) {
            if (!line.empty()) {
                left_.push_back(line);
            }
        }
        child.kill();
        return status;
    }

    ScriptResult judge(const Directories& directories, const fs::path& expected,
                       const std::optional<process::ExitStatus>& status) const {
        const auto& place = directories.place();
        if (!status) {
            return of(Verdict::error,
                      fmt::format("it did not end within {:g} s; {}", settings_.timeout.count(), hung_));
        }
        const auto found = text_of(output(directories), longest_output);
        ScriptResult result;
        result.remarks = text_of(place.test_dir / (script_.name + ".casenotrun"), longest_note);
        result.difference = unified_diff(text_of(expected, longest_output), found, expected.string(),
                                         script_.name + ".out.bad");
        if (!status->ok()) {
            result.verdict = Verdict::fail;
            result.reason = "failed, " + status->text() + complaint(place, found);
            return result;
        }
        const auto not_run = place.test_dir / (script_.name + ".notrun");
        if (fs::exists(not_run)) {
            return of(Verdict::not_run, line_of(text_of(not_run, longest_note)));
        }
        if (!result.difference.empty()) {
            result.verdict = Verdict::fail;
            result.reason = "output mismatch" + complaint(place, found);
        }
        return result;
    }

    /// What else a failure should say: that the disk was full; the last line of a traceback.
    static std::string complaint(const Place& place, const std::string& found) {
        struct statvfs space {};
        const bool full = ::statvfs(place.test_dir.c_str(), &space) == 0 && space.f_bavail == 0;
        if (full || found.find("No space left on device") != std::string::npos) {
            return fmt::format("; no space was left in TEST_DIR ({})", place.test_dir.string());
        }
        if (found.find("Traceback (most recent call last)") == std::string::npos) {
            return {};
        }
        const auto lines = split(std::string(trim(found)), '\n');
        for (auto line = lines.rbegin(); line != lines.rend(); ++line) {
            if (!line->empty() && (*line)[0] != ' ' && line->find(": ") != std::string::npos) {
                return "; " + line->substr(0, 300);
            }
        }
        return {};
    }

    /// Copies what somebody who looks into a failure needs.
    void keep(const Directories& directories, const ScriptResult& result) const {
        if (result.verdict == Verdict::pass || result.verdict == Verdict::not_run ||
            context_.results.empty()) {
            return;
        }
        try {
            fs::create_directories(context_.results);
            const auto options = fs::copy_options::overwrite_existing;
            fs::copy_file(output(directories), context_.results / (script_.name + ".out.bad"), options);
            for (const auto& entry : fs::directory_iterator(directories.place().log_dir)) {
                if (entry.path().extension() == ".log") {
                    fs::copy_file(entry.path(),
                                  context_.results / (script_.name + "." + entry.path().filename().string()),
                                  options);
                }
            }
        } catch (const fs::filesystem_error& error) {
            log::warning("the results of {} cannot be kept: {}", script_.name, error.what());
        }
    }

    /// A tool that crashes leaves its core where it was started: among the tests, or in TEST_DIR. It is
    /// nothing to leave there, and is said whatever the verdict.
    void keep_cores(const Directories& directories, fs::file_time_type since, ScriptResult& result) const {
        if (context_.results.empty()) {
            return;
        }
        try {
            for (const auto& folder : {script_.file.parent_path(), directories.place().test_dir}) {
                for (const auto& entry : fs::directory_iterator(folder)) {
                    if (!is_core(entry.path()) || !entry.is_regular_file() ||
                        entry.last_write_time() < since) {
                        continue;
                    }
                    const auto kept =
                        context_.results / (script_.name + "." + entry.path().filename().string());
                    fs::create_directories(context_.results);
                    move_file(entry.path(), kept);
                    result.cores.push_back(kept);
                }
            }
        } catch (const fs::filesystem_error& error) {
            log::warning("the core that {} left cannot be kept: {}", script_.name, error.what());
        }
    }

    IoLoop& loop_;
    const Script& script_;
    const Settings& settings_;
    const Facts& facts_;
    const RunContext& context_;
    std::vector<std::string> left_;
    std::string hung_;
};

}  // namespace

std::string_view verdict_name(Verdict verdict) {
    switch (verdict) {
        case Verdict::pass:
            return "pass";
        case Verdict::fail:
            return "fail";
        case Verdict::not_run:
            return "not run";
        case Verdict::error:
            return "error";
    }
    return "error";
}

ScriptResult run_script(IoLoop& loop, const Script& script, const Settings& settings, const Facts& facts,
                        const RunContext& context) {
    try {
        return Run(loop, script, settings, facts, context).run();
    } catch (const InterruptedError&) {
        throw;
    } catch (const std::exception& error) {
        ScriptResult result;
        result.verdict = Verdict::error;
        result.reason = fmt::format("{} could not be run: {}", script.name, error.what());
        return result;
    }
}

}  // namespace vt::block

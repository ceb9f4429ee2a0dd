// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// A driver: something that a test needs running, with a name, files, a log that is read for values, and a
/// lifecycle; and the environment in which drivers find each other.
///
/// A driver is described by Settings and does what its Parts say: functions for starting, the check whether
/// it has started, stopping. So a native test makes one of its own without a class, and what is ready-made
/// (TCP endpoints, processes) is a set of Parts. The order of the calls is Testplan's.
#pragma once

#include "runner/harness/driver/log_extract.hpp"
#include "runner/harness/driver/status.hpp"
#include "runner/support/deadline.hpp"
#include "runner/support/timeline.hpp"

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace vt {
class IoLoop;
}

namespace vt::driver {

class Driver;
class Environment;

/// Called with the driver.
using Hook = std::function<void(Driver& driver)>;

/// How often one looks whether a driver has started: the pause doubles from the first to the longest.
struct CheckInterval {
    Seconds first{0.01};
    Seconds longest{0.2};
};

/// What every driver can be told.
struct Settings {
    std::string name;
    std::filesystem::path run_path;  ///< empty: NAME in the environment's
    bool path_cleanup = true;        ///< empty the run path before
    Seconds timeout{300};            ///< for its start, and for its end
    CheckInterval check_interval;
    bool auto_start = true;  ///< whether the environment starts it
    /// Source, and target: relative to the run path, a directory gets the source's name. {{names}} are filled
    /// in, in both and in the content.
    std::vector<std::pair<std::filesystem::path, std::filesystem::path>> install_files;
    /// What its log has to say before it counts as started; named groups go to extracts().
    std::vector<Expression> log_expressions;
    std::size_t error_log_lines = 10;  ///< of its logs in a message
    std::vector<std::string> after;    ///< names of drivers that must have started before
    Hook pre_start;
    Hook post_start;
    Hook pre_stop;
    Hook post_stop;
};

/// What a kind of driver does. Whatever is empty does nothing; an exception says what went wrong.
struct Parts {
    Hook starting;
    /// True once it has started, as far as it can tell: the log has to say what it has to, too. An exception
    /// ends the wait.
    std::function<bool(Driver& driver)> started_check;
    Hook stopping;
    std::function<bool(Driver& driver)> stopped_check;
    Hook pausing;
    Hook resuming;
    Hook aborting;  ///< stopping if empty
    /// A value that others may name: {{name.value}}.
    std::function<std::optional<std::string>(const Driver& driver, const std::string& value)> value;
    /// Its log and what else tells of a failure; relative to the run path.
    std::vector<std::filesystem::path> logs;
};

/// From one start to its end.
struct Life {
    std::chrono::steady_clock::time_point began;
    std::optional<std::chrono::steady_clock::time_point> ended;
    std::string how;  ///< how it ended, for people
    TimelineBar::Outcome outcome = TimelineBar::Outcome::lasting;
};

/// One thread drives it; status() and values may be asked from any.
class Driver {
  public:
    Driver(Settings settings, Parts parts);
    /// Aborts it if it is up.
    ~Driver();
    Driver(const Driver&) = delete;
    Driver& operator=(const Driver&) = delete;

    const std::string& name() const { return settings_.name; }
    const Settings& settings() const { return settings_; }
    const std::filesystem::path& run_path() const { return run_path_; }
    const StatusMachine& status() const { return status_; }

    /// Starts it and waits until it has started. Nothing if it is up. Throws what went wrong (TimeoutError,
    /// UnresolvedError, StatusError if it was aborted); then a failover, if there is one, was tried.
    void start();
    /// Stops it and waits for the end. Nothing if it is not up. Throws.
    void stop();
    void pause();
    void resume();
    void restart();
    /// Ends it at once; it cannot be started again.
    void abort();
    bool aborted() const { return aborted_; }
    /// Parts that are tried in the place of its own when it does not start; several in their order.
    void register_failover(Parts parts);

    /// Named groups of its log's lines.
    const std::map<std::string, std::string>& extracts() const { return extracts_; }
    /// A value by its name: name, run_path, what it extracted, what its kind offers.
    std::optional<std::string> value(const std::string& name) const;
    /// The text with {{names}} as values: its own, or "driver.name" of the environment. Throws
    /// UnresolvedError.
    std::string resolve(const std::string& text) const;
    /// The last lines of its logs, for a message.
    std::string error_log() const;
    /// One for each start; to be asked by the thread that drives it.
    const std::vector<Life>& lives() const { return lives_; }

  private:
    friend class Environment;
    void bring_up();
    void end_life(const std::string& how, TimelineBar::Outcome outcome);
    void prepare();
    void await_started();
    void await(const char* what, const std::function<bool()>& done);
    bool log_says_started();

    Settings settings_;
    Parts parts_;
    std::vector<Parts> failovers_;
    std::filesystem::path run_path_;
    StatusMachine status_;
    std::optional<FileExtractor> log_;
    std::map<std::string, std::string> extracts_;
    const Environment* environment_ = nullptr;
    bool aborted_ = false;
    std::vector<Life> lives_;
};

/// Drivers that are started and stopped together.
class Environment {
  public:
    /// Drivers without a run path of their own get one below \p run_path.
    explicit Environment(std::filesystem::path run_path);
    /// Stops what is up; failures are logged.
    ~Environment();
    Environment(const Environment&) = delete;
    Environment& operator=(const Environment&) = delete;

    /// Takes the driver. Throws Error for a name that is taken or that no {{name}} could have.
    Driver& add(std::unique_ptr<Driver> driver);
    /// Throws Error naming those that are there.
    Driver& get(const std::string& name) const;
    /// "driver.value", nothing if there is none.
    std::optional<std::string> value(const std::string& name) const;

    /// The thread that its endpoints and processes are served by.
    IoLoop& loop() { return *loop_; }

    /// Starts all, each as soon as those that it comes after have started, side by side. On a failure what
    /// has started is stopped again. Throws Error with one sentence for each that failed, or naming a circle.
    void start();
    /// Stops all the other way round, whatever fails. Throws Error with one sentence for each that failed.
    void stop();
    /// Who ran when, as an SVG picture.
    std::string timeline(const std::string& title) const;

  private:
    friend class Driver;
    std::vector<std::string> run_all(bool starting);

    std::filesystem::path run_path_;
    std::unique_ptr<IoLoop> loop_;
    std::vector<std::unique_ptr<Driver>> drivers_;
};

}  // namespace vt::driver

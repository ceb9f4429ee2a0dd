// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// A daemon under test, whatever it is: started, ready, watched, debugged, and taken down always.
///
/// It stands on process::Supervised, which pumps its output and notices its end when it happens. What is
/// added: the end is an Interrupt that ends every wait for the daemon's doings with a reason that names the
/// signal; a core is found and looked into by gdb; output is kept, bounded, for assertions; the way a person
/// debugs it is prepared.
#pragma once

#include "runner/harness/packet/settings.hpp"
#include "runner/io/interrupt.hpp"
#include "runner/net/network_namespace.hpp"
#include "runner/process/supervised.hpp"
#include "runner/support/deadline.hpp"
#include "runner/support/error.hpp"

#include <cstddef>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace vt {
class IoLoop;
}

namespace vt::packet {

/// The daemon has ended though nobody had it stopped; what() names how, its core, and its last words.
class DaemonDied : public Error {
  public:
    using Error::Error;
};

/// How a daemon is run.
struct DaemonOptions {
    std::string name;  ///< for messages and its files; the program's if empty
    std::vector<std::string> argv;
    std::map<std::string, std::string> environment;
    /// Where it runs and leaves NAME.stdout, NAME.stderr and its core; must exist.
    std::filesystem::path directory;
    process::ReadyWhen ready;
    Seconds start_timeout{30};
    std::optional<process::KeepAlive> keep_alive;
    process::StopRule stop;
    std::optional<std::uint64_t> core_size;  ///< in bytes; nothing: unlimited
    Debug debug = Debug::none;
    std::string gdbserver_address = "localhost:7777";
    std::shared_ptr<const NetworkNamespace> network;  ///< where it runs; null: in ours
    std::optional<int> cpu;                           ///< the one it may run on
};

/// A running daemon. Every call is safe from several threads.
class Daemon {
  public:
    /// Starts it. \p loop must outlive the object. Throws process::NotFoundError, SystemError, Error.
    Daemon(IoLoop& loop, DaemonOptions options);
    Daemon(const Daemon&) = delete;
    Daemon& operator=(const Daemon&) = delete;
    /// Kills it with all that it started.
    ~Daemon();

    const std::string& name() const;
    const DaemonOptions& options() const;
    /// Words and arguments as they were run.
    const std::vector<std::string>& command_line() const;
    pid_t pid() const;
    bool running() const;
    std::optional<process::ExitStatus> status() const;
    /// Raised when it ends unasked, with the reason.
    std::shared_ptr<Interrupt> death() const;

    /// Waits until it is ready, for ever where a person debugs it. Throws DaemonDied, TimeoutError.
    void wait_ready();
    /// Throws DaemonDied if it has ended unasked; the first time the core is looked for, and into.
    void check();
    /// Waits for its end, however it comes about. Throws TimeoutError.
    process::ExitStatus wait(const Deadline& deadline);
    void signal(int signal);
    /// Stops it by its StopRule; what follows is no death. Returns how it ended.
    process::ExitStatus stop();

    /// What it has printed, the first and the last of it if that is much.
    std::string output(process::Stream stream) const;
    /// New whole lines of both streams since the last call, waiting until there are some; empty once it has
    /// ended, when \p deadline passed, or when release_readers() was called.
    struct Lines {
        std::vector<std::string> out;
        std::vector<std::string> err;
        bool empty() const { return out.empty() && err.empty(); }
    };
    Lines take_lines(const Deadline& deadline);
    /// Ends take_lines(), now and later.
    void release_readers();
    /// Waits for a line that matches the regular expression \p pattern in either stream, also one that it has
    /// printed before, and returns it. Throws TimeoutError, DaemonDied, Error for a wrong pattern.
    std::string wait_for_line(const std::string& pattern, const Deadline& deadline);

    /// The core that it has left; nothing if there is none.
    std::optional<std::filesystem::path> core() const;
    /// How a person attaches to it, a line each; empty without DEBUG.
    std::vector<std::string> debug_help() const;
    /// One sentence: that it runs, or how it ended, with its last words.
    std::string report() const;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

/// The core that process \p pid left in \p directory, by the kernel's pattern \p pattern; nothing if there is
/// none or a program takes it. \p executable as the pattern's %e has it.
std::optional<std::filesystem::path> find_core(const std::filesystem::path& directory,
                                               const std::string& pattern, pid_t pid,
                                               const std::string& executable);
/// The kernel's pattern for cores, with a trailing ".%p" where the kernel adds one.
std::string core_pattern();

/// The stacks of all threads of \p core by gdb; nothing where there is no gdb, or it fails.
std::optional<std::string> backtrace(const std::string& program, const std::filesystem::path& core,
                                     const Deadline& deadline);

}  // namespace vt::packet

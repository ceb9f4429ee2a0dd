// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/process/guardian.hpp"

#include "runner/io/poll_set.hpp"
#include "runner/io/seqpacket.hpp"
#include "runner/process/spawn.hpp"
#include "runner/process/sweeper.hpp"
#include "runner/support/file.hpp"
#include "runner/support/file_lock.hpp"
#include "runner/support/log.hpp"
#include "runner/support/strings.hpp"

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <map>
#include <mutex>
#include <utility>

#include <fcntl.h>
#include <fmt/core.h>
#include <nlohmann/json.hpp>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

namespace vt::process {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr Seconds patience{20};  // for a local process that answers in microseconds, on a machine under load

sockaddr_un address_of(const fs::path& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.string().size() >= sizeof address.sun_path) {
        throw Error(fmt::format(
            "the path {} is too long for a Unix socket (at most {} bytes); name a shorter directory in "
            "AVOCADO_VT_RUNTIME_DIR (or vt.common.tmp_dir)",
            path.string(), sizeof address.sun_path - 1));
    }
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    return address;
}

UniqueFd make_socket() {
    UniqueFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    if (!socket) {
        throw SystemError("cannot make a socket", errno);
    }
    return socket;
}

UniqueFd try_connect(const fs::path& path) {
    auto socket = make_socket();
    const auto address = address_of(path);
    if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        socket.reset();
    }
    return socket;
}

UniqueFd listen_on(const fs::path& path) {
    auto socket = make_socket();
    const auto address = address_of(path);
    ::unlink(path.c_str());
    if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(socket.get(), 64) != 0) {
        throw SystemError("cannot listen on " + path.string(), errno);
    }
    return socket;
}

/// The two forks of a daemon, by hand, since a guardian is what no launcher makes: a child that does *not*
/// die with us. Between fork and exec only async-signal-safe calls are made.
void start_detached(const std::vector<std::string>& words, int listener, const fs::path& log_file) {
    std::vector<char*> argv;
    argv.reserve(words.size() + 1);
    for (const auto& word : words) {
        argv.push_back(const_cast<char*>(word.c_str()));
    }
    argv.push_back(nullptr);
    // The guardian and what it guards are the job's, so the mark of this task must not make the sweeper end
    // them.
    std::vector<char*> environment;
    const std::string mark = std::string(task_mark) + "=";
    for (char** entry = environ; *entry != nullptr; ++entry) {
        if (!std::string_view(*entry).starts_with(mark)) {
            environment.push_back(*entry);
        }
    }
    environment.push_back(nullptr);
    const UniqueFd log(::open(log_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
    const UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    const pid_t child = ::fork();
    if (child < 0) {
        throw SystemError("cannot start the guardian", errno);
    }
    if (child == 0) {
        ::setsid();
        if (::fork() != 0) {
            ::_exit(0);
        }
        clear_mark();
        sigset_t none;
        sigemptyset(&none);
        ::sigprocmask(SIG_SETMASK, &none, nullptr);
        const int moved = ::fcntl(listener, F_DUPFD, 10);
        ::dup2(null.get(), 0);
        ::dup2(log.get(), 1);
        ::dup2(log.get(), 2);
        ::dup2(moved, 3);
        ::syscall(SYS_close_range, 4U, ~0U, 0U);
        ::execve(argv[0], argv.data(), environment.data());
        ::_exit(127);
    }
    ::waitpid(child, nullptr, 0);
}

}  // namespace

namespace {

/// Throws what the guardian's answer says went wrong.
void throw_error_of(const json& reply) {
    if (!reply.contains("error")) {
        return;
    }
    const auto text = reply.at("error").get<std::string>();
    if (reply.value("kind", "") == "not_found") {
        throw NotFoundError(text);
    }
    throw Error(text);
}

bool ended(int pidfd) {
    pollfd ready{pidfd, POLLIN, 0};
    return ::poll(&ready, 1, 0) > 0;
}

}  // namespace

/// The socket and what keeps requests of several threads apart.
struct Guardian::Impl {
    struct Answer {
        json reply;
        std::vector<UniqueFd> fds;
    };

    std::mutex mutex;
    UniqueFd socket;
    std::uint64_t last_id = 0;
    /// Starts whose answers nobody awaits any more, by the number of the request.
    std::map<std::uint64_t, std::string> late_starts;
    std::map<std::string, std::weak_ptr<std::atomic<bool>>> leases;
    Seconds answer_patience = patience;

    /// Whether the process \p name and its companions are leased: shared by their handles.
    std::shared_ptr<std::atomic<bool>> lease_of(const std::string& name) {
        const std::lock_guard lock(mutex);
        auto& place = leases[name];
        auto lease = place.lock();
        if (!lease || !*lease) {
            lease = std::make_shared<std::atomic<bool>>(true);
            place = lease;
        }
        return lease;
    }

    /// Sends \p request and returns its answer. Throws what the guardian says, TimeoutError.
    Answer ask(json request, const std::vector<int>& fds = {}) {
        const std::lock_guard lock(mutex);
        const auto id = ++last_id;
        request["id"] = id;
        send_packet(socket.get(), request, fds);
        const auto deadline = Deadline::after(answer_patience);
        try {
            for (;;) {
                auto answer = receive(deadline);
                const auto of = answer.reply.value("id", std::uint64_t{0});
                if (of == id) {
                    throw_error_of(answer.reply);
                    return answer;
                }
                settle_late(of, answer.reply);
            }
        } catch (const TimeoutError& error) {
            if (request.at("op") == "start") {
                late_starts[id] = request.at("name").get<std::string>();
            }
            throw TimeoutError(fmt::format("{} (asked to {} {})", error.what(),
                                           request.at("op").get<std::string>(),
                                           request.at("name").get<std::string>()));
        }
    }

    Answer receive(const Deadline& deadline) {
        auto packet = receive_packet(socket.get(), deadline);
        if (!packet) {
            throw Error("the job's guardian is gone, and with it the job's VMs");
        }
        auto reply = json::parse(packet->text);
        if (packet->fds_lost) {
            reply["error"] =
                "the guardian's answer has lost descriptors: this process has too many open files";
        }
        return {std::move(reply), std::move(packet->fds)};
    }

    /// An answer came after its asker had gone: what was started for him is ended. The answer to that is
    /// late, too.
    void settle_late(std::uint64_t id, const json& reply) {
        const auto late = late_starts.find(id);
        if (late == late_starts.end()) {
            return;
        }
        if (!reply.contains("error")) {
            log::info("{} was started too late and is ended again", late->second);
            send_packet(socket.get(), {{"op", "end"}, {"name", late->second}, {"id", ++last_id}});
        }
        late_starts.erase(late);
    }
};

struct GuardedProcess::Impl {
    std::shared_ptr<Guardian> owner;  ///< holds the connection open: without it the lease would end
    Guardian::Impl* guardian = nullptr;
    std::string name;
    ProcessId id;
    UniqueFd pidfd;
    std::shared_ptr<std::atomic<bool>> leased;  ///< one for a process and its companions
    bool companion = false;
    std::map<std::string, UniqueFd> held;
    std::vector<GuardedProcess> companions;

    std::mutex mutex;  ///< of what follows and of the two above
    std::optional<ExitStatus> status;

    /// \p place in \p fds is where the answer says that this process's pidfd is.
    static GuardedProcess from(const std::shared_ptr<Guardian>& owner, Guardian::Impl* guardian,
                               const json& told, std::vector<UniqueFd>& fds,
                               std::shared_ptr<std::atomic<bool>> leased) {
        auto process = std::make_unique<Impl>();
        process->owner = owner;
        process->guardian = guardian;
        process->name = told.at("name").get<std::string>();
        process->id = {told.at("pid").get<pid_t>(), told.at("start").get<std::uint64_t>()};
        process->pidfd = std::move(fds.at(told.at("pidfd").get<std::size_t>()));
        process->leased = std::move(leased);
        process->companion = told.value("companion", false);
        for (const auto& [name, place] : told.value("held", std::map<std::string, std::size_t>())) {
            process->held[name] = std::move(fds.at(place));
        }
        return GuardedProcess(std::move(process));
    }
};

GuardedProcess::GuardedProcess(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
GuardedProcess::GuardedProcess(GuardedProcess&&) noexcept = default;

GuardedProcess& GuardedProcess::operator=(GuardedProcess&& other) noexcept {
    std::swap(impl_, other.impl_);
    return *this;
}

GuardedProcess::~GuardedProcess() {
    if (!impl_ || !*impl_->leased) {
        return;
    }
    // The guardian ends companions with their process.
    for (auto& companion : impl_->companions) {
        companion.impl_.reset();
    }
    try {
        impl_->guardian->ask({{"op", "end"}, {"name", impl_->name}});
    } catch (const std::exception& error) {
        log::warning("cannot end {}: {}", impl_->name, error.what());
    }
    if (!impl_->companion) {
        *impl_->leased = false;  // and its companions have gone with it
    }
}

const std::string& GuardedProcess::name() const {
    return impl_->name;
}
pid_t GuardedProcess::pid() const {
    return impl_->id.pid;
}
ProcessId GuardedProcess::id() const {
    return impl_->id;
}
int GuardedProcess::pidfd() const {
    return impl_->pidfd.get();
}
bool GuardedProcess::running() const {
    return !ended(impl_->pidfd.get());
}

std::optional<ExitStatus> GuardedProcess::status() {
    const std::lock_guard lock(impl_->mutex);
    if (!impl_->status && !running() && *impl_->leased) {
        const auto reply = impl_->guardian->ask({{"op", "status"}, {"name", impl_->name}}).reply;
        if (!reply.value("running", false)) {
            impl_->status =
                ExitStatus{reply.value("code", 0), reply.value("signal", 0), reply.value("core", false)};
        }
    }
    return impl_->status;
}

ExitStatus GuardedProcess::wait(const Deadline& deadline) {
    PollSet set;
    const auto end = set.add(impl_->pidfd.get(), POLLIN);
    while (set.wait(deadline) && !set.ready(end)) {
    }
    if (!set.ready(end)) {
        throw TimeoutError(
            fmt::format("{} did not end within {:g} s", impl_->name, deadline.total().count()));
    }
    if (const auto known = status()) {
        return *known;
    }
    throw Error(fmt::format("{} ended, but the guardian does not know how", impl_->name));
}

void GuardedProcess::signal(int signal) {
    if (::syscall(SYS_pidfd_send_signal, impl_->pidfd.get(), signal, nullptr, 0) != 0 && errno != ESRCH) {
        throw SystemError("cannot signal " + impl_->name, errno);
    }
}

void GuardedProcess::keep() {
    impl_->guardian->ask({{"op", "keep"}, {"name", impl_->name}});
    *impl_->leased = false;
}

std::optional<UniqueFd> GuardedProcess::take_fd(const std::string& name) {
    const std::lock_guard lock(impl_->mutex);
    auto node = impl_->held.extract(name);
    return node.empty() ? std::nullopt : std::optional(std::move(node.mapped()));
}

std::vector<GuardedProcess> GuardedProcess::take_companions() {
    const std::lock_guard lock(impl_->mutex);
    return std::exchange(impl_->companions, {});
}

std::vector<std::string> GuardedProcess::dead_companions() {
    const auto reply = impl_->guardian->ask({{"op", "companions"}, {"name", impl_->name}}).reply;
    return reply.value("dead", std::vector<std::string>());
}

Guardian::Guardian(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Guardian::~Guardian() = default;

namespace {

/// The last line of its log; a full disk leaves none.
std::string why_no_guardian(const fs::path& job_dir) {
    std::error_code error;
    if (const auto space = fs::space(job_dir, error); !error && space.available == 0) {
        return fmt::format("No space left on device ({})", job_dir.string());
    }
    const auto log = job_dir / "guardian.log";
    const auto words = fs::exists(log, error) ? std::string(trim(read_file(log))) : std::string();
    return words.empty() ? "it said nothing in " + log.string() : words.substr(words.rfind('\n') + 1);
}

}  // namespace

std::shared_ptr<Guardian> Guardian::connect(const fs::path& job_dir, const ProcessId& owner,
                                            const fs::path& runner, const fs::path& journal) {
    const auto path = job_dir / "guardian";
    // Two tasks that start at once must not start two guardians.
    const auto lock = FileLock::take(job_dir / guardian_lock_file, FileLock::Mode::exclusive,
                                     fmt::format("process {}", ::getpid()), Deadline::after(patience));
    auto impl = std::make_unique<Impl>();
    const auto answers = [&] {
        impl->socket = try_connect(path);
        if (!impl->socket) {
            const auto listener = listen_on(path);
            start_detached({runner.string(), "guardian", "--job-dir", job_dir.string(), "--owner",
                            fmt::format("{}:{}", owner.pid, owner.start_time), "--journal",
                            (journal.empty() ? job_dir.parent_path() / "journal" : journal).string()},
                           listener.get(), job_dir / "guardian.log");
            impl->socket = try_connect(path);
        }
        if (!impl->socket) {
            throw Error("cannot reach the guardian at " + path.string() + "; see guardian.log beside it");
        }
        try {
            impl->ask({{"op", "hello"}, {"name", "itself"}});
            return true;
        } catch (const Error&) {
            return false;
        }
    };
    // Another try: a guardian that another task has just started may go down with that task, as long as
    // nobody knows that it is the job's.
    if (!answers() && !answers()) {
        throw Error(fmt::format("the job's guardian ended as it began: {}", why_no_guardian(job_dir)));
    }
    return std::shared_ptr<Guardian>(new Guardian(std::move(impl)));
}

GuardedProcess Guardian::start(const GuardedStart& what) {
    log::debug("running: {}", what.command.text());
    json names = json::array();
    std::vector<int> fds{what.output};
    for (const auto& passed : what.fds) {
        names.push_back({{"name", passed.name}, {"at", passed.at}, {"held", passed.held}});
        fds.push_back(passed.fd);
    }
    auto answer = impl_->ask({{"op", "start"},
                              {"name", what.name},
                              {"companion_of", what.companion_of},
                              {"argv", what.command.argv},
                              {"cwd", what.command.working_dir.string()},
                              {"env", what.command.environment},
                              {"exact_env", what.command.exact_environment},
                              {"fds", names}},
                             fds);
    return GuardedProcess::Impl::from(
        shared_from_this(), impl_.get(), answer.reply.at("process"), answer.fds,
        impl_->lease_of(what.companion_of.empty() ? what.name : what.companion_of));
}

GuardedProcess Guardian::start(const std::string& name, const Command& command, int output) {
    GuardedStart what;
    what.name = name;
    what.command = command;
    what.output = output;
    return start(what);
}

std::optional<GuardedProcess> Guardian::adopt(const std::string& name) {
    auto answer = impl_->ask({{"op", "adopt"}, {"name", name}});
    if (answer.reply.value("none", false)) {
        return std::nullopt;
    }
    const auto lease = impl_->lease_of(name);
    auto process = GuardedProcess::Impl::from(shared_from_this(), impl_.get(), answer.reply.at("process"),
                                              answer.fds, lease);
    for (const auto& told : answer.reply.at("companions")) {
        process.impl_->companions.push_back(
            GuardedProcess::Impl::from(shared_from_this(), impl_.get(), told, answer.fds, lease));
    }
    return process;
}

void Guardian::set_patience(Seconds patience) {
    const std::lock_guard lock(impl_->mutex);
    impl_->answer_patience = patience;
}

void Guardian::hold(int lock) {
    // Without a descriptor the guardian says what is missing.
    impl_->ask({{"op", "hold"}, {"name", "a lock"}}, lock < 0 ? std::vector<int>{} : std::vector<int>{lock});
}

std::optional<ProcessId> Guardian::running(const fs::path& job_dir) {
    ProcessId id;
    try {
        const auto words = split_words(read_file(job_dir / guardian_id_file, 100));
        id = {std::stoi(words.at(0)), std::stoull(words.at(1))};
    } catch (const std::exception&) {  // no job directory, no guardian
        return std::nullopt;
    }
    return id.alive() ? std::optional(id) : std::nullopt;
}

}  // namespace vt::process

// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/process/guardian.hpp"

#include "runner/io/seqpacket.hpp"
#include "runner/process/spawn.hpp"
#include "runner/process/sweeper.hpp"
#include "runner/support/file.hpp"
#include "runner/support/file_lock.hpp"
#include "runner/support/log.hpp"
#include "runner/support/strings.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <mutex>

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

/// The socket and what keeps requests of several threads apart.
struct Guardian::Impl {
    std::mutex mutex;
    UniqueFd socket;

    /// Sends \p request and returns the answer; a descriptor that comes with it goes to \p fd.
    json ask(const json& request, UniqueFd* fd = nullptr, int sent_fd = -1) {
        const std::lock_guard lock(mutex);
        send_packet(socket.get(), request, sent_fd);
        auto packet = receive_packet(socket.get(), Deadline::after(patience));
        if (!packet) {
            throw Error("the job's guardian is gone, and with it the job's VMs");
        }
        auto reply = json::parse(packet->text);
        if (reply.contains("error")) {
            const auto text = reply.at("error").get<std::string>();
            if (reply.value("kind", "") == "not_found") {
                throw NotFoundError(text);
            }
            throw Error(text);
        }
        if (fd != nullptr) {
            *fd = std::move(packet->fd);
        }
        return reply;
    }
};

struct GuardedProcess::Impl {
    std::shared_ptr<Guardian> owner;  ///< holds the connection open: without it the lease would end
    Guardian::Impl* guardian = nullptr;
    std::string name;
    ProcessId id;
    UniqueFd pidfd;
    std::optional<ExitStatus> status;
    bool leased = true;
};

namespace {

bool ended(int pidfd) {
    pollfd ready{pidfd, POLLIN, 0};
    return ::poll(&ready, 1, 0) > 0;
}

}  // namespace

GuardedProcess::GuardedProcess(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
GuardedProcess::GuardedProcess(GuardedProcess&&) noexcept = default;

GuardedProcess& GuardedProcess::operator=(GuardedProcess&& other) noexcept {
    std::swap(impl_, other.impl_);
    return *this;
}

GuardedProcess::~GuardedProcess() {
    if (impl_ && impl_->leased) {
        try {
            impl_->guardian->ask({{"op", "end"}, {"name", impl_->name}});
        } catch (const std::exception& error) {
            log::warning("cannot end {}: {}", impl_->name, error.what());
        }
    }
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
    if (!impl_->status && !running() && impl_->leased) {
        const auto reply = impl_->guardian->ask({{"op", "status"}, {"name", impl_->name}});
        if (!reply.value("running", false)) {
            impl_->status =
                ExitStatus{reply.value("code", 0), reply.value("signal", 0), reply.value("core", false)};
        }
    }
    return impl_->status;
}

ExitStatus GuardedProcess::wait(const Deadline& deadline) {
    pollfd ready{impl_->pidfd.get(), POLLIN, 0};
    while (::poll(&ready, 1, deadline.poll_timeout_ms()) <= 0) {
        if (deadline.expired()) {
            throw TimeoutError(
                fmt::format("{} did not end within {:g} s", impl_->name, deadline.total().count()));
        }
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
    impl_->leased = false;
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
            impl->ask({{"op", "hello"}, {"name", ""}});
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

GuardedProcess Guardian::start(const std::string& name, const Command& command, int output) {
    log::debug("running: {}", command.text());
    auto process = std::make_unique<GuardedProcess::Impl>();
    const auto reply = impl_->ask({{"op", "start"},
                                   {"name", name},
                                   {"argv", command.argv},
                                   {"cwd", command.working_dir.string()},
                                   {"env", command.environment}},
                                  &process->pidfd, output);
    process->owner = shared_from_this();
    process->guardian = impl_.get();
    process->name = name;
    process->id = {reply.at("pid").get<pid_t>(), reply.at("start").get<std::uint64_t>()};
    return GuardedProcess(std::move(process));
}

std::optional<GuardedProcess> Guardian::adopt(const std::string& name) {
    auto process = std::make_unique<GuardedProcess::Impl>();
    const auto reply = impl_->ask({{"op", "adopt"}, {"name", name}}, &process->pidfd);
    if (reply.value("none", false)) {
        return std::nullopt;
    }
    process->owner = shared_from_this();
    process->guardian = impl_.get();
    process->name = name;
    process->id = {reply.at("pid").get<pid_t>(), reply.at("start").get<std::uint64_t>()};
    return GuardedProcess(std::move(process));
}

void Guardian::hold(int lock) {
    impl_->ask({{"op", "hold"}, {"name", ""}}, nullptr, lock);
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

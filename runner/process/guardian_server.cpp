// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/io/poll_set.hpp"
#include "runner/io/seqpacket.hpp"
#include "runner/process/guardian.hpp"
#include "runner/process/pipe.hpp"
#include "runner/process/spawn.hpp"
#include "runner/support/file.hpp"
#include "runner/support/file_lock.hpp"
#include "runner/support/log.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <list>
#include <memory>
#include <vector>

#include <fcntl.h>
#include <fmt/core.h>
#include <nlohmann/json.hpp>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace vt::process {
namespace {

using nlohmann::json;

/// A task's connection.
struct Client {
    UniqueFd socket;
    /// Closed when it has left and its processes are dead.
    std::shared_ptr<std::vector<UniqueFd>> locks = std::make_shared<std::vector<UniqueFd>>();
    PollSet::Ticket ticket;
};

/// A descriptor that the guardian holds for whoever adopts a process.
struct HeldFd {
    std::string name;
    UniqueFd fd;
};

/// A request that is answered when a process has died.
struct Waiting {
    const Client* client;
    std::uint64_t id;
};

/// A process under guard.
struct Guarded {
    std::string name;
    std::string companion_of;  ///< the process that it serves; empty: none
    ProcessId id;
    ChildHandle child;
    const Client* lessee = nullptr;  ///< nobody: kept for the job
    bool kept = false;
    bool traced = false;  ///< dead, but a debugger has yet to hear of it first
    bool dying = false;   ///< has got SIGKILL and goes once it is dead
    std::vector<Waiting> waiting;
    std::vector<HeldFd> held;
    /// The locks of the task that left while it was dying: what they protect is not free before.
    std::shared_ptr<std::vector<UniqueFd>> locks;
    std::optional<ExitStatus> status;
    JournalEntry entry;
    PollSet::Ticket ticket;
};

/// An answer and the descriptors that go with it.
struct Answer {
    json reply = json::object();
    std::vector<int> fds;
    bool later = false;  ///< it is sent when somebody has died

    /// Adds what a client has to know of \p process.
    json describe(const Guarded& process) {
        json told{{"name", process.name},
                  {"pid", process.id.pid},
                  {"start", process.id.start_time},
                  {"companion", !process.companion_of.empty()},
                  {"pidfd", add(process.child.pidfd())},
                  {"held", json::object()}};
        for (const auto& held : process.held) {
            told["held"][held.name] = add(held.fd.get());
        }
        return told;
    }

  private:
    std::size_t add(int fd) {
        fds.push_back(fd);
        return fds.size() - 1;
    }
};

/// When to look again at a dead process that is somebody's tracee: for its parent that is no event.
constexpr Seconds tracer_pause{0.05};

/// How long the guardian that ends waits for those that it has killed.
constexpr Seconds last_wait{5};

class GuardianServer {
  public:
    GuardianServer(UniqueFd listener, std::filesystem::path job_dir, const ProcessId& owner,
                   const std::filesystem::path& journal)
        : listener_(std::move(listener)),
          job_dir_(std::move(job_dir)),
          journal_dir_(journal.empty() ? job_dir_.parent_path() / "journal" : journal),
          outlives_jobs_(owner.pid == 0),
          journal_(Journal::open(journal_dir_)) {
        if (!outlives_jobs_) {
            dir_entry_ = journal_->add({Resource::Kind::directory, job_dir_.string(), {}, false, owner});
            try {
                owner_ = open_pidfd(owner.pid);
            } catch (const SystemError&) {  // the owner is gone already
            }
            if (!owner.alive()) {
                owner_.reset();
            }
        }
        const auto self = ProcessId::of(::getpid());
        write_file_atomically(job_dir_ / guardian_id_file, fmt::format("{} {}", self.pid, self.start_time),
                              0600);
    }

    void serve() {
        if (outlives_jobs_) {
            while (!may_end()) {
                wait();
            }
            return;
        }
        while (owner_) {
            wait();
        }
        end_all();
        std::error_code error;
        std::filesystem::remove_all(job_dir_, error);
        if (error) {
            dir_entry_.abandon();  // a task that dies just now still wrote there
        }
        // The job is over: what its killed tasks left goes now rather than with the next command.
        Journal::reap(journal_dir_);
    }

  private:
    /// Without an owner: whether nobody is left to serve and nothing to guard. Who connects holds the lock
    /// until he has been answered, so nobody comes to a guardian that is on its way out.
    bool may_end() {
        const bool idle = had_clients_ && clients_.empty() &&
                          std::all_of(processes_.begin(), processes_.end(),
                                      [](const Guarded& process) { return process.status.has_value(); });
        if (!idle) {
            return false;
        }
        const auto lock = FileLock::try_take(job_dir_ / guardian_lock_file, FileLock::Mode::exclusive,
                                             fmt::format("guardian {}", ::getpid()));
        if (pollfd next{listener_.get(), POLLIN, 0}; !lock || ::poll(&next, 1, 0) > 0) {
            return false;
        }
        ::unlink((job_dir_ / "guardian").c_str());
        ::unlink((job_dir_ / guardian_id_file).c_str());
        return true;
    }

    void wait() {
        PollSet set;
        const auto owner = set.add(owner_.get(), POLLIN);
        const auto next_client = set.add(listener_.get(), POLLIN);
        for (auto& client : clients_) {
            client.ticket = set.add(client.socket.get(), POLLIN);
        }
        for (auto& process : processes_) {
            process.ticket = set.add(process.status || process.traced ? -1 : process.child.pidfd(), POLLIN);
        }
        const bool traced = std::any_of(processes_.begin(), processes_.end(),
                                        [](const Guarded& process) { return process.traced; });
        set.wait(traced ? Deadline::after(tracer_pause) : Deadline::never());
        if (set.ready(owner)) {
            owner_.reset();
            return;
        }
        for (auto& process : processes_) {
            if (set.ready(process.ticket) || process.traced) {
                collect(process);
            }
        }
        forget_dead();
        for (auto client = clients_.begin(); client != clients_.end();) {
            const bool goes = set.ready(client->ticket) && !serve_client(*client);
            if (goes) {
                drop(*client);
            }
            client = goes ? clients_.erase(client) : std::next(client);
        }
        forget_dead();
        if (set.ready(next_client)) {
            accept_client();
        }
    }

    void accept_client() {
        UniqueFd socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
        ucred peer{};
        socklen_t size = sizeof peer;
        if (socket && ::getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
            (peer.uid == ::geteuid() || peer.uid == 0)) {
            clients_.emplace_back().socket = std::move(socket);
            had_clients_ = true;
        }
    }

    /// Answers one request; false once the client is gone.
    bool serve_client(Client& client) {
        try {
            auto packet = receive_packet(client.socket.get(), Deadline::after(Seconds(0)));
            if (!packet) {
                return false;
            }
            answer(client, std::move(*packet));
            return true;
        } catch (const Error& error) {
            log::warning("a client is dropped: {}", error.what());
            return false;
        }
    }

    void answer(Client& client, Packet packet) {
        Answer answer;
        std::uint64_t id = 0;
        try {
            const auto request = json::parse(packet.text);
            id = request.value("id", std::uint64_t{0});
            if (packet.fds_lost) {
                throw Error("the guardian has too many open files to take the descriptors of a request");
            }
            dispatch(client, request, packet, answer);
        } catch (const NotFoundError& error) {
            answer = {{{"error", error.what()}, {"kind", "not_found"}}, {}, false};
        } catch (const SystemError& error) {
            answer = {{{"error", error.what()}, {"kind", "system"}}, {}, false};
        } catch (const std::exception& error) {
            answer = {{{"error", error.what()}, {"kind", "other"}}, {}, false};
        }
        if (!answer.later) {
            answer.reply["id"] = id;
            send_packet(client.socket.get(), answer.reply, answer.fds);
        }
    }

    void dispatch(Client& client, const json& request, Packet& packet, Answer& answer) {
        const auto op = request.at("op").get<std::string>();
        const auto name = request.at("name").get<std::string>();
        if (op == "start") {
            answer.reply["process"] = answer.describe(start(client, name, request, packet));
        } else if (op == "hold") {
            if (packet.fds.empty()) {
                throw Error("a lock to hold came without its descriptor");
            }
            client.locks->push_back(std::move(packet.fds.front()));
        } else if (op == "adopt") {
            adopt(client, name, answer);
        } else if (op != "hello") {
            auto* process = find(name);
            if (process == nullptr || process->lessee != &client || process->dying) {
                throw Error(fmt::format("no process {} is leased by this task", name));
            }
            dispatch_leased(*process, op, {&client, request.value("id", std::uint64_t{0})}, answer);
        }
    }

    void dispatch_leased(Guarded& process, const std::string& op, const Waiting& asker, Answer& answer) {
        if (op == "keep") {
            for_lease(process, [](Guarded& member) {
                member.kept = true;
                member.lessee = nullptr;
            });
        } else if (op == "end") {
            for_lease(process, [&](Guarded& member) { end(member); });
            if (!process.status) {
                process.waiting.push_back(asker);
                answer.later = true;
            }
        } else if (op == "status") {
            // The client may have learned of the end from the pidfd before this loop has.
            collect(process);
            answer.reply = status_of(process);
        } else if (op == "companions") {
            answer.reply["dead"] = dead_companions(process);
        } else {
            throw Error(fmt::format("{} is no request of the guardian", op));
        }
    }

    static json status_of(const Guarded& process) {
        if (!process.status) {
            return {{"running", true}};
        }
        return {{"code", process.status->code},
                {"signal", process.status->signal},
                {"core", process.status->core}};
    }

    std::vector<std::string> dead_companions(const Guarded& of) {
        std::vector<std::string> dead;
        for (auto& process : processes_) {
            if (process.companion_of == of.name && collect(process)) {
                dead.push_back(fmt::format(
                    "{} (process {}), a companion of {}, {} {}", process.name, process.id.pid, of.name,
                    process.status->signal == 0 ? "ended with" : "was", process.status->text()));
            }
        }
        return dead;
    }

    void adopt(const Client& client, const std::string& name, Answer& answer) {
        auto* process = find(name);
        if (process == nullptr || !process->kept || process->lessee != nullptr || process->status ||
            process->dying || !process->companion_of.empty()) {
            answer.reply["none"] = true;
            return;
        }
        answer.reply["process"] = answer.describe(*process);
        answer.reply["companions"] = json::array();
        for_lease(*process, [&](Guarded& member) {
            member.lessee = &client;
            member.kept = false;
            if (&member != process) {
                answer.reply["companions"].push_back(answer.describe(member));
            }
        });
    }

    /// Calls \p action for \p process and, unless it is one, for its companions.
    template <typename Action>
    void for_lease(Guarded& process, const Action& action) {
        const auto* lessee = process.lessee;
        action(process);
        for (auto& other : processes_) {
            if (other.companion_of == process.name && other.lessee == lessee) {
                action(other);
            }
        }
    }

    const Guarded& start(const Client& client, const std::string& name, const json& request,
                         const Packet& packet) {
        forget_ended(name);
        if (const auto* other = find(name); other != nullptr) {
            throw Error(fmt::format("a process {} {} in this job", name,
                                    other->dying ? "has been killed but is not dead yet" : "runs already"));
        }
        if (packet.fds.empty()) {
            throw Error("a process to guard came without a descriptor for its output");
        }
        Command command;
        command.argv = request.at("argv").get<std::vector<std::string>>();
        command.working_dir = request.value("cwd", "");
        command.environment = request.value("env", std::map<std::string, std::string>());
        command.exact_environment = request.value("exact_env", false);
        Guarded process;
        process.name = name;
        process.companion_of = request.value("companion_of", "");
        const auto null = open_null();
        const int output = packet.fds.front().get();
        std::vector<BoundFd> bound{{null.get(), 0}, {output, 1}, {output, 2}};
        std::size_t place = 1;
        for (const auto& passed : request.value("fds", json::array())) {
            const int fd = packet.fds.at(place++).get();
            if (const int at = passed.at("at"); at > 2) {
                bound.push_back({fd, at});
            } else if (at >= 0) {
                throw Error(fmt::format("descriptor {} of a guarded process is its standard stream", at));
            }
            if (passed.at("held")) {
                process.held.push_back({passed.at("name"), duplicate_fd(fd)});
            }
        }
        // From here on the handle owns the child: if a later step throws it is killed and reaped.
        process.child = spawn(command, bound);
        process.id = ProcessId::of(process.child.pid());
        process.lessee = &client;
        process.entry = journal_->add({Resource::Kind::process, name, process.id, false});
        processes_.push_back(std::move(process));
        return processes_.back();
    }

    Guarded* find(const std::string& name) {
        const auto found = std::find_if(processes_.begin(), processes_.end(),
                                        [&](const Guarded& process) { return process.name == name; });
        return found == processes_.end() ? nullptr : &*found;
    }

    /// Reaps \p process if it has ended; true if it has. Never waits.
    bool collect(Guarded& process) {
        if (process.status || !process.child.ended()) {
            return process.status.has_value();
        }
        process.status = process.child.try_reap();
        process.traced = !process.status;
        if (process.traced) {
            return false;
        }
        process.entry = {};
        process.held.clear();
        for (const auto& [client, id] : process.waiting) {
            try {
                send_packet(client->socket.get(), {{"id", id}});
            } catch (const Error& error) {
                log::debug("nobody hears that {} is dead: {}", process.name, error.what());
            }
        }
        process.waiting.clear();
        if (process.companion_of.empty() && process.lessee == nullptr) {
            // Nobody is there who could use what served it.
            for (auto& other : processes_) {
                if (other.companion_of == process.name) {
                    end(other);
                }
            }
        } else if (!process.companion_of.empty() && !process.dying) {
            log::warning("{} (process {}), a companion of {}, {} {}", process.name, process.id.pid,
                         process.companion_of, process.status->signal == 0 ? "ended with" : "was",
                         process.status->text());
        }
        return true;
    }

    /// SIGKILL; the loop does the rest when it is dead, which it may be at once.
    void end(Guarded& process) {
        process.dying = true;
        if (!process.status) {
            process.child.signal_group(SIGKILL);
            collect(process);
        }
    }

    /// Those that were to die and are dead.
    void forget_dead() {
        processes_.remove_if(
            [](const Guarded& process) { return process.dying && process.status.has_value(); });
    }
    void forget_ended(const std::string& name) {
        processes_.remove_if(
            [&](const Guarded& process) { return process.name == name && process.status.has_value(); });
    }

    void drop(const Client& client) {
        for (auto& process : processes_) {
            auto& waiting = process.waiting;
            waiting.erase(std::remove_if(waiting.begin(), waiting.end(),
                                         [&](const Waiting& asker) { return asker.client == &client; }),
                          waiting.end());
            if (process.lessee == &client) {
                process.lessee = nullptr;
                process.locks = client.locks;
                if (!process.dying) {
                    log::info("the task that leased {} is gone: killing it", process.name);
                    end(process);
                }
            }
        }
    }

    /// Kills all and waits a while; what cannot die is left to the journal, which still lists it.
    void end_all() {
        for (auto& process : processes_) {
            end(process);
        }
        const auto deadline = Deadline::after(last_wait);
        for (auto& process : processes_) {
            if (!process.status && !process.child.reap(deadline)) {
                log::warning("{} (process {}) does not die and is left behind", process.name, process.id.pid);
                process.entry.abandon();
                process.child.release();
            }
        }
        processes_.clear();
    }

    UniqueFd listener_;
    std::filesystem::path job_dir_;
    std::filesystem::path journal_dir_;
    const bool outlives_jobs_;
    bool had_clients_ = false;
    UniqueFd owner_;
    std::shared_ptr<Journal> journal_;
    JournalEntry dir_entry_;
    std::list<Client> clients_;
    std::list<Guarded> processes_;
};

}  // namespace

int serve_guardian(int listener, const std::filesystem::path& job_dir, const ProcessId& owner,
                   const std::filesystem::path& journal) {
    try {
        GuardianServer(UniqueFd(listener), job_dir, owner, journal).serve();
        return 0;
    } catch (const std::exception& error) {
        log::error("the guardian of {} ends: {}", job_dir.string(), error.what());
        return 1;
    }
}

}  // namespace vt::process

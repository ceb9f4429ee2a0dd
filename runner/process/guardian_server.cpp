// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/io/seqpacket.hpp"
#include "runner/process/guardian.hpp"
#include "runner/process/spawn.hpp"
#include "runner/support/file.hpp"
#include "runner/support/file_lock.hpp"
#include "runner/support/log.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <list>

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
    std::vector<UniqueFd> locks;  ///< closed with it, after its processes have ended
};

/// A process under guard.
struct Ward {
    std::string name;
    ProcessId id;
    ChildHandle child;
    const Client* lessee = nullptr;  ///< nobody: kept for the job
    bool kept = false;
    std::optional<ExitStatus> status;
    JournalEntry entry;
};

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
                          std::all_of(wards_.begin(), wards_.end(),
                                      [](const Ward& ward) { return ward.status.has_value(); });
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
        std::vector<pollfd> fds{{owner_.get(), POLLIN, 0}, {listener_.get(), POLLIN, 0}};
        for (const auto& client : clients_) {
            fds.push_back({client.socket.get(), POLLIN, 0});
        }
        const auto clients = clients_.size();
        for (const auto& ward : wards_) {
            fds.push_back({ward.status ? -1 : ward.child.pidfd(), POLLIN, 0});
        }
        if (::poll(fds.data(), fds.size(), -1) < 0) {
            if (errno != EINTR) {
                throw SystemError("the guardian cannot wait", errno);
            }
            return;
        }
        if (fds[0].revents != 0) {
            owner_.reset();
            return;
        }
        auto ready = fds.begin() + 2 + static_cast<std::ptrdiff_t>(clients);
        for (auto& ward : wards_) {
            if ((ready++)->revents != 0) {
                collect(ward);
            }
        }
        ready = fds.begin() + 2;
        for (auto client = clients_.begin();
             ready != fds.begin() + 2 + static_cast<std::ptrdiff_t>(clients);) {
            const bool goes = (ready++)->revents != 0 && !serve_client(*client);
            if (goes) {
                drop(*client);
            }
            client = goes ? clients_.erase(client) : std::next(client);
        }
        if (fds[1].revents != 0) {
            accept_client();
        }
    }

    void accept_client() {
        UniqueFd socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
        ucred peer{};
        socklen_t size = sizeof peer;
        if (socket && ::getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
            (peer.uid == ::geteuid() || peer.uid == 0)) {
            clients_.push_back({std::move(socket), {}});
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
        int fd = -1;
        json reply;
        try {
            const auto request = json::parse(packet.text);
            reply = handle(client, request, packet.fd, fd);
        } catch (const NotFoundError& error) {
            reply = {{"error", error.what()}, {"kind", "not_found"}};
        } catch (const SystemError& error) {
            reply = {{"error", error.what()}, {"kind", "system"}};
        } catch (const std::exception& error) {
            reply = {{"error", error.what()}, {"kind", "other"}};
        }
        send_packet(client.socket.get(), reply, fd);
    }

    json handle(Client& client, const json& request, UniqueFd& sent, int& reply_fd) {
        const auto op = request.at("op").get<std::string>();
        const auto name = request.at("name").get<std::string>();
        if (op == "start") {
            const auto& ward = start(client, name, request, sent.get());
            reply_fd = ward.child.pidfd();
            return {{"pid", ward.id.pid}, {"start", ward.id.start_time}};
        }
        if (op == "hello") {
            return json::object();
        }
        if (op == "hold") {
            if (!sent) {
                throw Error("a lock to hold came without its descriptor");
            }
            client.locks.push_back(std::move(sent));
            return json::object();
        }
        auto* ward = find(name);
        if (op == "adopt") {
            if (ward == nullptr || !ward->kept || ward->lessee != nullptr || ward->status) {
                return {{"none", true}};
            }
            ward->lessee = &client;
            ward->kept = false;
            reply_fd = ward->child.pidfd();
            return {{"pid", ward->id.pid}, {"start", ward->id.start_time}};
        }
        if (ward == nullptr || ward->lessee != &client) {
            throw Error(fmt::format("no process {} is leased by this task", name));
        }
        if (op == "keep") {
            ward->kept = true;
            ward->lessee = nullptr;
        } else if (op == "end") {
            end(*ward);
            wards_.remove_if([&](const Ward& other) { return &other == ward; });
        } else if (op == "status") {
            // The client may have heard of the end from the pidfd before this loop has.
            if (pollfd ended{ward->child.pidfd(), POLLIN, 0}; ::poll(&ended, 1, 0) > 0) {
                collect(*ward);
            }
            if (!ward->status) {
                return {{"running", true}};
            }
            return {
                {"code", ward->status->code}, {"signal", ward->status->signal}, {"core", ward->status->core}};
        } else {
            throw Error(fmt::format("{} is no request of the guardian", op));
        }
        return json::object();
    }

    const Ward& start(const Client& client, const std::string& name, const json& request, int output) {
        wards_.remove_if([&](const Ward& ward) { return ward.name == name && ward.status.has_value(); });
        if (find(name) != nullptr) {
            throw Error(fmt::format("a process {} runs already in this job", name));
        }
        if (output < 0) {
            throw Error("a process to guard came without a descriptor for its output");
        }
        Command command;
        command.argv = request.at("argv").get<std::vector<std::string>>();
        command.working_dir = request.value("cwd", "");
        command.environment = request.value("env", std::map<std::string, std::string>());
        const UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
        Ward ward;
        ward.name = name;
        ward.child = spawn(command, {{null.get(), 0}, {output, 1}, {output, 2}});
        ward.id = ProcessId::of(ward.child.pid());
        ward.lessee = &client;
        ward.entry = journal_->add({Resource::Kind::process, name, ward.id, false});
        wards_.push_back(std::move(ward));
        return wards_.back();
    }

    Ward* find(const std::string& name) {
        const auto found =
            std::find_if(wards_.begin(), wards_.end(), [&](const Ward& ward) { return ward.name == name; });
        return found == wards_.end() ? nullptr : &*found;
    }

    static void collect(Ward& ward) {
        if (!ward.status) {
            ward.status = ward.child.reap(Deadline::never());
            ward.entry = {};
        }
    }

    static void end(Ward& ward) {
        if (!ward.status) {
            ward.child.signal_group(SIGKILL);
            collect(ward);
        }
    }

    void drop(const Client& client) {
        for (auto& ward : wards_) {
            if (ward.lessee == &client) {
                log::info("the task that leased {} is gone: killing it", ward.name);
                end(ward);
            }
        }
        wards_.remove_if([&](const Ward& ward) { return ward.lessee == &client; });
    }

    void end_all() {
        for (auto& ward : wards_) {
            if (!ward.status) {
                ward.child.signal_group(SIGKILL);
            }
        }
        for (auto& ward : wards_) {
            collect(ward);
        }
        wards_.clear();
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
    std::list<Ward> wards_;
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

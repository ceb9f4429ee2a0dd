// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Stands in for QEMU where only the processes, sockets and files around a machine matter.
///
/// It takes the command line that the runner makes for QEMU and makes of the host what QEMU would: its
/// sockets (removed at a clean end, left behind by SIGKILL), its locks on images, its taps, its forwarded
/// port, behind which an SSH server lets one in to a shell. It "boots" at once. The option -fake, of this
/// program only, is a list of what it should do otherwise:
///
///     boot=SECONDS    nobody answers at the SSH port before
///     down=SECONDS    what it takes to go down after the power button
///     deaf=quit       the monitor's quit and the power button do nothing; also deaf=term, deaf=quit+term
///     password=WORD   of the SSH server
#include "runner/session/ssh_server_for_test.hpp"
#include "runner/support/error.hpp"
#include "runner/support/strings.hpp"

#include <chrono>
#include <cstdio>
#include <list>
#include <map>
#include <optional>
#include <set>

#include <fmt/core.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <nlohmann/json.hpp>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/un.h>

namespace vt {
namespace {

using nlohmann::json;
using Values = std::map<std::string, std::string>;

/// "kind,name=value,…" as QEMU reads it; the word without a name is the value of "".
Values parse_option(const std::string& text) {
    Values values;
    std::string word;
    const auto take = [&] {
        const auto equals = word.find('=');
        // A second hostfwd is a value of its own.
        auto name = equals == std::string::npos ? "" : word.substr(0, equals);
        while (values.contains(name)) {
            name += '+';
        }
        values[name] = equals == std::string::npos ? word : word.substr(equals + 1);
        word.clear();
    };
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == ',' && i + 1 < text.size() && text[i + 1] == ',') {
            word += text[i++];
        } else if (text[i] == ',') {
            take();
        } else {
            word += text[i];
        }
    }
    take();
    return values;
}

/// The same of the JSON form: a device's driver and a netdev's type are the word without a name.
Values parse_json_option(const std::string& text) {
    Values values;
    const auto add = [&](std::string name, const json& value) {
        while (values.contains(name)) {
            name += '+';
        }
        values[name] = value.is_string() ? value.get<std::string>() : value.dump();
    };
    const auto object = json::parse(text);
    for (const auto& [name, value] : object.items()) {
        if (value.is_array()) {
            for (const auto& element : value) {
                add(name, element.is_object() && element.contains("str") ? element["str"] : element);
            }
        } else {
            add(name, value);
        }
    }
    values[""] = object.value("type", object.value("driver", ""));
    return values;
}

/// Asked what a machine could have, the one whose command line is taken answers: the real QEMU.
void answer_as_qemu(int argc, char** argv) {
    for (int i = 1; i + 1 < argc; ++i) {
        if (std::string_view(argv[i]) == "-machine" && std::string_view(argv[i + 1]).starts_with("none")) {
            ::execvp("qemu-system-x86_64", argv);
            throw SystemError("cannot run qemu-system-x86_64", errno);
        }
    }
}

/// What of the command line matters here.
struct Machine {
    std::map<std::string, std::string> chardevs;  ///< socket paths by id
    std::set<std::string> monitors;               ///< ids of those that speak QMP
    std::vector<std::string> images;
    std::vector<std::string> taps;
    int ssh_port = 0;
    bool paused = false;
    Values fake;

    static Machine parse(int argc, char** argv) {
        Machine machine;
        for (int i = 1; i < argc; ++i) {
            const std::string option = argv[i];
            if (option == "-S") {
                machine.paused = true;
            } else if (i + 1 < argc && argv[i + 1][0] != '-') {
                const std::string value = argv[++i];
                machine.take(option, value.starts_with('{') ? parse_json_option(value) : parse_option(value));
            }
        }
        return machine;
    }

    bool deaf(const char* to) const {
        const auto found = fake.find("deaf");
        return found != fake.end() && found->second.find(to) != std::string::npos;
    }
    double seconds(const char* of) const {
        const auto found = fake.find(of);
        return found == fake.end() ? 0 : std::stod(found->second);
    }

  private:
    void take(const std::string& option, Values values) {
        if (option == "-chardev" && values[""] == "socket") {
            chardevs[values["id"]] = values["path"];
        } else if (option == "-mon" && values["mode"] == "control") {
            monitors.insert(values["chardev"]);
        } else if (option == "-blockdev" && values["driver"] == "file") {
            images.push_back(values["filename"]);
        } else if (option == "-netdev" && values[""] == "tap") {
            taps.push_back(values["ifname"]);
        } else if (option == "-netdev") {
            for (const auto& [name, value] : values) {
                // tcp:127.0.0.1:PORT-:22
                if (name.starts_with("hostfwd") && value.ends_with("-:22")) {
                    ssh_port = std::stoi(value.substr(value.find(':', 4) + 1));
                }
            }
        } else if (option == "-device" && values[""] == "isa-debug-exit") {
            throw Error("this machine is no accelerator's test guest");
        } else if (option == "-fake") {
            fake = std::move(values);
        }
    }
};

/// QEMU's marks on an image that is written to (block/file-posix.c), and its refusal of one that is.
UniqueFd lock_image(const std::string& path) {
    UniqueFd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC));
    if (!fd) {
        throw SystemError("Could not open '" + path + "'", errno);
    }
    struct flock lock {};
    lock.l_whence = SEEK_SET;
    lock.l_start = 101;
    lock.l_len = 1;
    lock.l_type = F_WRLCK;
    if (::fcntl(fd.get(), F_OFD_GETLK, &lock) != 0 || lock.l_type != F_UNLCK) {
        throw Error("Failed to get \"write\" lock");
    }
    lock = {};
    lock.l_whence = SEEK_SET;
    lock.l_start = 100;
    lock.l_len = 4;
    lock.l_type = F_RDLCK;
    if (::fcntl(fd.get(), F_OFD_SETLK, &lock) != 0) {
        throw SystemError("Failed to lock byte 100", errno);
    }
    return fd;
}

/// A tap that goes with its descriptor.
UniqueFd make_tap(const std::string& name) {
    UniqueFd fd(::open("/dev/net/tun", O_RDWR | O_CLOEXEC));
    ifreq request{};
    std::strncpy(request.ifr_name, name.c_str(), IFNAMSIZ - 1);
    request.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
    if (!fd || ::ioctl(fd.get(), TUNSETIFF, &request) != 0) {
        throw SystemError("could not configure /dev/net/tun (" + name + ")", errno);
    }
    return fd;
}

UniqueFd listen_at(const std::string& path) {
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    ::unlink(path.c_str());
    if (!fd || ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(fd.get(), 1) != 0) {
        throw SystemError("Failed to bind socket to " + path, errno);
    }
    return fd;
}

/// A character device's peer, and what it sent that is no whole line yet.
struct Peer {
    UniqueFd fd;
    std::string text;
    bool is_monitor = false;
};

class Running {
  public:
    explicit Running(Machine machine) : machine_(std::move(machine)) {
        sigset_t set;
        sigemptyset(&set);
        for (const int number : {SIGTERM, SIGINT, SIGHUP}) {
            sigaddset(&set, number);
        }
        ::sigprocmask(SIG_BLOCK, &set, nullptr);
        signals_.reset(::signalfd(-1, &set, SFD_CLOEXEC));
        timer_.reset(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC));
        for (const auto& image : machine_.images) {
            images_.push_back(lock_image(image));
        }
        for (const auto& tap : machine_.taps) {
            taps_.push_back(make_tap(tap));
        }
        if (machine_.ssh_port != 0) {
            TestSshServer::Options options;
            options.port = machine_.ssh_port;
            options.deaf_for = Seconds(machine_.seconds("boot"));
            options.password = machine_.fake.contains("password") ? machine_.fake["password"] : "123456";
            server_.emplace(options);
        }
        for (const auto& [id, path] : machine_.chardevs) {
            listeners_.emplace(id, listen_at(path));
        }
    }

    [[noreturn]] void live() {
        for (;;) {
            turn();
        }
    }

    /// QEMU's end: it takes its sockets with it.
    [[noreturn]] void end() {
        for (const auto& [id, path] : machine_.chardevs) {
            ::unlink(path.c_str());
        }
        ::_exit(0);
    }

  private:
    void turn() {
        std::vector<pollfd> fds{{signals_.get(), POLLIN, 0}, {timer_.get(), POLLIN, 0}};
        for (const auto& [id, fd] : listeners_) {
            fds.push_back({fd.get(), POLLIN, 0});
        }
        for (const auto& peer : peers_) {
            fds.push_back({peer.fd.get(), POLLIN, 0});
        }
        if (::poll(fds.data(), fds.size(), -1) < 0) {
            return;
        }
        if (fds[0].revents != 0) {
            signalfd_siginfo info{};
            [[maybe_unused]] const auto size = ::read(signals_.get(), &info, sizeof info);
            if (!machine_.deaf("term")) {
                end();
            }
        }
        if (fds[1].revents != 0) {
            tell_all({{"event", "SHUTDOWN"}, {"data", {{"guest", true}, {"reason", "guest-shutdown"}}}});
            end();
        }
        auto ready = fds.begin() + 2 + static_cast<std::ptrdiff_t>(listeners_.size());
        for (auto peer = peers_.begin(); peer != peers_.end();) {
            const bool gone = (ready++)->revents != 0 && !hear(*peer);
            peer = gone ? peers_.erase(peer) : std::next(peer);
        }
        ready = fds.begin() + 2;
        for (const auto& [id, fd] : listeners_) {
            if ((ready++)->revents != 0) {
                greet(id, UniqueFd(::accept4(fd.get(), nullptr, nullptr, SOCK_CLOEXEC)));
            }
        }
    }

    void greet(const std::string& id, UniqueFd fd) {
        Peer peer{std::move(fd), {}, machine_.monitors.contains(id)};
        if (peer.is_monitor) {
            tell(peer,
                 {{"QMP",
                   {{"version", {{"qemu", {{"major", 7}, {"minor", 2}, {"micro", 0}}}, {"package", "fake"}}},
                    {"capabilities", json::array()}}}});
        } else {
            say(peer, "\r\nFake machine\r\n\r\nfake login: ");
        }
        peers_.push_back(std::move(peer));
    }

    /// False once the peer is gone.
    bool hear(Peer& peer) {
        std::array<char, 65536> chunk{};
        const auto size = ::read(peer.fd.get(), chunk.data(), chunk.size());
        if (size <= 0) {
            return false;
        }
        if (!peer.is_monitor) {
            return true;
        }
        peer.text.append(chunk.data(), static_cast<std::size_t>(size));
        for (auto end = peer.text.find('\n'); end != std::string::npos; end = peer.text.find('\n')) {
            const auto request = json::parse(peer.text.substr(0, end), nullptr, false);
            peer.text.erase(0, end + 1);
            if (request.is_object()) {
                obey(peer, request);
            }
        }
        return true;
    }

    void obey(const Peer& peer, const json& request) {
        const auto command = request.value("execute", "");
        const bool quits = command == "quit" && !machine_.deaf("quit");
        json reply{{"return", json::object()}};
        if (command == "query-status") {
            reply["return"] = {{"status", machine_.paused ? "paused" : "running"},
                               {"running", !machine_.paused}};
        } else if (command == "human-monitor-command") {
            reply["return"] = "";
        } else if (command == "query-commands") {
            reply["return"] = json::array();
        } else if (command == "cont" || command == "stop") {
            machine_.paused = command == "stop";
        } else if (command.starts_with("query-")) {
            reply = {{"error",
                      {{"class", "CommandNotFound"}, {"desc", "a fake machine does not know " + command}}}};
        }
        if (request.contains("id")) {
            reply["id"] = request["id"];
        }
        tell(peer, reply);
        if (quits) {
            tell_all({{"event", "SHUTDOWN"}, {"data", {{"guest", false}, {"reason", "host-qmp-quit"}}}});
            end();
        }
        if (command == "cont" || command == "stop") {
            tell_all({{"event", command == "cont" ? "RESUME" : "STOP"}});
        } else if (command == "system_powerdown") {
            tell_all({{"event", "POWERDOWN"}});
            if (!machine_.deaf("quit")) {
                go_down_later();
            }
        }
    }

    void go_down_later() const {
        const auto ns = static_cast<long>(std::max(machine_.seconds("down"), 0.001) * 1e9);
        const itimerspec when{{0, 0}, {ns / 1'000'000'000, ns % 1'000'000'000}};
        ::timerfd_settime(timer_.get(), 0, &when, nullptr);
    }

    static void say(const Peer& peer, std::string_view text) {
        ::send(peer.fd.get(), text.data(), text.size(), MSG_NOSIGNAL);
    }

    static void tell(const Peer& peer, const json& message) { say(peer, message.dump() + "\r\n"); }

    void tell_all(json event) {
        const auto now = std::chrono::duration_cast<std::chrono::microseconds>(
                             std::chrono::system_clock::now().time_since_epoch())
                             .count();
        event["timestamp"] = {{"seconds", now / 1'000'000}, {"microseconds", now % 1'000'000}};
        for (const auto& peer : peers_) {
            if (peer.is_monitor) {
                tell(peer, event);
            }
        }
    }

    Machine machine_;
    UniqueFd signals_;
    UniqueFd timer_;
    std::vector<UniqueFd> images_;
    std::vector<UniqueFd> taps_;
    std::optional<TestSshServer> server_;
    std::map<std::string, UniqueFd> listeners_;
    std::list<Peer> peers_;
};

}  // namespace
}  // namespace vt

int main(int argc, char** argv) {
    try {
        vt::answer_as_qemu(argc, argv);
        vt::Running machine(vt::Machine::parse(argc, argv));
        machine.live();
    } catch (const std::exception& error) {
        fmt::print(stderr, "fake_machine: {}\n", error.what());
        return 1;
    }
}

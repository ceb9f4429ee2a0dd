// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/vm/qemu/port_knock.hpp"

#include "runner/io/io_loop.hpp"
#include "runner/io/socket.hpp"
#include "runner/monitor/qmp.hpp"
#include "runner/support/deadline.hpp"
#include "runner/support/error.hpp"
#include "runner/support/log.hpp"
#include "runner/support/strings.hpp"
#include "runner/support/unique_fd.hpp"

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <optional>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/un.h>

namespace vt::qemu {
namespace asio = boost::asio;
namespace {

constexpr Seconds monitor_patience{5};
/// Between two questions while the guest shows signs of life on its network, and before. An unanswered frame
/// may wait in QEMU until the guest has a driver for its NIC, so there are few of them.
constexpr std::chrono::milliseconds quick_interval{250};
constexpr std::chrono::milliseconds slow_interval{1000};
/// Questions after the guest's last frame that are asked quickly.
constexpr int quick_questions = 40;
/// If none of so many frames of ours is seen to pass, the filters are not what they were taken for.
constexpr int trial_questions = 5;
/// Of each frame: the headers, with options.
constexpr int kept_of_frame = 96;
/// Source ports below those that programs of the host get for their connections, which user-mode networking
/// keeps on the guest's side.
constexpr unsigned first_port = 512;
constexpr unsigned port_count = 512;

constexpr std::size_t pcap_header_size = 24;
constexpr std::size_t pcap_record_size = 16;

std::uint32_t host_word(const std::string& bytes, std::size_t at) {
    std::uint32_t word = 0;
    std::memcpy(&word, bytes.data() + at, sizeof word);
    return word;
}

/// A socket at \p path for one peer of the same user.
UniqueFd listen_at(const std::filesystem::path& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.native().size() >= sizeof address.sun_path) {
        throw Error("the socket name " + path.native() + " is too long");
    }
    std::memcpy(address.sun_path, path.c_str(), path.native().size() + 1);
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd || ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(fd.get(), 1) != 0) {
        throw SystemError("listen at " + path.native(), errno);
    }
    return fd;
}

/// A file for QEMU and us that is nameless once both have it open.
class NamedForAMoment {
  public:
    explicit NamedForAMoment(std::filesystem::path path) : path_(std::move(path)) {}
    ~NamedForAMoment() {
        std::error_code ignored;
        std::filesystem::remove(path_, ignored);
    }
    NamedForAMoment(const NamedForAMoment&) = delete;
    NamedForAMoment& operator=(const NamedForAMoment&) = delete;
    const std::filesystem::path& path() const { return path_; }

  private:
    std::filesystem::path path_;
};

}  // namespace

/// What goes on in the background; but for the state everything is touched on the loop's thread only.
struct PortKnock::Watch : std::enable_shared_from_this<PortKnock::Watch> {
    Watch(IoLoop& its_loop, const KnockEnds& its_ends)
        : loop(its_loop),
          ends(its_ends),
          changed(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
          timer(its_loop.context()),
          news(its_loop.context()) {
        if (!changed) {
            throw SystemError("make an event descriptor", errno);
        }
    }

    void become(State next);
    void ask();
    void ask_later();
    void await_news();
    void read_news();
    void take_frame(std::string_view frame);
    void give_up(const std::string& why);
    void stop();

    IoLoop& loop;
    const KnockEnds ends;
    UniqueFd changed;
    std::mutex mutex;  ///< guards the state
    State state = State::absent;

    asio::steady_timer timer;
    asio::posix::stream_descriptor news;  ///< inotify: the dump has grown
    UniqueFd to_guest, dump;
    std::string unread;  ///< of the dump
    bool header_read = false;
    std::optional<MacBytes> guest_mac;
    unsigned asked = 0, asked_since_news = 0;
    bool own_seen = false;
    bool stopped = false;
};

void PortKnock::Watch::become(State next) {
    const std::lock_guard lock(mutex);
    if (std::exchange(state, next) != next) {
        ::eventfd_write(changed.get(), 1);
    }
}

void PortKnock::Watch::give_up(const std::string& why) {
    log::info(
        "What the guest's network shows cannot be used ({}): connections have to find out whether it "
        "listens",
        why);
    stop();
    become(State::unknown);
}

void PortKnock::Watch::stop() {
    stopped = true;
    timer.cancel();
    boost::system::error_code ignored;
    news.close(ignored);
    to_guest.reset();
    dump.reset();
}

void PortKnock::Watch::ask() {
    if (stopped) {
        return;
    }
    if (asked >= trial_questions && !own_seen) {
        give_up("QEMU's filters do not pass on frames");
        return;
    }
    if (asked_since_news >= quick_questions) {
        guest_mac.reset();  // a guest that has started anew may have another
    }
    const auto port = static_cast<std::uint16_t>(first_port + asked % port_count);
    const auto frame = guest_mac ? tcp_syn(ends, *guest_mac, port) : arp_request(ends);
    const auto size = static_cast<unsigned char>(frame.size());
    const std::string message = std::string(3, '\0') + static_cast<char>(size) + frame;
    const auto sent = ::send(to_guest.get(), message.data(), message.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent != static_cast<ssize_t>(message.size())) {
        give_up(sent < 0 ? errno_text(errno) : "QEMU takes no frames");
        return;
    }
    ++asked;
    ++asked_since_news;
    ask_later();
}

void PortKnock::Watch::ask_later() {
    timer.expires_after(asked_since_news < quick_questions && own_seen && asked_since_news < asked
                            ? quick_interval
                            : slow_interval);
    timer.async_wait([self = shared_from_this()](const boost::system::error_code& error) {
        if (!error) {
            self->ask();
        }
    });
}

void PortKnock::Watch::await_news() {
    news.async_wait(asio::posix::descriptor_base::wait_read,
                    [self = shared_from_this()](const boost::system::error_code& error) {
                        if (error || self->stopped) {
                            return;
                        }
                        std::array<char, 4096> events;
                        while (::read(self->news.native_handle(), events.data(), events.size()) > 0) {
                        }
                        self->read_news();
                        if (!self->stopped) {
                            self->await_news();
                        }
                    });
}

void PortKnock::Watch::read_news() {
    std::array<char, 65536> chunk;
    for (ssize_t got = 0; (got = ::read(dump.get(), chunk.data(), chunk.size())) > 0;) {
        unread.append(chunk.data(), static_cast<std::size_t>(got));
        if (!header_read && unread.size() >= pcap_header_size) {
            header_read = true;
            unread.erase(0, pcap_header_size);
        }
        std::size_t at = 0;
        while (header_read && unread.size() - at >= pcap_record_size) {
            const std::size_t size = host_word(unread, at + 8);
            if (size > kept_of_frame) {
                give_up("the dump is not understood");
                return;
            }
            if (unread.size() - at < pcap_record_size + size) {
                break;
            }
            take_frame(std::string_view(unread).substr(at + pcap_record_size, size));
            at += pcap_record_size + size;
        }
        unread.erase(0, at);
    }
}

void PortKnock::Watch::take_frame(std::string_view frame) {
    const auto told = read_frame(frame, ends);
    if (told.from_asker) {
        own_seen = true;
        return;
    }
    // The first sign of life is answered at once: a guest whose interface has just come up.
    const bool woke = asked_since_news >= quick_questions || asked_since_news == asked;
    asked_since_news = 0;
    const bool address_new = told.guest_mac && guest_mac != told.guest_mac;
    if (told.guest_mac) {
        guest_mac = told.guest_mac;
    }
    const State now = [this] {
        const std::lock_guard lock(mutex);
        return state;
    }();
    if (told.listening == true) {
        timer.cancel();
        become(State::listening);
    } else if (told.listening == false && now == State::absent) {
        become(State::refusing);
    } else if ((woke || address_new) && now != State::listening) {
        timer.cancel();
        ask();
    }
}

PortKnock::PortKnock(const KnockPlace& place)
    : monitor_(place.monitor),
      id_("vt-knock-" + random_name().substr(0, 8)),
      watch_(std::make_shared<Watch>(place.loop, place.ends)) {
    const auto deadline = Deadline::after(monitor_patience);
    const NamedForAMoment socket(place.directory / (id_ + ".sock"));
    const NamedForAMoment dump(place.directory / (id_ + ".pcap"));
    UniqueFd news(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
    try {
        const auto listener = listen_at(socket.path());
        const nlohmann::json address = {{"type", "unix"}, {"data", {{"path", socket.path().native()}}}};
        const nlohmann::json data = {{"addr", address}, {"server", false}};
        monitor_.command("chardev-add",
                         {{"id", id_ + "-char"}, {"backend", {{"type", "socket"}, {"data", data}}}},
                         deadline);
        if (!wait_ready(listener.get(), POLLIN, deadline)) {
            throw TimeoutError("QEMU does not come to the runner's socket");
        }
        watch_->to_guest.reset(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
        monitor_.command("object-add",
                         {{"qom-type", "filter-redirector"},
                          {"id", id_ + "-in"},
                          {"netdev", place.netdev},
                          {"queue", "tx"},
                          {"indev", id_ + "-char"}},
                         deadline);
        monitor_.command("object-add",
                         {{"qom-type", "filter-dump"},
                          {"id", id_ + "-out"},
                          {"netdev", place.netdev},
                          {"queue", "all"},
                          {"maxlen", kept_of_frame},
                          {"file", dump.path().native()}},
                         deadline);
        watch_->dump.reset(::open(dump.path().c_str(), O_RDONLY | O_CLOEXEC));
        if (!watch_->to_guest || !watch_->dump || !news ||
            ::inotify_add_watch(news.get(), dump.path().c_str(), IN_MODIFY) < 0) {
            throw SystemError("watch " + dump.path().native(), errno);
        }
    } catch (...) {
        remove();
        throw;
    }
    place.loop.run_there([&] {
        watch_->news.assign(news.release());
        watch_->await_news();
        watch_->ask();
    });
}

PortKnock::~PortKnock() {
    watch_->loop.run_there([this] { watch_->stop(); });
    remove();
}

/// Takes out of QEMU what is there of the filters.
void PortKnock::remove() noexcept {
    try {
        const auto deadline = Deadline::after(monitor_patience);
        const auto send = [&](const char* command, const std::string& id) {
            // One that was not made is not there to be removed.
            monitor_.command_object({{"execute", command}, {"arguments", {{"id", id}}}}, deadline);
        };
        send("object-del", id_ + "-out");
        send("object-del", id_ + "-in");
        send("chardev-remove", id_ + "-char");
    } catch (const std::exception& error) {
        log::debug("The filters of a QEMU's network stay: {}", error.what());
    }
}

ServerSign::State PortKnock::look() {
    eventfd_t ignored = 0;
    ::eventfd_read(watch_->changed.get(), &ignored);
    const std::lock_guard lock(watch_->mutex);
    return watch_->state;
}

int PortKnock::fd() const {
    return watch_->changed.get();
}

void PortKnock::ask_again() {
    asio::post(watch_->loop.context(), [watch = watch_] {
        if (watch->stopped) {
            return;
        }
        {
            const std::lock_guard lock(watch->mutex);
            if (watch->state != State::listening) {
                return;  // asked anyway
            }
        }
        watch->become(State::absent);
        watch->ask();
    });
}

}  // namespace vt::qemu

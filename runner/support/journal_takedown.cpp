// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/support/journal_takedown.hpp"

#include "runner/support/error.hpp"
#include "runner/support/kernel_setting.hpp"
#include "runner/support/strings.hpp"
#include "runner/support/unique_fd.hpp"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <vector>

#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <poll.h>
#include <spawn.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace vt {
namespace fs = std::filesystem;
namespace {

bool take_down_process(const Resource& resource) {
    const UniqueFd handle(static_cast<int>(::syscall(SYS_pidfd_open, resource.process.pid, 0)));
    // The descriptor pins the number; only then is it worth asking whether it is still the same process.
    if (!handle || !resource.process.alive()) {
        return false;
    }
    if (::syscall(SYS_pidfd_send_signal, handle.get(), SIGKILL, nullptr, 0) != 0) {
        throw SystemError("cannot kill process " + std::to_string(resource.process.pid), errno);
    }
    return true;
}

ifreq interface_request(const std::string& name) {
    ifreq request{};
    std::strncpy(request.ifr_name, name.c_str(), IFNAMSIZ - 1);
    return request;
}

/// Taps and macvtaps alike (rtnetlink(7)).
bool take_down_tap(const std::string& name) {
    const unsigned index = ::if_nametoindex(name.c_str());
    if (index == 0) {
        return false;
    }
    struct {
        nlmsghdr header;
        ifinfomsg link;
    } request{};
    request.header.nlmsg_len = NLMSG_LENGTH(sizeof request.link);
    request.header.nlmsg_type = RTM_DELLINK;
    request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
    request.link.ifi_index = static_cast<int>(index);
    struct {
        nlmsghdr header;
        nlmsgerr error;
        char rest[512];
    } answer{};
    const UniqueFd control(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
    if (!control || ::send(control.get(), &request, request.header.nlmsg_len, 0) < 0 ||
        ::recv(control.get(), &answer, sizeof answer, 0) <
            static_cast<ssize_t>(NLMSG_LENGTH(sizeof(nlmsgerr)))) {
        throw SystemError("cannot remove the tap " + name, errno);
    }
    if (answer.error.error != 0) {
        throw SystemError("cannot remove the tap " + name, -answer.error.error);
    }
    return true;
}

bool take_down_bridge(const std::string& name) {
    if (::if_nametoindex(name.c_str()) == 0) {
        return false;
    }
    const UniqueFd control(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    auto request = interface_request(name);
    if (!control || ::ioctl(control.get(), SIOCSIFFLAGS, &request) != 0 ||
        ::ioctl(control.get(), SIOCBRDELBR, name.c_str()) != 0) {
        throw SystemError("cannot remove the bridge " + name, errno);
    }
    return true;
}

bool take_down_path(const fs::path& path) {
    std::error_code error;
    const auto count = fs::remove_all(path, error);
    if (error) {
        throw SystemError("cannot remove " + path.string(), error.value());
    }
    return count > 0;
}

bool take_down_mount(const std::string& path) {
    if (::umount2(path.c_str(), MNT_DETACH) == 0) {
        return true;
    }
    if (errno == EINVAL || errno == ENOENT) {
        return false;
    }
    throw SystemError("cannot unmount " + path, errno);
}

bool take_down_setting(const Resource& resource) {
    if (std::error_code error;
        !fs::exists(resource.name, error) || kernel_setting::read(resource.name) == resource.value) {
        return false;
    }
    kernel_setting::write(resource.name, resource.value);
    return true;
}

constexpr int command_patience = 60'000;  // ms

/// Its output goes nowhere, as whoever reaps has its own.
bool run_command(const std::string& lines) {
    auto words = split(lines, '\n');
    std::vector<char*> argv;
    for (auto& word : words) {
        argv.push_back(word.data());
    }
    argv.push_back(nullptr);
    const auto text = replace_all(lines, "\n", " ");
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    for (const int fd : {0, 1, 2}) {
        ::posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", fd == 0 ? O_RDONLY : O_WRONLY, 0);
    }
    pid_t child = 0;
    const int failed = ::posix_spawnp(&child, argv[0], &actions, nullptr, argv.data(), environ);
    ::posix_spawn_file_actions_destroy(&actions);
    if (failed != 0) {
        throw SystemError("cannot run \"" + text + "\"", failed);
    }
    const UniqueFd handle(static_cast<int>(::syscall(SYS_pidfd_open, child, 0)));
    pollfd ended{handle.get(), POLLIN, 0};
    const bool in_time = ::poll(&ended, 1, command_patience) != 0;
    if (!in_time) {
        ::kill(child, SIGKILL);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    if (!in_time || status != 0) {
        throw Error("\"" + text + "\" " + (in_time ? "failed" : "does not end"));
    }
    return true;
}

}  // namespace

bool take_down(const Resource& resource) {
    switch (resource.kind) {
        case Resource::Kind::process:
            return take_down_process(resource);
        case Resource::Kind::file:
        case Resource::Kind::directory:
            return take_down_path(resource.name);
        case Resource::Kind::tap:
            return take_down_tap(resource.name);
        case Resource::Kind::bridge:
            return take_down_bridge(resource.name);
        case Resource::Kind::mount:
            return take_down_mount(resource.name);
        case Resource::Kind::setting:
            return take_down_setting(resource);
        case Resource::Kind::command:
            return run_command(resource.name);
    }
    return false;
}

}  // namespace vt

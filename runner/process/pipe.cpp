// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/process/pipe.hpp"

#include "runner/support/error.hpp"
#include "runner/support/fault.hpp"
#include "runner/support/file.hpp"

#include <array>
#include <cerrno>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

namespace vt::process {
namespace {

void fail_if_injected(const char* what) {
    if (const int error = fault::at(fault::Point::descriptor, what); error != 0) {
        throw SystemError(std::string("cannot make ") + what, error);
    }
}

}  // namespace

Pipe Pipe::make() {
    fail_if_injected("a pipe");
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
        throw SystemError("cannot make a pipe", errno);
    }
    return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

UniqueFd open_null() {
    fail_if_injected("/dev/null");
    UniqueFd fd(::open("/dev/null", O_RDWR | O_CLOEXEC));
    if (!fd) {
        throw SystemError("cannot open /dev/null", errno);
    }
    return fd;
}

UniqueFd in_memory(const std::string& text) {
    fail_if_injected("a file in memory");
    UniqueFd fd(::memfd_create("input", MFD_CLOEXEC));
    if (!fd) {
        throw SystemError("cannot make a file in memory", errno);
    }
    write_all(fd.get(), text);
    if (::lseek(fd.get(), 0, SEEK_SET) < 0) {
        throw SystemError("cannot rewind a file in memory", errno);
    }
    return fd;
}

UniqueFd duplicate_fd(int fd) {
    fail_if_injected("a duplicate");
    UniqueFd copy(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
    if (!copy) {
        throw SystemError("cannot duplicate a descriptor", errno);
    }
    return copy;
}

void set_non_blocking(int fd) {
    if (fd >= 0 && ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK) != 0) {
        throw SystemError("cannot make a descriptor non-blocking", errno);
    }
}

}  // namespace vt::process

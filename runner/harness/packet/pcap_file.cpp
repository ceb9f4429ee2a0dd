// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/harness/packet/pcap_file.hpp"

#include "runner/io/socket.hpp"
#include "runner/support/error.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

#include <byteswap.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <pcap/pcap.h>
#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

namespace vt::packet {
namespace {

constexpr int snap_length = 262144;  ///< tcpdump's
constexpr std::size_t file_header = 24;
constexpr std::size_t record_header = 16;
constexpr std::size_t most_bytes = std::size_t{512} << 20;  ///< a capture in memory

struct ClosePcap {
    void operator()(pcap_t* it) const { pcap_close(it); }
    void operator()(pcap_dumper_t* it) const { pcap_dump_close(it); }
};

}  // namespace

void write_pcap(const std::filesystem::path& path, const std::vector<Frame>& frames) {
    const std::unique_ptr<pcap_t, ClosePcap> kind(pcap_open_dead(DLT_EN10MB, snap_length));
    const std::unique_ptr<pcap_dumper_t, ClosePcap> file(kind ? pcap_dump_open(kind.get(), path.c_str())
                                                              : nullptr);
    if (!file) {
        throw Error(fmt::format("cannot write the frames: {}",
                                kind ? pcap_geterr(kind.get()) : "libpcap has no memory"));
    }
    pcap_pkthdr header{};
    for (const auto& frame : frames) {
        header.caplen = header.len = static_cast<bpf_u_int32>(frame.size());
        pcap_dump(reinterpret_cast<u_char*>(file.get()), &header,
                  reinterpret_cast<const u_char*>(frame.data()));
    }
    if (pcap_dump_flush(file.get()) != 0) {
        throw SystemError("write frames to " + path.string(), errno);
    }
}

std::vector<Frame> read_pcap(const std::filesystem::path& path) {
    std::array<char, PCAP_ERRBUF_SIZE> why{};
    const std::unique_ptr<pcap_t, ClosePcap> file(pcap_open_offline(path.c_str(), why.data()));
    if (!file) {
        throw Error(fmt::format("{} cannot be read as a capture: {}", path.string(), why.data()));
    }
    if (pcap_datalink(file.get()) != DLT_EN10MB) {
        const char* name = pcap_datalink_val_to_name(pcap_datalink(file.get()));
        throw Error(fmt::format("{} is a capture of {}, not of Ethernet", path.string(),
                                name == nullptr ? "?" : name));
    }
    std::vector<Frame> frames;
    pcap_pkthdr* header = nullptr;
    const u_char* data = nullptr;
    int state = 0;
    while ((state = pcap_next_ex(file.get(), &header, &data)) == 1) {
        frames.emplace_back(reinterpret_cast<const char*>(data), header->caplen);
    }
    if (state != PCAP_ERROR_BREAK) {
        throw Error(fmt::format("{} ends in the middle of a frame, after {} whole ones: {}", path.string(),
                                frames.size(), pcap_geterr(file.get())));
    }
    return frames;
}

GrowingPcap::GrowingPcap(std::filesystem::path path)
    : path_(std::move(path)), watch_(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) {
    const auto directory = path_.parent_path();
    if (!watch_ || ::inotify_add_watch(watch_.get(), directory.empty() ? "." : directory.c_str(),
                                       IN_CREATE | IN_MODIFY | IN_MOVED_TO | IN_CLOSE_WRITE) < 0) {
        throw SystemError("watch " + directory.string() + " for a capture", errno);
    }
}

void GrowingPcap::skip_to_end() {
    while (read_on()) {
        ready_.clear();
    }
    ready_.clear();
}

void GrowingPcap::restart() {
    file_.reset();
    offset_ = 0;
    buffer_.clear();
    header_ = false;
    ready_.clear();
}

std::uint32_t GrowingPcap::number(std::size_t at) const {
    std::uint32_t value = 0;
    std::memcpy(&value, buffer_.data() + at, sizeof value);
    return swapped_ ? bswap_32(value) : value;
}

void GrowingPcap::read_header() {
    constexpr std::uint32_t micro = 0xa1b2c3d4;
    constexpr std::uint32_t nano = 0xa1b23c4d;
    swapped_ = false;
    if (number(0) != micro && number(0) != nano) {
        swapped_ = true;
        if (number(0) != micro && number(0) != nano) {
            throw Error(fmt::format("{} is no capture: it begins with 0x{:08x}", path_.string(), number(0)));
        }
    }
    if ((number(20) & 0xffffU) != DLT_EN10MB) {
        throw Error(
            fmt::format("{} is a capture of link type {}, not of Ethernet", path_.string(), number(20)));
    }
    header_ = true;
    buffer_.erase(0, file_header);
}

/// Reads a piece of what is there; false at the end.
bool GrowingPcap::read_on() {
    if (!file_) {
        file_.reset(::open(path_.c_str(), O_RDONLY | O_CLOEXEC));
        if (!file_) {
            if (errno == ENOENT) {
                return false;
            }
            throw SystemError("read the capture " + path_.string(), errno);
        }
    }
    std::array<char, std::size_t{256} << 10> chunk{};
    const auto got = ::pread(file_.get(), chunk.data(), chunk.size(), static_cast<off_t>(offset_));
    if (got < 0 && errno != EINTR) {
        throw SystemError("read the capture " + path_.string(), errno);
    }
    if (got <= 0) {
        return got < 0;
    }
    offset_ += static_cast<std::uint64_t>(got);
    buffer_.append(chunk.data(), static_cast<std::size_t>(got));
    if (!header_) {
        if (buffer_.size() < file_header) {
            return true;
        }
        read_header();
    }
    std::size_t at = 0;
    while (buffer_.size() - at >= record_header) {
        const std::size_t length = number(at + 8);
        if (length > snap_length) {
            throw Error(
                fmt::format("{} is no capture: a frame of {} bytes is in it", path_.string(), length));
        }
        if (buffer_.size() - at - record_header < length) {
            break;
        }
        ready_.push_back(buffer_.substr(at + record_header, length));
        at += record_header + length;
    }
    buffer_.erase(0, at);
    return true;
}

std::vector<Frame> GrowingPcap::take() {
    if (ready_.empty()) {
        while (read_on()) {
        }
    }
    return std::exchange(ready_, {});
}

bool GrowingPcap::wait(const Deadline& deadline, const Interrupt* interrupt) {
    std::array<char, 4096> events{};
    for (;;) {
        // What is reported from here on is not lost: first the events go, then the file is looked at.
        while (::read(watch_.get(), events.data(), events.size()) > 0) {
        }
        while (ready_.empty() && read_on()) {
        }
        if (!ready_.empty()) {
            return true;
        }
        if (!wait_ready(watch_.get(), POLLIN, deadline, interrupt)) {
            return false;
        }
    }
}

std::vector<Frame> GrowingPcap::collect(std::size_t count, const FrameFilter& filter,
                                        const Deadline& deadline, const Interrupt* interrupt) {
    std::vector<Frame> frames;
    std::size_t bytes = 0;
    do {
        for (auto& frame : take()) {
            if (filter && filter(frame)) {
                ++dropped_;
                continue;
            }
            bytes += frame.size();
            frames.push_back(std::move(frame));
        }
        if (bytes > most_bytes) {
            throw Error(fmt::format("the capture {} does not end: {} frames so far, {} were expected",
                                    path_.string(), frames.size(), count));
        }
    } while (frames.size() < std::max<std::size_t>(count, 1) && wait(deadline, interrupt));
    return frames;
}

}  // namespace vt::packet

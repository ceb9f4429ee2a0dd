// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/harness/packet/test_bed.hpp"

#include "runner/io/socket.hpp"
#include "runner/support/file.hpp"
#include "runner/support/log.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include <fmt/format.h>

namespace vt::packet {
namespace fs = std::filesystem;
namespace {

/// How many frames a message describes.
constexpr std::size_t most_described = 5;
constexpr Seconds death_patience{20};

std::string described(const std::vector<Frame>& frames) {
    std::string words;
    for (std::size_t i = 0; i < std::min(frames.size(), most_described); ++i) {
        words += fmt::format("{}{}", i == 0 ? "" : "; ", text(frames[i]));
    }
    return frames.size() > most_described ? words + "; …" : words;
}

}  // namespace

TestBed::TestBed(std::shared_ptr<Adapter> adapter, fs::path directory)
    : adapter_(std::move(adapter)), directory_(std::move(directory)) {}

TestBed::~TestBed() {
    try {
        stop();
    } catch (const std::exception& error) {
        log::warning("the daemon under test cannot be stopped: {}", error.what());
    }
}

void TestBed::start() {
    try {
        adapter_->start();
    } catch (...) {
        stop();
        throw;
    }
}

void TestBed::stop() {
    ports_.clear();
    streams_.clear();
    adapter_->stop();
}

void TestBed::check() {
    if (auto* daemon = adapter_->daemon()) {
        daemon->check();
    }
}

const PgInterface& TestBed::create_pg_interface(unsigned pg_index) {
    check();
    Port port;
    port.interface.facts = adapter_->create_pg_interface(pg_index);
    port.interface.in_path = directory_ / fmt::format("pg{}_in.pcap", pg_index);
    port.interface.out_path = directory_ / fmt::format("pg{}_out.pcap", pg_index);
    return ports_.insert_or_assign(pg_index, std::move(port)).first->second.interface;
}

std::vector<unsigned> TestBed::create_pg_interfaces(unsigned count) {
    for (unsigned i = 0; i < count; ++i) {
        create_pg_interface(i);
    }
    return pg_interfaces();
}

TestBed::Port& TestBed::port(unsigned pg_index) {
    const auto found = ports_.find(pg_index);
    if (found == ports_.end()) {
        throw Error(fmt::format("there is no interface pg{}; there are {}", pg_index, ports_.size()));
    }
    return found->second;
}

const PgInterface& TestBed::pg(unsigned pg_index) const {
    return const_cast<TestBed*>(this)->port(pg_index).interface;
}

std::vector<unsigned> TestBed::pg_interfaces() const {
    std::vector<unsigned> all;
    for (const auto& one : ports_) {
        all.push_back(one.first);
    }
    return all;
}

void TestBed::add_stream(unsigned pg_index, std::vector<Frame> frames) {
    auto& it = port(pg_index);
    if (fs::exists(it.interface.in_path)) {
        fs::rename(it.interface.in_path,
                   directory_ / fmt::format("history.{:04}.pg{}_in.pcap", it.history++, pg_index));
    }
    write_pcap(it.interface.in_path, frames);
    streams_.push_back({pg_index, std::move(frames), it.interface.in_path,
                        fmt::format("pcap{}", it.interface.facts.sw_if_index)});
}

void TestBed::enable_capture(unsigned pg_index) {
    check();
    auto& it = port(pg_index);
    if (fs::exists(it.interface.out_path)) {
        fs::rename(it.interface.out_path,
                   directory_ / fmt::format("history.{:04}.pg{}_out.pcap", it.history++, pg_index));
    }
    it.taken.clear();
    it.waiting.clear();
    it.capture = adapter_->begin_capture(pg_index, it.interface.out_path);
}

void TestBed::enable_captures() {
    for (const auto pg_index : pg_interfaces()) {
        enable_capture(pg_index);
    }
}

void TestBed::pg_start(const Deadline& deadline) {
    check();
    const auto streams = std::exchange(streams_, {});
    for (const auto& stream : streams) {
        port(stream.pg_index).sent = stream.frames;
    }
    adapter_->generate(streams, deadline);
}

/// Frames from the capture itself, kept for the file of the test.
std::vector<Frame> TestBed::capture_more(Port& it, std::size_t count, const Deadline& deadline,
                                         const FrameFilter& filter) {
    if (!it.capture) {
        throw Error(fmt::format("no capture has been enabled on {}", it.interface.facts.name));
    }
    auto* daemon = adapter_->daemon();
    const auto death = daemon == nullptr ? nullptr : daemon->death();
    std::vector<Frame> frames;
    try {
        frames = it.capture->collect(count, filter, deadline, death.get());
    } catch (const InterruptedError&) {
        daemon->wait(Deadline::after(death_patience));
        daemon->check();
        throw;
    }
    it.taken.insert(it.taken.end(), frames.begin(), frames.end());
    if (!frames.empty() && it.capture->path() != it.interface.out_path) {
        write_pcap(it.interface.out_path, it.taken);
    }
    return frames;
}

std::vector<Frame> TestBed::collect(unsigned pg_index, std::size_t count, const FrameFilter& filter,
                                    const Deadline& deadline) {
    auto& it = port(pg_index);
    std::vector<Frame> frames;
    for (auto& frame : std::exchange(it.waiting, {})) {
        if (!filter || !filter(frame)) {
            frames.push_back(std::move(frame));
        }
    }
    if (frames.size() < std::max<std::size_t>(count, 1)) {
        for (auto& frame : capture_more(it, count - std::min(count, frames.size()), deadline, filter)) {
            frames.push_back(std::move(frame));
        }
    }
    return frames;
}

std::optional<Frame> TestBed::next_frame(unsigned pg_index, const FrameFilter& filter,
                                         const Deadline& deadline) {
    auto frames = collect(pg_index, 1, filter, deadline);
    if (frames.empty()) {
        return std::nullopt;
    }
    auto first = std::move(frames.front());
    port(pg_index).waiting.assign(std::make_move_iterator(frames.begin() + 1),
                                  std::make_move_iterator(frames.end()));
    return first;
}

bool TestBed::has_captured(unsigned pg_index, const Deadline& deadline) {
    auto& it = port(pg_index);
    if (it.waiting.empty()) {
        const auto frames = capture_more(it, 1, deadline, {});
        it.waiting.assign(frames.begin(), frames.end());
    }
    return !it.waiting.empty();
}

std::vector<Frame> TestBed::get_capture(unsigned pg_index, std::size_t count, const Deadline& deadline,
                                        const FrameFilter& filter) {
    auto frames = collect(pg_index, count, filter, deadline);
    if (frames.size() != count) {
        mismatch(pg_index, count, frames, deadline);
    }
    return frames;
}

void TestBed::mismatch(unsigned pg_index, std::size_t count, const std::vector<Frame>& frames,
                       const Deadline& deadline) {
    check();
    leave_aid(pg_index, "count-mismatch");
    const auto& it = port(pg_index);
    if (frames.empty()) {
        throw CaptureError(fmt::format("No packets captured on {}: {} were expected within {:g} s",
                                       it.interface.facts.name, count, deadline.total().count()));
    }
    throw CaptureError(fmt::format(
        "Captured packets mismatch, captured {} packets, expected {} packets on {} "
        "(within {:g} s{}): {}",
        frames.size(), count, it.interface.facts.name, deadline.total().count(),
        it.capture->dropped() == 0 ? "" : fmt::format(", {} did not count", it.capture->dropped()),
        described(frames)));
}

void TestBed::assert_nothing_captured(unsigned pg_index, const Deadline& deadline, const std::string& remark,
                                      const FrameFilter& filter) {
    const auto frames = collect(pg_index, 0, filter, deadline);
    if (!frames.empty()) {
        leave_aid(pg_index, "empty-assert");
        throw CaptureError(fmt::format(
            "Non-empty capture for interface {}{}: {} packets, nothing was expected: {}",
            port(pg_index).interface.facts.name, remark.empty() ? "" : fmt::format(" ({})", remark),
            frames.size(), described(frames)));
    }
    check();
}

void TestBed::leave_aid(unsigned pg_index, const std::string& kind) {
    auto& it = port(pg_index);
    const auto stem = fmt::format("debug_{}_{}_{}", it.interface.facts.name, it.aids++, kind);
    try {
        if (fs::exists(it.interface.out_path)) {
            fs::copy_file(it.interface.out_path, directory_ / (stem + ".pcap"),
                          fs::copy_options::overwrite_existing);
        }
        std::string words;
        for (const auto& one : ports_) {
            if (!one.second.sent.empty()) {
                const auto& first = one.second.sent.front();
                words +=
                    fmt::format("pg{}: {}\n{}\n", one.first, text(first), adapter_->trace(one.first, first));
            }
        }
        if (!words.empty()) {
            write_file_atomically(directory_ / (stem + ".trace"), words, 0600);
        }
    } catch (const std::exception& error) {
        log::debug("no aid can be left for {}: {}", it.interface.facts.name, error.what());
    }
}

void TestBed::send(unsigned input, std::vector<Frame> frames, Seconds timeout) {
    add_stream(input, std::move(frames));
    enable_captures();
    pg_start(Deadline::after(timeout));
}

std::vector<Frame> TestBed::send_and_expect(unsigned input, std::vector<Frame> frames, unsigned output,
                                            Seconds timeout) {
    const auto count = frames.size();
    send(input, std::move(frames), timeout);
    return get_capture(output, count, Deadline::after(timeout));
}

void TestBed::assert_silence(const std::vector<unsigned>& but, const std::string& remark, Seconds first) {
    auto silence = first;
    for (const auto pg_index : pg_interfaces()) {
        if (std::find(but.begin(), but.end(), pg_index) == but.end()) {
            assert_nothing_captured(pg_index, Deadline::after(silence), remark);
            silence = std::min(silence, Seconds{0.1});  // the others have had the first one's time, too
        }
    }
}

std::vector<Frame> TestBed::send_and_expect_only(unsigned input, std::vector<Frame> frames, unsigned output,
                                                 Seconds timeout, Seconds silence) {
    auto captured = send_and_expect(input, std::move(frames), output, timeout);
    assert_silence({output}, {}, silence);
    return captured;
}

void TestBed::send_and_assert_no_replies(unsigned input, std::vector<Frame> frames, const std::string& remark,
                                         Seconds silence) {
    send(input, std::move(frames), std::max(silence, Seconds{5}));
    assert_silence({}, remark, silence);
}

PacketInfo& TestBed::create_packet_info(unsigned src, unsigned dst) {
    const int to = pg(dst).facts.sw_if_index;
    return infos_.create(pg(src).facts.sw_if_index, to, to);
}

void TestBed::assert_infos_match(const std::vector<Frame>& frames, unsigned dst) const {
    const auto complaint = infos_.complaint(frames, pg(dst).facts.sw_if_index);
    if (!complaint.empty()) {
        throw CaptureError(
            fmt::format("the capture of {} is not what was sent: {}", pg(dst).facts.name, complaint));
    }
}

void TestBed::assert_counter_equal(const std::string& name, std::uint64_t expected) {
    const auto value = adapter_->counter(name);
    if (!value) {
        throw CaptureError(fmt::format("the daemon has no counter `{}'", name));
    }
    if (*value != expected) {
        throw CaptureError(fmt::format("Invalid packet counter `{}': {} does not match expected value {}",
                                       name, *value, expected));
    }
}

}  // namespace vt::packet

// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/harness/packet/pcap_file.hpp"

#include "runner/io/socket.hpp"
#include "runner/support/error.hpp"
#include "runner/support/file.hpp"

#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

namespace vt::packet {
namespace {

Deadline soon() {
    return Deadline::after(Seconds{30});
}

struct Fixture {
    Fixture() : directory("vt-pcap-"), path(directory.path() / "x.pcap") {}
    void append(std::string_view bytes) const {
        std::ofstream(path, std::ios::binary | std::ios::app)
            .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    }
    std::string written(const std::vector<Frame>& frames) const {
        const auto other = directory.path() / "other.pcap";
        write_pcap(other, frames);
        return read_file(other);
    }

    TempDirectory directory;
    std::filesystem::path path;
};

TEST_CASE_FIXTURE(Fixture, "what is written is read, empty captures too") {
    const std::vector<Frame> frames{"one", Frame(9000, 'x'), Frame("\0\1", 2)};
    write_pcap(path, frames);
    CHECK(read_pcap(path) == frames);
    write_pcap(path, {});
    CHECK(read_pcap(path).empty());
    CHECK_THROWS_AS(write_pcap("/no/such/directory/x.pcap", {}), Error);
}

TEST_CASE_FIXTURE(Fixture, "what is no capture, and one that was cut off") {
    CHECK_THROWS_AS(read_pcap(path), Error);
    append("this is no capture at all");
    CHECK_THROWS_AS(read_pcap(path), Error);
    GrowingPcap growing(path);
    CHECK_THROWS_AS(growing.take(), Error);
    const auto whole = written({"one", "two", "three"});
    write_file_atomically(path, whole.substr(0, whole.size() - 2));
    try {
        read_pcap(path);
        FAIL("it was read");
    } catch (const Error& error) {
        CHECK(std::string(error.what()).find("ends in the middle of a frame, after 2 whole ones") !=
              std::string::npos);
    }
    auto other_link = whole;
    other_link[20] = 101;  // raw IP
    write_file_atomically(path, other_link);
    CHECK_THROWS_AS(read_pcap(path), Error);
    auto endless = whole;
    endless[24 + 11] = 0x7f;  // the first frame's length
    write_file_atomically(path, endless);
    GrowingPcap broken(path);
    CHECK_THROWS_AS(broken.take(), Error);
}

TEST_CASE_FIXTURE(Fixture, "a file is followed from before it is there, byte by byte") {
    GrowingPcap growing(path);
    CHECK(growing.take().empty());
    CHECK_FALSE(growing.wait(Deadline::after(Seconds{0.01})));
    const auto whole = written({"one", "two"});
    std::size_t seen = 0;
    for (std::size_t i = 0; i < whole.size(); ++i) {
        append(whole.substr(i, 1));
        seen += growing.take().size();
    }
    CHECK(seen == 2);
}

TEST_CASE_FIXTURE(Fixture, "a wait ends with the frame, with the interrupt, with time") {
    const auto whole = written({"one", "two", "three"});
    GrowingPcap growing(path);
    std::thread writer([&] {
        for (std::size_t at = 0; at < whole.size(); at += 7) {
            append(whole.substr(at, 7));
        }
    });
    const auto frames = growing.collect(3, {}, soon());
    writer.join();
    CHECK(frames == std::vector<Frame>{"one", "two", "three"});
    Interrupt interrupt;
    interrupt.raise("the daemon died");
    CHECK_THROWS_AS(growing.collect(1, {}, soon(), &interrupt), InterruptedError);
    CHECK(growing.collect(1, {}, Deadline::after(Seconds{0.01})).empty());
}

TEST_CASE_FIXTURE(Fixture, "only what comes after a moment counts, and what no filter drops") {
    append(written({"old", "older"}));
    GrowingPcap growing(path);
    growing.skip_to_end();
    CHECK(growing.take().empty());
    const auto more = written({"noise", "new"}).substr(24);
    append(more);
    const auto frames = growing.collect(
        1, [](std::string_view frame) { return frame == "noise"; }, soon());
    CHECK(frames == std::vector<Frame>{"new"});
    CHECK(growing.dropped() == 1);
    write_file_atomically(path, written({"anew"}));
    growing.restart();
    CHECK(growing.take() == std::vector<Frame>{"anew"});
}

TEST_CASE_FIXTURE(Fixture, "captures of machines with the other byte order are read") {
    auto whole = written({"one"});
    for (const std::size_t at : {0, 8, 12, 16, 20, 24, 28, 32, 36}) {
        std::swap(whole[at], whole[at + 3]);
        std::swap(whole[at + 1], whole[at + 2]);
    }
    append(whole);
    GrowingPcap growing(path);
    CHECK(growing.take() == std::vector<Frame>{"one"});
}

}  // namespace
}  // namespace vt::packet

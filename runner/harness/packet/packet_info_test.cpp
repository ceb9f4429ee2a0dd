// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/harness/packet/packet_info.hpp"

#include "runner/support/error.hpp"

#include <doctest/doctest.h>

namespace vt::packet {
namespace {

Frame frame_of(const PacketInfo& info) {
    return udp_frame({"02:00:00:00:00:01", "10.0.0.1", 1}, {"02:00:00:00:00:02", "10.0.0.2", 2},
                     info_to_payload(info));
}

TEST_CASE("an info goes through a payload, whatever pads it") {
    PacketInfo info;
    info.index = 7;
    info.src = 1;
    info.dst = 2;
    CHECK(info_to_payload(info) == "7 1 2 -1 -1");
    for (const char* padding : {"", " ", "xyz", " 9 9"}) {
        CHECK(payload_to_info(info_to_payload(info) + padding) == info);
    }
    CHECK_THROWS_AS(payload_to_info("7 1 2 x"), Error);
    CHECK_THROWS_AS(payload_to_info(""), Error);
    CHECK_THROWS_AS(payload_to_info("99999999999 1 1 1 1"), Error);
}

TEST_CASE("infos are found by their interfaces, in order") {
    PacketInfos infos;
    infos.create(1, 2, 2);
    infos.create(2, 1, 1);
    infos.create(1, 3, 2);  // a sub-interface of 2
    CHECK(infos.size() == 3);
    CHECK(infos.count_for(2) == 2);
    CHECK(infos.count_for(3) == 0);
    CHECK(infos.next(std::nullopt)->index == 0);
    CHECK(infos.next(2) == nullptr);
    CHECK(infos.next_from(1, 0)->index == 2);
    CHECK(infos.next_from(2, 1) == nullptr);
    CHECK(infos.next_between(1, 3, std::nullopt)->index == 2);
    CHECK(infos.next_between(2, 3, std::nullopt) == nullptr);
    CHECK_THROWS_AS(infos.at(3), Error);
    infos.reset();
    CHECK(infos.next(std::nullopt) == nullptr);
}

TEST_CASE("a capture is held against the infos") {
    PacketInfos infos;
    std::vector<Frame> frames;
    for (int index = 0; index < 3; ++index) {
        frames.push_back(frame_of(infos.create(1, 2, 2)));
    }
    CHECK(infos.complaint(frames, 2) == "");
    CHECK(infos.complaint({frames[0], frames[2]}, 2) == "packet 1 from interface 1 did not come");
    CHECK(infos.complaint({frames[0], frames[0]}, 2).find("packet 0 has come before") != std::string::npos);
    CHECK(infos.complaint(frames, 3).find("it is for interface 2, not 3") != std::string::npos);
    PacketInfo other;
    other.index = 9;
    CHECK(infos.complaint({frame_of(other)}, 2).find("no packet 9 was sent") != std::string::npos);
    other.index = 1;
    CHECK(infos.complaint({frame_of(other)}, 2).find("says from -1 to -1, but packet 1 is from 1 to 2") !=
          std::string::npos);
    CHECK(infos.complaint({"noise"}, 2).find("does not begin with the five numbers") != std::string::npos);
    frames[1][50] ^= 1;
    CHECK(infos.complaint(frames, 2) != "");
}

}  // namespace
}  // namespace vt::packet

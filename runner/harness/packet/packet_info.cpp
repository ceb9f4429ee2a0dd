// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/harness/packet/packet_info.hpp"

#include "runner/support/error.hpp"
#include "runner/support/strings.hpp"

#include <array>
#include <charconv>
#include <set>

#include <fmt/format.h>

namespace vt::packet {
namespace {

constexpr std::size_t most_complaints = 5;

bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

}  // namespace

std::string info_to_payload(const PacketInfo& info) {
    return fmt::format("{} {} {} {} {}", info.index, info.src, info.dst, info.ip, info.proto);
}

PacketInfo payload_to_info(std::string_view payload) {
    std::array<int, 5> numbers{};
    const char* here = payload.data();
    const char* const past = payload.data() + payload.size();
    for (auto& number : numbers) {
        while (here != past && is_blank(*here)) {
            ++here;
        }
        const auto [behind, error] = std::from_chars(here, past, number);
        // What is added behind the last one may follow it at once ("-1xyz").
        if (error != std::errc{}) {
            throw Error(
                fmt::format("the payload \"{}\" does not begin with the five numbers of a packet info",
                            to_valid_utf8(payload.substr(0, 60))));
        }
        here = behind;
    }
    return {numbers[0], numbers[1], numbers[2], numbers[3], numbers[4], {}};
}

PacketInfo& PacketInfos::create(int src, int dst, int count_for) {
    PacketInfo info;
    info.index = static_cast<int>(infos_.size());
    info.src = src;
    info.dst = dst;
    ++counts_[count_for];
    return infos_.emplace(info.index, std::move(info)).first->second;
}

PacketInfo* PacketInfos::next(std::optional<int> after) {
    const auto found = infos_.find(after ? *after + 1 : 0);
    return found == infos_.end() ? nullptr : &found->second;
}

PacketInfo* PacketInfos::next_from(int src, std::optional<int> after) {
    auto* info = next(after);
    while (info != nullptr && info->src != src) {
        info = next(info->index);
    }
    return info;
}

PacketInfo* PacketInfos::next_between(int src, int dst, std::optional<int> after) {
    auto* info = next_from(src, after);
    while (info != nullptr && info->dst != dst) {
        info = next_from(src, info->index);
    }
    return info;
}

std::size_t PacketInfos::count_for(int dst) const {
    const auto found = counts_.find(dst);
    return found == counts_.end() ? 0 : found->second;
}

PacketInfo& PacketInfos::at(int index) {
    const auto found = infos_.find(index);
    if (found == infos_.end()) {
        throw Error(fmt::format("there is no packet info {}; there are {}", index, infos_.size()));
    }
    return found->second;
}

void PacketInfos::reset() {
    infos_.clear();
    counts_.clear();
}

std::string PacketInfos::complaint(const std::vector<Frame>& frames, int dst) const {
    std::vector<std::string> complaints;
    std::set<int> seen;
    for (std::size_t number = 0; number < frames.size() && complaints.size() < most_complaints; ++number) {
        const auto complain = [&](const std::string& what) {
            complaints.push_back(fmt::format("frame {} ({}): {}", number, text(frames[number]), what));
        };
        try {
            const auto info = payload_to_info(payload(frames[number]).value_or(std::string_view()));
            const auto sent = infos_.find(info.index);
            if (sent == infos_.end()) {
                complain(fmt::format("no packet {} was sent", info.index));
            } else if (sent->second.src != info.src || sent->second.dst != info.dst) {
                complain(fmt::format("its payload says from {} to {}, but packet {} is from {} to {}",
                                     info.src, info.dst, info.index, sent->second.src, sent->second.dst));
            } else if (info.dst != dst) {
                complain(fmt::format("it is for interface {}, not {}", info.dst, dst));
            } else if (!seen.insert(info.index).second) {
                complain(fmt::format("packet {} has come before", info.index));
            }
            if (const auto wrong = checksum_complaint(frames[number]); !wrong.empty()) {
                complain(wrong);
            }
        } catch (const Error& error) {
            complain(error.what());
        }
    }
    if (complaints.empty()) {
        for (const auto& one : infos_) {
            if (one.second.dst == dst && seen.count(one.first) == 0 && complaints.size() < most_complaints) {
                complaints.push_back(
                    fmt::format("packet {} from interface {} did not come", one.first, one.second.src));
            }
        }
    }
    return join(complaints, "; ");
}

}  // namespace vt::packet

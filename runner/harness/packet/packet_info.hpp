// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// What a test knows of each packet that it sends, carried in the packet's payload: so a capture tells which
/// packet each frame is, from where it came and where it was to go.
#pragma once

#include "runner/harness/packet/frame.hpp"

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vt::packet {

/// One packet; -1 for what is not known. In payloads: "INDEX SRC DST IP PROTO" in decimal.
struct PacketInfo {
    int index = -1;  ///< counts from 0
    int src = -1;    ///< index of the interface that it goes in by
    int dst = -1;    ///< index of the interface that it is expected at
    int ip = -1;     ///< expected IP version
    int proto = -1;  ///< expected upper protocol
    Frame data;      ///< the frame as it was sent; not in payloads

    bool operator==(const PacketInfo& other) const {
        return index == other.index && src == other.src && dst == other.dst && data == other.data;
    }
};

std::string info_to_payload(const PacketInfo& info);
/// Throws Error for a payload that does not begin with five numbers; what follows them is padding.
PacketInfo payload_to_info(std::string_view payload);

/// The infos of one test, and how many packets each interface is to get.
class PacketInfos {
  public:
    /// A new one from interface \p src to \p dst; counted for \p count_for (the parent of a sub-interface).
    PacketInfo& create(int src, int dst, int count_for);
    /// The one after \p after, the first if there is none; nothing at the end.
    PacketInfo* next(std::optional<int> after);
    /// The same among those from interface \p src.
    PacketInfo* next_from(int src, std::optional<int> after);
    /// The same among those from \p src to \p dst.
    PacketInfo* next_between(int src, int dst, std::optional<int> after);
    /// How many are to arrive at interface \p dst.
    std::size_t count_for(int dst) const;
    std::size_t size() const { return infos_.size(); }
    PacketInfo& at(int index);
    void reset();

    /// What is wrong with \p frames, captured at interface \p dst: payloads without an info, packets of
    /// another interface's, changed, repeated, missing, with wrong checksums. A sentence for the first ones;
    /// empty if nothing is.
    std::string complaint(const std::vector<Frame>& frames, int dst) const;

  private:
    std::map<int, PacketInfo> infos_;
    std::map<int, std::size_t> counts_;
};

}  // namespace vt::packet

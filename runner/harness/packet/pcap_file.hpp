// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Streams and captures as pcap files: written and read whole by libpcap, and a file that a daemon is still
/// writing followed as it grows.
///
/// libpcap reads no file that grows (half a record is an error to it, and the rest is lost), so following is
/// done here, on inotify and without a timer: the file is watched from before the wait, and what is no whole
/// record yet is read again with what comes.
#pragma once

#include "runner/harness/packet/frame.hpp"
#include "runner/io/interrupt.hpp"
#include "runner/support/deadline.hpp"
#include "runner/support/unique_fd.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace vt::packet {

/// Writes \p frames to \p path (classic pcap, Ethernet). Throws Error.
void write_pcap(const std::filesystem::path& path, const std::vector<Frame>& frames);

/// The frames of the file \p path. Throws Error: one that is no pcap, that is not Ethernet, and one that was
/// cut off, with the number of whole frames in it.
std::vector<Frame> read_pcap(const std::filesystem::path& path);

/// True for frames that do not count.
using FrameFilter = std::function<bool(std::string_view frame)>;

/// A capture that somebody else writes. Not thread-safe.
class GrowingPcap {
  public:
    /// Nothing need be there yet, but its directory must.
    explicit GrowingPcap(std::filesystem::path path);

    const std::filesystem::path& path() const { return path_; }
    /// What is there counts no more.
    void skip_to_end();
    /// The file is going to be made anew: reading begins at its beginning.
    void restart();
    /// Frames that have become whole since the last call. Throws Error for what is no pcap of Ethernet.
    std::vector<Frame> take();
    /// Waits until take() has something; false if \p deadline passed. Throws InterruptedError, Error.
    bool wait(const Deadline& deadline, const Interrupt* interrupt = nullptr);
    /// Takes frames until \p count of them do count (or more, if more are there), or \p deadline passes;
    /// those of which \p filter is true are dropped and counted in \p dropped. Throws InterruptedError,
    /// Error; Error too for a capture beyond any measure.
    std::vector<Frame> collect(std::size_t count, const FrameFilter& filter, const Deadline& deadline,
                               const Interrupt* interrupt = nullptr);
    /// How many frames collect() has dropped so far.
    std::size_t dropped() const { return dropped_; }

  private:
    bool read_on();
    void read_header();
    std::uint32_t number(std::size_t at) const;

    std::filesystem::path path_;
    UniqueFd watch_;
    UniqueFd file_;
    std::uint64_t offset_ = 0;  ///< of what is read next
    std::string buffer_;        ///< read, and no frame yet
    bool header_ = false;       ///< it has been read
    bool swapped_ = false;
    std::vector<Frame> ready_;
    std::size_t dropped_ = 0;
};

}  // namespace vt::packet

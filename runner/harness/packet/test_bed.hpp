// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The verbs of a packet test, over one daemon: interfaces, streams, captures, infos, what is expected of
/// them.
///
/// One test bed has one daemon, one directory for all that the test leaves (captures, the daemon's output, a
/// core), and dies with all of it but that directory. The words are those of VPP's framework.
#pragma once

#include "runner/harness/packet/adapter.hpp"
#include "runner/harness/packet/packet_info.hpp"
#include "runner/support/deadline.hpp"
#include "runner/support/error.hpp"

#include <cstddef>
#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace vt::packet {

/// A capture is not what was expected; what() says what was, and what came.
class CaptureError : public Error {
  public:
    using Error::Error;
};

/// One interface of a test.
struct PgInterface {
    PortFacts facts;
    std::filesystem::path in_path;   ///< the last stream that was sent into it
    std::filesystem::path out_path;  ///< the last capture that was taken of it
};

/// See the file's comment. Calls come from one thread at a time.
class TestBed {
  public:
    /// \param directory of the test's files; must exist
    TestBed(std::shared_ptr<Adapter> adapter, std::filesystem::path directory);
    /// Stops the daemon.
    ~TestBed();
    TestBed(const TestBed&) = delete;
    TestBed& operator=(const TestBed&) = delete;

    Adapter& adapter() { return *adapter_; }
    const std::filesystem::path& directory() const { return directory_; }
    PacketInfos& infos() { return infos_; }

    /// Runs the daemon; it is down again if that throws.
    void start();
    void stop();
    /// Throws DaemonDied if the daemon has.
    void check();

    const PgInterface& create_pg_interface(unsigned pg_index);
    /// Interfaces 0 to \p count - 1.
    std::vector<unsigned> create_pg_interfaces(unsigned count);
    const PgInterface& pg(unsigned pg_index) const;
    std::vector<unsigned> pg_interfaces() const;

    /// Frames that pg_start() will send into an interface.
    void add_stream(unsigned pg_index, std::vector<Frame> frames);
    /// Capturing begins anew; an older capture's file gets another name.
    void enable_capture(unsigned pg_index);
    void enable_captures();
    /// Sends what add_stream() was given.
    void pg_start(const Deadline& deadline);

    /// Frames that have left the interface since enable_capture() and were not taken yet: at least \p count
    /// of those that \p filter is not true of, or all that came until \p deadline. Throws DaemonDied.
    std::vector<Frame> collect(unsigned pg_index, std::size_t count, const FrameFilter& filter,
                               const Deadline& deadline);
    /// The next frame alone; nothing if none came until \p deadline.
    std::optional<Frame> next_frame(unsigned pg_index, const FrameFilter& filter, const Deadline& deadline);
    /// True if something was captured that is not taken yet, or is until \p deadline.
    bool has_captured(unsigned pg_index, const Deadline& deadline);
    /// Exactly \p count frames. Throws CaptureError, DaemonDied; IPv6's own talk does not count.
    std::vector<Frame> get_capture(unsigned pg_index, std::size_t count, const Deadline& deadline,
                                   const FrameFilter& filter = is_ipv6_misc);
    /// Throws CaptureError if anything comes until \p deadline.
    void assert_nothing_captured(unsigned pg_index, const Deadline& deadline, const std::string& remark = {},
                                 const FrameFilter& filter = is_ipv6_misc);
    /// Keeps a copy of the capture and what the daemon says of a frame, for who looks for the reason. \p kind
    /// is part of the files' names.
    void leave_aid(unsigned pg_index, const std::string& kind);

    std::vector<Frame> send_and_expect(unsigned input, std::vector<Frame> frames, unsigned output,
                                       Seconds timeout = Seconds{5});
    /// And nothing anywhere else.
    std::vector<Frame> send_and_expect_only(unsigned input, std::vector<Frame> frames, unsigned output,
                                            Seconds timeout = Seconds{5}, Seconds silence = Seconds{0.2});
    void send_and_assert_no_replies(unsigned input, std::vector<Frame> frames, const std::string& remark = {},
                                    Seconds silence = Seconds{1});

    /// A new info of a packet from one interface to another.
    PacketInfo& create_packet_info(unsigned src, unsigned dst);
    /// Throws CaptureError if \p frames, captured at \p dst, are not those that the infos tell of.
    void assert_infos_match(const std::vector<Frame>& frames, unsigned dst) const;
    /// Throws CaptureError unless the daemon's counter has that value.
    void assert_counter_equal(const std::string& name, std::uint64_t expected);

  private:
    struct Port {
        PgInterface interface;
        std::unique_ptr<GrowingPcap> capture;
        std::vector<Frame> taken;   ///< since enable_capture()
        std::deque<Frame> waiting;  ///< of these, what nobody has asked for yet
        std::vector<Frame> sent;    ///< with the last start
        unsigned history = 0;
        unsigned aids = 0;
    };

    Port& port(unsigned pg_index);
    std::vector<Frame> capture_more(Port& it, std::size_t count, const Deadline& deadline,
                                    const FrameFilter& filter);
    void send(unsigned input, std::vector<Frame> frames, Seconds timeout);
    void assert_silence(const std::vector<unsigned>& but, const std::string& remark, Seconds first);
    [[noreturn]] void mismatch(unsigned pg_index, std::size_t count, const std::vector<Frame>& frames,
                               const Deadline& deadline);

    std::shared_ptr<Adapter> adapter_;
    std::filesystem::path directory_;
    std::map<unsigned, Port> ports_;
    std::vector<Stream> streams_;
    PacketInfos infos_;
};

}  // namespace vt::packet

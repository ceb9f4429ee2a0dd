// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/nrunner/body_channel.hpp"

#include "runner/nrunner/message.hpp"

#include <cerrno>
#include <cmath>
#include <cstdint>
#include <cstring>

#include <fmt/core.h>
#include <sys/socket.h>

namespace vt::nrunner {
namespace {

/// The packets' first byte.
enum class Kind : char {
    log_line = 'L',
    whiteboard = 'W',
    file_part = 'F',
    output = 'O',
    time_limit = 'T',
    spare_guardian = 'G',
    ready_to_pause = 'P',
    done = 'D',
};

constexpr std::size_t longest_name = 4096;

class Writer {
  public:
    explicit Writer(Kind kind) : packet_(1, static_cast<char>(kind)) {}

    Writer& field(std::string_view bytes) {
        const auto size = static_cast<std::uint32_t>(bytes.size());
        packet_.append(reinterpret_cast<const char*>(&size), sizeof size);
        packet_ += bytes;
        return *this;
    }
    std::string take() { return std::move(packet_); }

  private:
    std::string packet_;
};

class Reader {
  public:
    explicit Reader(std::string_view rest) : rest_(rest) {}

    std::string field() {
        std::uint32_t size = 0;
        if (rest_.size() < sizeof size) {
            throw PacketError("a packet of the test's process ends too early");
        }
        std::memcpy(&size, rest_.data(), sizeof size);
        rest_.remove_prefix(sizeof size);
        if (size > rest_.size()) {
            throw PacketError(
                fmt::format("a field of {} bytes in a packet that has only {} more", size, rest_.size()));
        }
        std::string bytes(rest_.substr(0, size));
        rest_.remove_prefix(size);
        return bytes;
    }
    void expect_end() const {
        if (!rest_.empty()) {
            throw PacketError(
                fmt::format("a packet of the test's process has {} bytes too many", rest_.size()));
        }
    }

  private:
    std::string_view rest_;
};

double number(const std::string& text) {
    char* end = nullptr;
    const double value = std::strtod(text.c_str(), &end);
    if (text.empty() || *end != '\0' || !std::isfinite(value)) {
        throw PacketError("a packet's number is none");
    }
    return value;
}

Done decode_done(Reader& reader) {
    Done done;
    const auto status = status_from_name(reader.field());
    if (!status) {
        throw PacketError("a result without a known status");
    }
    done.result.status = *status;
    done.result.reason = reader.field();
    done.result.fail_class = reader.field();
    done.result.traceback = reader.field();
    if (const auto code = reader.field(); !code.empty()) {
        done.result.returncode = static_cast<int>(std::fmod(number(code), 1 << 30));
    }
    return done;
}

struct Encoder {
    std::string operator()(const LogLine& event) const {
        return Writer(Kind::log_line)
            .field(std::string(1, static_cast<char>(event.level)))
            .field(event.logger)
            .field(event.line)
            .take();
    }
    std::string operator()(const Whiteboard& event) const {
        return Writer(Kind::whiteboard).field(event.text).take();
    }
    std::string operator()(const FilePart& event) const {
        return Writer(Kind::file_part).field(event.name).field(event.bytes).take();
    }
    std::string operator()(const Output& event) const {
        return Writer(Kind::output).field(event.text).take();
    }
    std::string operator()(const TimeLimit& event) const {
        return Writer(Kind::time_limit).field(fmt::format("{}", event.seconds)).field(event.name).take();
    }
    std::string operator()(const SpareGuardian& event) const {
        return Writer(Kind::spare_guardian).field(event.job_dir).take();
    }
    std::string operator()(const ReadyToPause& event) const {
        return Writer(Kind::ready_to_pause).field(event.ways_in).take();
    }
    std::string operator()(const Done& event) const {
        return Writer(Kind::done)
            .field(status_name(event.result.status))
            .field(event.result.reason)
            .field(event.result.fail_class)
            .field(event.result.traceback)
            .field(event.result.returncode ? fmt::format("{}", *event.result.returncode) : "")
            .take();
    }
};

BodyEvent decode(Kind kind, Reader& reader) {
    switch (kind) {
        case Kind::log_line: {
            LogLine event;
            const auto level = reader.field();
            if (level.size() != 1 || level[0] < 0 || level[0] > static_cast<char>(log::Level::error)) {
                throw PacketError("a line of the log without a known level");
            }
            event.level = static_cast<log::Level>(level[0]);
            event.logger = reader.field();
            event.line = reader.field();
            return event;
        }
        case Kind::whiteboard:
            return Whiteboard{reader.field()};
        case Kind::file_part: {
            auto name = reader.field();
            return FilePart{std::move(name), reader.field()};
        }
        case Kind::output:
            return Output{reader.field()};
        case Kind::time_limit: {
            const auto seconds = number(reader.field());
            return TimeLimit{seconds, reader.field()};
        }
        case Kind::spare_guardian:
            return SpareGuardian{reader.field()};
        case Kind::ready_to_pause:
            return ReadyToPause{reader.field()};
        case Kind::done:
            return decode_done(reader);
    }
    throw PacketError("a packet of an unknown kind");
}

}  // namespace

std::string encode_packet(const BodyEvent& event) {
    return std::visit(Encoder(), event);
}

BodyEvent decode_packet(std::string_view packet) {
    if (packet.empty()) {
        throw PacketError("an empty packet");
    }
    Reader reader(packet.substr(1));
    auto event = decode(static_cast<Kind>(packet.front()), reader);
    reader.expect_end();
    return event;
}

void BodyChannel::send(const BodyEvent& event) {
    const auto packet = encode_packet(event);
    while (::send(socket_.get(), packet.data(), packet.size(), MSG_NOSIGNAL) < 0 && errno == EINTR) {
    }
}

void BodyChannel::log(log::Level level, std::string_view logger, std::string_view line) {
    for (const auto part : cut(line, packet_limit)) {
        send(LogLine{level, std::string(cut(logger, longest_name).front()), std::string(part)});
    }
}

void BodyChannel::whiteboard(std::string_view text) {
    for (const auto part : cut(text, packet_limit)) {
        send(Whiteboard{std::string(part)});
    }
}

void BodyChannel::file(std::string_view name, std::string_view bytes) {
    for (const auto part : cut(bytes, packet_limit)) {
        send(FilePart{std::string(name.substr(0, longest_name)), std::string(part)});
    }
}

void BodyChannel::output(std::string_view text) {
    for (const auto part : cut(text, packet_limit)) {
        send(Output{std::string(part)});
    }
}

void BodyChannel::time_limit(Seconds limit, std::string_view name) {
    send(TimeLimit{limit.count(), std::string(name.substr(0, longest_name))});
}

void BodyChannel::spare_guardian(std::string_view job_dir) {
    send(SpareGuardian{std::string(job_dir.substr(0, longest_name))});
}

void BodyChannel::ready_to_pause(std::string_view ways_in) {
    send(ReadyToPause{std::string(cut(ways_in, packet_limit).front())});
}

void BodyChannel::result(const TestResult& result) {
    auto shortened = result;
    shortened.reason = cut(result.reason, packet_limit / 4).front();
    shortened.fail_class = cut(result.fail_class, longest_name).front();
    shortened.traceback = cut(result.traceback, packet_limit / 2).front();
    send(Done{shortened});
}

}  // namespace vt::nrunner

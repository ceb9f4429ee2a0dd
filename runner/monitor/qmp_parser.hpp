// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Cuts a QMP byte stream into messages. Pure, so that it can be fuzzed: what comes from QEMU may be
/// anything.
///
/// QEMU sends one JSON object a line (CR LF). Nesting is checked before parsing, as deep values cost memory
/// out of proportion.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace vt {

/// The state of one stream.
class QmpParser {
  public:
    static constexpr std::size_t default_line_limit = std::size_t{64} << 20;
    static constexpr int depth_limit = 200;

    explicit QmpParser(std::size_t line_limit = default_line_limit) : line_limit_(line_limit) {}

    /// Adds \p bytes; returns the complete lines among what has come, without their ends and without empty
    /// ones. Throws MonitorProtocolError if a line is longer than the limit.
    std::vector<std::string> feed(std::string_view bytes);

    /// The message in \p line. Throws MonitorProtocolError if it is no JSON object or too deep.
    static nlohmann::json parse(const std::string& line);

    /// What has come of the unfinished line.
    const std::string& unfinished() const { return line_; }

  private:
    std::size_t line_limit_;
    std::string line_;
};

}  // namespace vt

// SPDX-License-Identifier: GPL-2.0-or-later
// A QMP stream as a hostile QEMU may send it.
#include "runner/monitor/monitor_error.hpp"
#include "runner/monitor/qmp.hpp"
#include "runner/monitor/qmp_parser.hpp"
#include "runner/monitor/redact.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

namespace {

/// All lines of the stream, cut at \p cut; nothing more after an error.
std::vector<std::string> lines_of(std::string_view stream, std::size_t cut) {
    vt::QmpParser parser(4096);
    std::vector<std::string> lines;
    for (const auto part : {stream.substr(0, cut), stream.substr(cut)}) {
        for (auto& line : parser.feed(part)) {
            lines.push_back(std::move(line));
        }
    }
    return lines;
}

void use(const nlohmann::json& message) {
    if (message.contains("event")) {
        const vt::QmpEvent event(message);
        if (event.data().is_discarded() || event.name().size() > 4096) {
            std::abort();
        }
    }
    const vt::QMPCmdError error("command", message, message.value("error", nlohmann::json()));
    if (std::string_view(error.what()).empty()) {
        std::abort();
    }
    vt::redact(message);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view stream(reinterpret_cast<const char*>(data), size);
    const std::size_t cut = size == 0 ? 0 : data[0] % size;
    try {
        const auto lines = lines_of(stream, cut);
        if (lines != lines_of(stream, 0)) {
            std::abort();
        }
        for (const auto& line : lines) {
            try {
                use(vt::QmpParser::parse(line));
            } catch (const vt::MonitorProtocolError&) {
            }
            vt::redact_line(line);
        }
    } catch (const vt::MonitorProtocolError&) {
    }
    return 0;
}

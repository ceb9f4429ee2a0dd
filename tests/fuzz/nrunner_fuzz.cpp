// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Feeds anything to what the protocol parses: command lines, recipes, packets of the body. Only the errors
/// that callers expect may come out, and what is accepted must be printable as messages.
#include "runner/nrunner/body_channel.hpp"
#include "runner/nrunner/line_splitter.hpp"
#include "runner/nrunner/message.hpp"
#include "runner/nrunner/runnable.hpp"
#include "runner/support/strings.hpp"

#include <cstdint>
#include <cstdlib>

#include <nlohmann/json.hpp>

using namespace vt::nrunner;

namespace {

void use(const Runnable& runnable) {
    if (!runnable.kwargs_json().is_object()) {
        std::abort();
    }
    (void)runnable.setting("x");
}

void fuzz_arguments(const std::string& text, Form form) {
    try {
        use(task_from_arguments(vt::split(text, '\0'), form, "vt").runnable);
    } catch (const UsageError&) {
    }
}

void fuzz_recipes(const std::string& text) {
    try {
        use(runnable_from_recipe(text));
    } catch (const UsageError&) {
    }
    try {
        use(task_from_recipe(text).runnable);
    } catch (const UsageError&) {
    }
}

/// What is accepted comes out the same after another round.
void fuzz_packet(const std::string& text) {
    try {
        const auto event = decode_packet(text);
        if (!std::holds_alternative<TimeLimit>(event) && decode_packet(encode_packet(event)) != event) {
            std::abort();
        }
    } catch (const PacketError&) {
    }
}

/// Messages are one line of ASCII JSON whatever they carry.
void fuzz_messages(const std::string& text) {
    MessageMaker messages(text, "job");
    for (const auto& message : {messages.started(text), messages.log(vt::log::Level::info, text, text),
                                messages.stream("stdout", text), messages.file(text, text),
                                messages.finished({Status::fail, text, text, text, 1})}) {
        const auto line = message.json();
        if (line.find('\n') != std::string::npos || !nlohmann::json::parse(line).is_object() ||
            message.python().find('\n') != std::string::npos) {
            std::abort();
        }
    }
    std::string joined;
    for (const auto part : cut(text, 5)) {
        joined += part;
    }
    if (joined != text) {
        std::abort();
    }
    LineSplitter lines(8);
    if (const auto whole = lines.feed(text); !whole.empty() && !whole.ends_with('\n')) {
        std::abort();
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) {
        return 0;
    }
    const std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
    switch (data[0] % 5) {
        case 0:
            fuzz_arguments(text, Form::runnable);
            break;
        case 1:
            fuzz_arguments(text, Form::task);
            break;
        case 2:
            fuzz_recipes(text);
            break;
        case 3:
            fuzz_packet(text);
            break;
        default:
            fuzz_messages(text);
            break;
    }
    return 0;
}

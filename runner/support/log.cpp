// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/support/log.hpp"

#include "runner/support/printable.hpp"

#include <array>
#include <memory>
#include <mutex>

#include <pthread.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

namespace vt::log {
namespace {

struct State {
    std::mutex mutex;
    Sink sink;
    Level level = Level::debug;
    std::shared_ptr<spdlog::logger> console;
};

// Never destroyed: threads that outlive main may still log.
State& state() {
    static auto* instance = [] {
        static auto* made = new State;
        // A Python test may fork while another thread logs: the child would wait for ever for a lock whose
        // owner it has not got.
        ::pthread_atfork([] { made->mutex.lock(); }, [] { made->mutex.unlock(); },
                         [] { made->mutex.unlock(); });
        return made;
    }();
    return *instance;
}

spdlog::logger& console(State& current) {
    if (!current.console) {
        auto sink = std::make_shared<spdlog::sinks::stderr_color_sink_mt>();
        current.console = std::make_shared<spdlog::logger>("vt", std::move(sink));
        current.console->set_level(spdlog::level::debug);
        current.console->set_pattern("%H:%M:%S %^%-5l%$| %v");
    }
    return *current.console;
}

spdlog::level::level_enum to_spdlog(Level level) {
    static constexpr std::array levels{spdlog::level::debug, spdlog::level::info, spdlog::level::warn,
                                       spdlog::level::err};
    return levels.at(static_cast<std::size_t>(level));
}

}  // namespace

std::string_view level_name(Level level) {
    static constexpr std::array<std::string_view, 4> names{"DEBUG", "INFO", "WARNING", "ERROR"};
    return names.at(static_cast<std::size_t>(level));
}

void set_sink(Sink sink) {
    auto& current = state();
    const std::lock_guard lock(current.mutex);
    current.sink = std::move(sink);
}

void set_level(Level level) {
    auto& current = state();
    const std::lock_guard lock(current.mutex);
    current.level = level;
}

void write(Level level, std::string_view logger, std::string_view text) {
    auto& current = state();
    const std::lock_guard lock(current.mutex);
    if (level < current.level) {
        return;
    }
    while (text.ends_with('\n')) {
        text.remove_suffix(1);
    }
    for (;;) {
        const auto end = text.find('\n');
        const auto line = text.substr(0, end);
        if (current.sink) {
            current.sink(level, logger, line);
        } else {
            console(current).log(to_spdlog(level), "{}", printable_line(line));
        }
        if (end == std::string_view::npos) {
            return;
        }
        text.remove_prefix(end + 1);
    }
}

}  // namespace vt::log

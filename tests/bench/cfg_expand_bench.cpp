// SPDX-License-Identifier: GPL-2.0-or-later
/// \file cfg_expand_bench.cpp
/// One measurement of the engine: `cfg_expand_bench parse|names|dicts|find|load FILE [LIMIT|NAME|CACHE]`
/// prints the seconds (of processor and of clock), the results, and the peak memory in KiB, as JSON.
#include "cfg/cache.hpp"
#include "cfg/expander.hpp"
#include "cfg/parser.hpp"

#include <chrono>
#include <cstdlib>
#include <ctime>
#include <string>

#include <fmt/core.h>
#include <sys/resource.h>

namespace {

using vt::cfg::Input;

/// Expands up to `limit` dictionaries; returns how many there were.
std::size_t expand(const vt::cfg::Program& program, bool names, std::size_t limit) {
    vt::cfg::Expander expander(program);
    std::size_t count = 0;
    while (count < limit && (names ? expander.next_name() : expander.next()) != nullptr) {
        ++count;
    }
    return count;
}

std::size_t run(const std::string& what, const std::string& file, const std::string& argument) {
    if (what == "load") {
        return vt::cfg::load({Input::file(file)}, {}, argument).files().size();
    }
    const vt::cfg::Program program = vt::cfg::parse({Input::file(file)});
    if (what == "parse") {
        return program.files().size();
    }
    if (what == "find") {
        return vt::cfg::find_dictionary(program, argument) ? 1 : 0;
    }
    return expand(program, what == "names", argument.empty() ? SIZE_MAX : std::stoull(argument));
}

double processor_seconds() {
    timespec time = {};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 3) {
        fmt::print(stderr, "usage: cfg_expand_bench parse|names|dicts|find|load FILE [LIMIT|NAME|CACHE]\n");
        return 2;
    }
    const auto begin = std::chrono::steady_clock::now();
    try {
        const std::size_t count = run(argv[1], argv[2], argc > 3 ? argv[3] : "");
        const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begin;
        rusage usage = {};
        ::getrusage(RUSAGE_SELF, &usage);
        fmt::print("{{\"count\": {}, \"seconds\": {:.6f}, \"processor\": {:.6f}, \"kib\": {}}}\n", count,
                   elapsed.count(), processor_seconds(), usage.ru_maxrss);
    } catch (const std::exception& error) {
        fmt::print(stderr, "{}\n", error.what());
        return 1;
    }
    return 0;
}

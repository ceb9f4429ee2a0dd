// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/harness/packet/settings.hpp"

#include "runner/support/error.hpp"
#include "runner/support/file.hpp"
#include "runner/support/strings.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdlib>
#include <map>
#include <random>
#include <vector>

#include <fmt/format.h>
#include <sched.h>

namespace vt::packet {
namespace {

std::string lower(std::string word) {
    std::transform(word.begin(), word.end(), word.begin(), [](unsigned char c) { return std::tolower(c); });
    return word;
}

std::optional<std::uint64_t> core_size_of(const std::string& text) {
    if (text.empty() || lower(text) == "unlimited") {
        return std::nullopt;
    }
    std::uint64_t size = 0;
    const auto [behind, error] = std::from_chars(text.data(), text.data() + text.size(), size);
    const std::string unit = lower({behind, text.data() + text.size()});
    const std::map<std::string, unsigned> shifts{{"", 0}, {"k", 10}, {"m", 20}, {"g", 30}};
    const auto shift = shifts.find(unit);
    if (error != std::errc{} || shift == shifts.end()) {
        throw Error(
            fmt::format("COREDUMP_SIZE should be \"unlimited\" or a number of bytes (k, m and g may follow), "
                        "but it is \"{}\"",
                        text));
    }
    return size << shift->second;
}

/// The processor that a process last ran on (field 39 of its stat); -1 if it is none of that name.
int processor_of(const std::filesystem::path& process, const std::string& name) {
    std::string stat;
    try {
        stat = read_file(process / "stat");
    } catch (const Error&) {
        return -1;  // it has ended
    }
    const auto opening = stat.find('(');
    const auto closing = stat.rfind(')');
    if (opening == std::string::npos || closing == std::string::npos ||
        stat.substr(opening + 1, closing - opening - 1) != name) {
        return -1;
    }
    const auto words = split_words(std::string_view(stat).substr(closing + 1));
    return words.size() > 36 ? std::atoi(words[36].c_str()) : -1;
}

}  // namespace

std::optional<std::string> from_process(const std::string& name) {
    const char* value = std::getenv(name.c_str());
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

bool is_yes(const std::string& word) {
    const auto small = lower(word);
    return small == "y" || small == "yes" || small == "1";
}

Debug debug_of(const std::string& word) {
    static const std::map<std::string, Debug> words{
        {"", Debug::none}, {"core", Debug::core}, {"gdb", Debug::gdb}, {"gdbserver", Debug::gdbserver}};
    const auto found = words.find(lower(word));
    if (found == words.end()) {
        throw Error(fmt::format("DEBUG should be core, gdb or gdbserver, but it is \"{}\"", word));
    }
    return found->second;
}

Settings Settings::read(const Lookup& lookup) {
    Settings settings;
    settings.step = is_yes(lookup("STEP").value_or("n"));
    settings.debug = debug_of(lookup("DEBUG").value_or(""));
    const auto cache = lower(lookup("CACHE_OUTPUT").value_or("1"));
    settings.cache_output = cache != "n" && cache != "no" && cache != "0";
    settings.core_size = core_size_of(lookup("COREDUMP_SIZE").value_or(""));
    settings.failed_dir = lookup("FAILED_DIR").value_or("");
    settings.extended = is_yes(lookup("EXTENDED_TESTS").value_or("n"));
    settings.program = lookup("VPP_BIN").value_or("vpp");
    for (const char* name : {"VPP_PLUGIN_PATH", "EXTERN_PLUGINS"}) {
        if (const auto path = lookup(name)) {
            settings.plugin_path += (settings.plugin_path.empty() ? "" : ":") + *path;
        }
    }
    return settings;
}

int least_used_cpu(const std::string& process_name, const std::filesystem::path& proc) {
    cpu_set_t allowed;
    CPU_ZERO(&allowed);
    std::map<int, int> used;
    if (::sched_getaffinity(0, sizeof allowed, &allowed) == 0) {
        for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
            if (CPU_ISSET(cpu, &allowed)) {
                used[cpu] = 0;
            }
        }
    }
    std::error_code error;
    for (std::filesystem::directory_iterator entry(proc, error), past; !error && entry != past;
         entry.increment(error)) {
        const auto number = entry->path().filename().string();
        if (std::all_of(number.begin(), number.end(), [](unsigned char c) { return std::isdigit(c) != 0; })) {
            const auto found = used.find(processor_of(entry->path(), process_name));
            if (found != used.end()) {
                ++found->second;
            }
        }
    }
    std::vector<int> least;
    for (const auto& one : used) {
        if (!least.empty() && one.second < used[least.front()]) {
            least.clear();
        }
        if (least.empty() || one.second == used[least.front()]) {
            least.push_back(one.first);
        }
    }
    if (least.empty()) {
        return 0;
    }
    static thread_local std::mt19937 random{std::random_device{}()};
    return least[std::uniform_int_distribution<std::size_t>(0, least.size() - 1)(random)];
}

}  // namespace vt::packet

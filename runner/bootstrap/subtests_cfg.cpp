// SPDX-License-Identifier: GPL-2.0-or-later
#include "cfg/parser.hpp"
#include "runner/bootstrap/generated_cfg.hpp"
#include "runner/support/file.hpp"
#include "runner/support/log.hpp"
#include "runner/support/strings.hpp"

#include <algorithm>
#include <optional>
#include <set>

#include <fmt/core.h>

namespace vt::bootstrap {

namespace fs = std::filesystem;
using providers::Provider;
using providers::Section;

namespace {

constexpr int max_depth = 16;
constexpr std::size_t max_bytes = std::size_t{16} << 20;  // of one config

/// A config file of tests, and whose it is.
struct TestConfig {
    const Provider* provider = nullptr;
    fs::path path;
    std::vector<std::string> lines;
};

/// Calls \p visit for each file below \p dir in the order of names; hidden folders are not entered, and none
/// twice, whatever links lead to it.
template <typename Visit>
void walk(const fs::path& dir, const fs::path& skipped, int depth, const Visit& visit,
          std::set<fs::path>& seen) {
    std::vector<fs::directory_entry> entries;
    std::error_code error;
    if (fs::path real = fs::canonical(dir, error); error || !seen.insert(real).second) {
        return;
    }
    for (fs::directory_iterator entry(dir, error), end; !error && entry != end; entry.increment(error)) {
        entries.push_back(*entry);
    }
    std::sort(entries.begin(), entries.end(),
              [](const auto& a, const auto& b) { return a.path() < b.path(); });
    for (const fs::directory_entry& entry : entries) {
        std::error_code ignored;
        std::string name = entry.path().filename().string();
        if (entry.is_directory(ignored)) {
            if (depth < max_depth && !name.starts_with('.') && name != "__pycache__" &&
                entry.path() != skipped) {
                walk(entry.path(), skipped, depth + 1, visit, seen);
            }
        } else if (entry.is_regular_file(ignored)) {
            visit(entry.path());
        }
    }
}

template <typename Visit>
void walk(const Section& section, const Visit& visit) {
    std::set<fs::path> seen;
    walk(section.subdir, section.subdir / "cfg", 0, visit, seen);
}

/// `- NAME: deps` in the first column gets the provider's name; `@` is dropped, as upstream does.
std::string with_provider(const std::string& line, const std::string& provider) {
    auto colon = line.find(':');
    std::string_view name = trim(std::string_view(line).substr(1, colon - 1));
    if (name.starts_with('@')) {
        name.remove_prefix(1);
    }
    return fmt::format("- {}.{}{}", provider, name, colon == std::string::npos ? "" : line.substr(colon));
}

/// \param type_line the type, for the tests of that type alone; empty for shared ones
void add_config(const TestConfig& config, int indent, const std::string& type_line, std::string& out) {
    auto add = [&](int column, std::string_view line) {
        out.append(static_cast<std::size_t>(column), ' ');
        out += line;
        out += '\n';
    };
    for (const std::string& line : config.lines) {
        if (trim(line).empty()) {
            continue;
        }
        if (!line.starts_with("- ")) {
            add(indent, line);
            continue;
        }
        add(indent, with_provider(line, config.provider->name));
        if (!type_line.empty()) {
            add(indent + 4, "virt_test_type = " + type_line);
        }
        add(indent + 4, "provider = " + config.provider->name);
    }
}

/// Why \p config is no list of tests; empty if it is one.
std::string why_not(const TestConfig& config) {
    std::string text = "variants subtest:\n";
    add_config(config, 4, {}, text);
    try {
        cfg::parse({cfg::Input::string(text)});
    } catch (const cfg::MissingIncludeError&) {
        return {};  // what it includes lies where the whole config will
    } catch (const cfg::ParserError& error) {
        return fmt::format("{} in '{}'{}", error.report().message, trim(error.report().line),
                           error.report().expected.empty() ? "" : "; expected is " + error.report().expected);
    }
    return {};
}

/// A provider's config is taken only if it can be parsed: one broken file must not cost all tests.
std::optional<TestConfig> read_config(const Provider& provider, const fs::path& path) {
    std::string reason;
    try {
        TestConfig config{&provider, path, split(read_file(path, max_bytes), '\n')};
        for (std::string& line : config.lines) {
            if (line.ends_with('\r')) {
                line.pop_back();
            }
        }
        reason = provider.builtin ? std::string() : why_not(config);
        if (reason.empty()) {
            return config;
        }
    } catch (const Error& error) {
        reason = error.what();
    }
    log::warning("Leaving out the tests of {}: {}", path.string(), to_valid_utf8(reason));
    return std::nullopt;
}

std::vector<TestConfig> configs_of(const Provider& provider, const std::string& type) {
    std::vector<TestConfig> configs;
    const Section* section = provider.section(type);
    if (section == nullptr) {
        return configs;
    }
    walk(*section, [&](const fs::path& path) {
        if (path.extension() == ".cfg" && path.filename().string().find("__init__") == std::string::npos) {
            if (auto config = read_config(provider, path)) {
                configs.push_back(std::move(*config));
            }
        }
    });
    return configs;
}

/// The words that a config file assigns to `type`.
std::set<std::string> types_named(const TestConfig& config) {
    std::set<std::string> types;
    for (const std::string& line : config.lines) {
        std::string_view text = trim(line);
        auto equals = text.find('=');
        if (equals != std::string_view::npos && trim(text.substr(0, equals)) == "type") {
            std::vector<std::string> words = split_words(text.substr(equals + 1));
            types.insert(words.begin(), words.end());
        }
    }
    return types;
}

/// Names of the test files that providers other than the built-in one have for \p type.
std::set<std::string> supplied_elsewhere(const std::string& type, const std::vector<Provider>& providers) {
    std::set<std::string> names;
    for (const Provider& provider : providers) {
        for (const Section& section : provider.sections) {
            bool serves =
                section.type == type || section.type == "generic" || section.type == "multi_host_migration";
            if (provider.builtin || !serves) {
                continue;
            }
            walk(section, [&](const fs::path& path) {
                if (path.extension() == ".py" || path.extension() == ".so") {
                    names.insert(path.stem().string());
                }
            });
        }
    }
    return names;
}

/// The built-in test that stands in where there is no suite: with one, a test of that name is the user's to
/// write, as the user's guide has it.
constexpr const char* stand_in = "uptime";

bool has_fetched_suite(const std::string& type, const std::vector<Provider>& providers) {
    return std::any_of(providers.begin(), providers.end(), [&](const Provider& provider) {
        std::error_code error;
        return !provider.in_place() && fs::is_directory(provider.root, error) &&
               (provider.section(type) != nullptr || provider.section("generic") != nullptr);
    });
}

bool is_one_of(const TestConfig& config, const std::vector<std::string>& names) {
    std::string stem = config.path.filename().string();
    return std::find(names.begin(), names.end(), stem.substr(0, stem.find('.'))) != names.end();
}

/// Upstream lets installations come first and what shuts the guest down come last.
std::vector<std::string> first_files(const std::string& type) {
    if (type == "lvsb" || type == "virttools") {
        return {};
    }
    return type == "qemu" || type == "spice" ? std::vector<std::string>{"unattended_install", "steps"}
                                             : std::vector<std::string>{"unattended_install"};
}

std::vector<std::string> last_files(const std::string& type) {
    if (type == "lvsb" || type == "virttools") {
        return {};
    }
    return type == "libvirt" ? std::vector<std::string>{"shutdown", "remove_guest"}
                             : std::vector<std::string>{"shutdown"};
}

}  // namespace

std::string subtests_text(const std::string& type, const std::vector<Provider>& providers) {
    std::vector<TestConfig> first;
    std::vector<TestConfig> specific;
    std::vector<TestConfig> shared;
    std::vector<TestConfig> last;
    std::set<std::string> elsewhere = supplied_elsewhere(type, providers);
    if (has_fetched_suite(type, providers)) {
        elsewhere.insert(stand_in);
    }
    auto sort_in = [&](std::vector<TestConfig> configs, std::vector<TestConfig>& rest) {
        for (TestConfig& config : configs) {
            std::set<std::string> types = types_named(config);
            bool steps_aside = config.provider->builtin &&
                               std::any_of(types.begin(), types.end(),
                                           [&](const auto& name) { return elsewhere.contains(name); });
            if (steps_aside) {
                log::debug("The built-in {} steps aside for another provider's", config.path.stem().string());
                continue;
            }
            auto& group = is_one_of(config, first_files(type))  ? first
                          : is_one_of(config, last_files(type)) ? last
                                                                : rest;
            group.push_back(std::move(config));
        }
    };
    for (const Provider& provider : providers) {
        sort_in(configs_of(provider, type), specific);
        if (type != "lvsb") {
            sort_in(configs_of(provider, "generic"), shared);
            sort_in(configs_of(provider, "multi_host_migration"), shared);
        }
    }
    std::string text =
        "# Made by vt-bootstrap from the test providers' configs; it is made anew each time.\nvariants "
        "subtest:\n";
    for (const TestConfig& config : first) {
        add_config(config, 4, {}, text);
    }
    if (!specific.empty()) {
        text += "    - @type_specific:\n        variants subtest:\n";
        for (const TestConfig& config : specific) {
            add_config(config, 12, type, text);
        }
    }
    for (const auto* group : {&shared, &last}) {
        for (const TestConfig& config : *group) {
            add_config(config, 4, {}, text);
        }
    }
    return text;
}

}  // namespace vt::bootstrap

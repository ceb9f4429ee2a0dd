// SPDX-License-Identifier: GPL-2.0-or-later
#include "providers/ini.hpp"

#include "runner/support/file.hpp"
#include "runner/support/strings.hpp"

#include <algorithm>

#include <fmt/core.h>

namespace vt::providers {

namespace {

constexpr std::size_t max_bytes = std::size_t{1} << 20;
constexpr int max_depth = 10;                 // as configparser
constexpr std::size_t max_references = 1000;  // in one value, those in referenced ones included

std::string lower(std::string_view text) {
    std::string result(text);
    std::transform(result.begin(), result.end(), result.begin(),
                   [](unsigned char c) { return static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c); });
    return result;
}

std::string excerpt(std::string_view line) {
    constexpr std::size_t enough = 80;
    return to_valid_utf8(line.substr(0, enough)) + (line.size() > enough ? "…" : "");
}

std::size_t indentation(std::string_view line) {
    auto first = line.find_first_not_of(" \t");
    return first == std::string_view::npos ? line.size() : first;
}

}  // namespace

Ini Ini::parse(std::string_view text, const std::string& name) {
    Ini ini;
    ini.name_ = name;
    if (text.starts_with("\xef\xbb\xbf")) {
        text.remove_prefix(3);
    }
    Values* section = nullptr;
    std::string* value = nullptr;  // of the key that a deeper line goes on with
    std::size_t key_indentation = 0;
    std::size_t number = 0;
    for (const std::string& line : split(text, '\n')) {
        ++number;
        auto fail = [&](std::string_view reason) {
            // Of a file that is no text, or has endless lines, the beginning says enough.
            return IniError(fmt::format("{}:{}: {}: '{}'", name, number, reason, excerpt(trim(line))));
        };
        std::string_view content = trim(line);
        if (content.empty()) {
            continue;
        }
        if (content.front() == '#' || content.front() == ';') {
            continue;
        }
        if (value != nullptr && indentation(line) > key_indentation) {
            *value += '\n';
            *value += content;
            continue;
        }
        if (content.front() == '[') {
            auto end = content.find(']');
            if (end == std::string_view::npos) {
                throw fail("a section header needs a closing bracket");
            }
            std::string title(content.substr(1, end - 1));
            value = nullptr;
            if (title == "DEFAULT") {
                section = &ini.defaults_;
                continue;
            }
            auto [position, added] = ini.sections_.try_emplace(title);
            if (!added) {
                throw fail("this section is there twice");
            }
            ini.titles_.push_back(position->first);
            section = &position->second;
            continue;
        }
        if (section == nullptr) {
            throw fail("expected a section header such as [provider] before the first key");
        }
        auto separator = content.find_first_of("=:");
        if (separator == std::string_view::npos || separator == 0) {
            throw fail("expected 'key: value' or 'key = value'");
        }
        auto [position, added] = section->try_emplace(lower(trim(content.substr(0, separator))),
                                                      trim(content.substr(separator + 1)));
        if (!added) {
            throw fail("this key is there twice");
        }
        value = &position->second;
        key_indentation = indentation(line);
    }
    return ini;
}

Ini Ini::read(const std::filesystem::path& path) {
    // A pipe would keep us waiting, a device never ends.
    std::error_code error;
    if (auto status = std::filesystem::status(path, error);
        !error && !std::filesystem::is_regular_file(status)) {
        throw IniError(fmt::format("{}: this is no regular file", path.string()));
    }
    return parse(read_file(path, max_bytes), path.string());
}

std::vector<std::string> Ini::sections() const {
    return titles_;
}

const std::string* Ini::raw(const std::string& section, const std::string& key) const {
    auto found = sections_.find(section);
    if (found == sections_.end()) {
        return nullptr;
    }
    if (auto value = found->second.find(key); value != found->second.end()) {
        return &value->second;
    }
    auto fallback = defaults_.find(key);
    return fallback == defaults_.end() ? nullptr : &fallback->second;
}

std::optional<std::string> Ini::get(const std::string& section, const std::string& key) const {
    const std::string* text = raw(section, key);
    if (text == nullptr) {
        return std::nullopt;
    }
    std::size_t references = 0;
    return interpolate(section, *text, 0, references);
}

std::string Ini::interpolate(const std::string& section, std::string_view text, int depth,
                             std::size_t& references) const {
    if (depth > max_depth) {
        throw IniError(fmt::format("{}: section [{}]: %(…)s references nest too deep", name_, section));
    }
    std::string result;
    while (!text.empty()) {
        auto percent = text.find('%');
        result += text.substr(0, percent);
        if (percent == std::string_view::npos) {
            break;
        }
        text.remove_prefix(percent + 1);
        if (text.starts_with('%')) {
            result += '%';
            text.remove_prefix(1);
            continue;
        }
        auto end = text.find(")s");
        if (!text.starts_with('(') || end == std::string_view::npos) {
            throw IniError(fmt::format("{}: section [{}]: a percent sign is written %%, a reference %(key)s",
                                       name_, section));
        }
        std::string key = lower(text.substr(1, end - 1));
        const std::string* value = raw(section, key);
        if (value == nullptr) {
            throw IniError(fmt::format("{}: section [{}]: %({})s leads nowhere", name_, section, key));
        }
        if (++references > max_references) {
            throw IniError(fmt::format("{}: section [{}]: more than {} references in one value", name_,
                                       section, max_references));
        }
        result += interpolate(section, *value, depth + 1, references);
        if (result.size() > max_bytes) {
            throw IniError(fmt::format("{}: section [{}]: a value is bigger than any file", name_, section));
        }
        text.remove_prefix(end + 2);
    }
    return result;
}

}  // namespace vt::providers

// SPDX-License-Identifier: GPL-2.0-or-later
// The file is text, a line a thing: SORT, NAME, fields…, separated by tabs; what is a list within a field has
// blanks. A line is cut into fields only when it is asked for.
#include "runner/caps/capabilities.hpp"

#include "runner/caps/capabilities_format.hpp"
#include "runner/support/strings.hpp"

#include <algorithm>
#include <charconv>
#include <map>

#include <fmt/core.h>

namespace vt {

namespace {

using Sort = std::map<std::string_view, std::string_view, std::less<>>;  ///< name → the rest of its line

/// The \p index-th field of \p line; empty if there are fewer.
std::string_view field(std::string_view line, std::size_t index) {
    for (; index > 0; --index) {
        const auto tab = line.find('\t');
        if (tab == std::string_view::npos) {
            return {};
        }
        line.remove_prefix(tab + 1);
    }
    return line.substr(0, line.find('\t'));
}

/// The word of \p list that begins with \p name and \p mark, without both.
std::optional<std::string_view> word_after(std::string_view list, std::string_view name, char mark) {
    while (!list.empty()) {
        const auto blank = list.find(' ');
        const auto word = list.substr(0, blank);
        if (word.size() > name.size() && word.starts_with(name) && word[name.size()] == mark) {
            return word.substr(name.size() + 1);
        }
        list.remove_prefix(blank == std::string_view::npos ? list.size() : blank + 1);
    }
    return std::nullopt;
}

bool has_word(std::string_view list, std::string_view wanted) {
    while (!list.empty()) {
        const auto blank = list.find(' ');
        if (list.substr(0, blank) == wanted) {
            return true;
        }
        list.remove_prefix(blank == std::string_view::npos ? list.size() : blank + 1);
    }
    return false;
}

}  // namespace

struct Capabilities::Answers {
    std::string text;
    std::string version;
    std::map<std::string_view, Sort, std::less<>> sorts;

    const std::string_view* line(std::string_view sort, std::string_view name) const {
        const auto of_sort = sorts.find(sort);
        if (of_sort == sorts.end()) {
            return nullptr;
        }
        const auto found = of_sort->second.find(name);
        return found == of_sort->second.end() ? nullptr : &found->second;
    }
};

Capabilities::Capabilities() : answers_(std::make_shared<const Answers>()) {}
Capabilities::Capabilities(std::shared_ptr<const Answers> answers) : answers_(std::move(answers)) {}

Capabilities Capabilities::parse(std::string text) {
    auto answers = std::make_shared<Answers>();
    answers->text = std::move(text);
    std::string_view rest = answers->text;
    const auto line = [&rest] {
        const auto end = rest.find('\n');
        const auto found = rest.substr(0, end);
        rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
        return found;
    };
    if (line() != caps_format::first_line || !rest.ends_with(caps_format::last_line)) {
        throw CapabilitiesError("this is no whole file of QEMU's capabilities in today's format");
    }
    while (!rest.empty()) {
        const auto whole = line();
        const auto sort = field(whole, 0);
        const auto name = field(whole, 1);
        const auto used = sort.size() + name.size() + 2;
        answers->sorts[sort][name] = whole.size() > used ? whole.substr(used) : std::string_view();
    }
    if (const auto found = answers->sorts.find("version"); found != answers->sorts.end()) {
        answers->version = found->second.begin()->first;
    }
    return Capabilities(std::move(answers));
}

bool Capabilities::known() const {
    return !answers_->text.empty();
}

const std::string& Capabilities::version() const {
    return answers_->version;
}

std::optional<MachineInfo> Capabilities::machine(std::string_view name) const {
    const auto machines = answers_->sorts.find("machine");
    if (machines == answers_->sorts.end()) {
        return std::nullopt;
    }
    for (const auto& [own, line] : machines->second) {
        if (own != name && (name.empty() || field(line, 0) != name)) {
            continue;
        }
        MachineInfo info{std::string(own),        std::string(field(line, 0)), 0,
                         field(line, 2) == "yes", std::string(field(line, 3)), field(line, 4) == "default"};
        const auto cpus = field(line, 1);
        std::from_chars(cpus.data(), cpus.data() + cpus.size(), info.max_cpus);
        return info;
    }
    return std::nullopt;
}

std::optional<MachineInfo> Capabilities::default_machine() const {
    for (const auto& name : names("machine")) {
        if (auto info = machine(name); info && info->is_default) {
            return info;
        }
    }
    return std::nullopt;
}

bool Capabilities::has_accelerator(std::string_view name) const {
    return answers_->line("accelerator", name) != nullptr;
}

bool Capabilities::has_cpu_model(std::string_view name) const {
    return answers_->line("cpu", name) != nullptr;
}

bool Capabilities::has_device(std::string_view name) const {
    return answers_->line("device", name) != nullptr;
}

std::optional<std::string> Capabilities::device_bus(std::string_view name) const {
    const auto* line = answers_->line("device", name);
    return line == nullptr ? std::nullopt : std::optional(std::string(field(*line, 0)));
}

bool Capabilities::is_pcie(std::string_view name) const {
    const auto* line = answers_->line("device", name);
    return line != nullptr && field(*line, 1) == "pcie";
}

std::optional<std::string> Capabilities::property(std::string_view sort, std::string_view name,
                                                  std::string_view property) const {
    const auto* line = answers_->line(sort, name);
    if (line == nullptr) {
        return std::nullopt;
    }
    const auto found = word_after(field(*line, sort == "device" ? 2 : 0), property, ':');
    return found ? std::optional(std::string(*found)) : std::nullopt;
}

std::optional<std::string> Capabilities::device_property(std::string_view device,
                                                         std::string_view name) const {
    return property("device", device, name);
}

bool Capabilities::has_object(std::string_view type) const {
    return answers_->line("object", type) != nullptr;
}

std::optional<std::string> Capabilities::object_property(std::string_view type, std::string_view name) const {
    return property("object", type, name);
}

bool Capabilities::has_block_driver(std::string_view driver) const {
    return answers_->line("block", driver) != nullptr;
}

std::optional<std::string> Capabilities::block_property(std::string_view driver,
                                                        std::string_view name) const {
    return property("block", driver, name);
}

bool Capabilities::has_netdev(std::string_view type) const {
    return answers_->line("netdev", type) != nullptr;
}

std::optional<std::string> Capabilities::netdev_property(std::string_view type, std::string_view name) const {
    return property("netdev", type, name);
}

bool Capabilities::has_chardev(std::string_view backend) const {
    return answers_->line("chardev", backend) != nullptr;
}

bool Capabilities::has_command(std::string_view name) const {
    return answers_->line("command", name) != nullptr;
}

bool Capabilities::command_argument(std::string_view command, std::string_view argument) const {
    const auto* line = answers_->line("command", command);
    return line != nullptr && has_word(field(*line, 0), argument);
}

bool Capabilities::command_feature(std::string_view command, std::string_view feature) const {
    const auto* line = answers_->line("command", command);
    return line != nullptr && has_word(field(*line, 1), feature);
}

bool Capabilities::has_event(std::string_view name) const {
    return answers_->line("event", name) != nullptr;
}

bool Capabilities::has_option(std::string_view option) const {
    return answers_->line("option", option) != nullptr;
}

bool Capabilities::option_parameter(std::string_view option, std::string_view parameter) const {
    const auto* line = answers_->line("option", option);
    return line != nullptr && has_word(field(*line, 0), parameter);
}

std::vector<std::string> Capabilities::names(std::string_view sort) const {
    std::vector<std::string> names;
    if (const auto found = answers_->sorts.find(sort); found != answers_->sorts.end()) {
        for (const auto& [name, line] : found->second) {
            names.emplace_back(name);
        }
    }
    return names;
}

}  // namespace vt

// SPDX-License-Identifier: GPL-2.0-or-later
#include "resolver/selection.hpp"

#include "resolver/setting_errors.hpp"
#include "runner/support/strings.hpp"

#include <fmt/core.h>
#include <nlohmann/json.hpp>

namespace vt::resolver {

using nlohmann::json;
namespace fs = std::filesystem;

namespace {

// Settings are named here without their leading "vt."; a Selection's JSON has the same names.
struct TextSetting {
    const char* name;
    std::string Selection::*member;
};

struct FlagSetting {
    const char* name;
    bool Selection::*member;
};

constexpr TextSetting text_settings[] = {
    {"type", &Selection::type},
    {"guest_os", &Selection::guest_os},
    {"only_filter", &Selection::only_filter},
    {"no_filter", &Selection::no_filter},
    {"common.arch", &Selection::arch},
    {"common.machine_type", &Selection::machine_type},
    {"common.nettype", &Selection::nettype},
    {"common.netdst", &Selection::netdst},
    {"common.mem", &Selection::mem},
    {"qemu.qemu_bin", &Selection::qemu_bin},
    {"qemu.qemu_dst_bin", &Selection::qemu_dst_bin},
    {"qemu.accel", &Selection::accel},
    {"qemu.monitor", &Selection::monitor},
    {"qemu.smp", &Selection::smp},
    {"qemu.image_type", &Selection::image_type},
    {"qemu.nic_model", &Selection::nic_model},
    {"qemu.disk_bus", &Selection::disk_bus},
    {"qemu.vhost", &Selection::vhost},
    {"qemu.malloc_perturb", &Selection::malloc_perturb},
    {"qemu.sandbox", &Selection::sandbox},
    {"qemu.defconfig", &Selection::defconfig},
    {"libvirt.connect_uri", &Selection::connect_uri},
};

constexpr FlagSetting flag_settings[] = {
    {"short_names_when_config", &Selection::short_names_when_config},
    {"common.type_specific_only", &Selection::type_specific_only},
    {"setup.backup_image_before_test", &Selection::backup_image_before_test},
    {"setup.restore_image_after_test", &Selection::restore_image_after_test},
    {"setup.keep_guest_running", &Selection::keep_guest_running},
};

std::string text_of(const json& value, std::string_view name) {
    if (value.is_string()) {
        if (value.get_ref<const std::string&>().find('\0') != std::string::npos) {
            throw bad_value(name, value.dump(), "expected a text without a NUL");
        }
        return value.get<std::string>();
    }
    if (value.is_number_integer()) {
        return value.dump();
    }
    throw bad_value(name, value.dump(), "expected a text");
}

bool flag_of(const json& value, std::string_view name) {
    if (value.is_boolean()) {
        return value.get<bool>();
    }
    if (value.is_string()) {
        const auto& text = value.get_ref<const std::string&>();
        for (const char* yes : {"yes", "on", "true", "True", "1", "y"}) {
            if (text == yes) {
                return true;
            }
        }
        for (const char* no : {"no", "off", "false", "False", "0", "n"}) {
            if (text == no) {
                return false;
            }
        }
    }
    throw bad_value(name, value.dump(), "expected yes or no");
}

/// A list of texts; a text is a list of its words.
std::vector<std::string> words_of(const json& value, std::string_view name) {
    if (value.is_string()) {
        return split_words(value.get_ref<const std::string&>());
    }
    std::vector<std::string> result;
    if (!value.is_array()) {
        throw bad_value(name, value.dump(), "expected a list");
    }
    for (const json& item : value) {
        result.push_back(text_of(item, name));
    }
    return result;
}

std::vector<std::pair<std::string, std::string>> extra_params_of(const json& value) {
    // As a text it is one pair, whose value may have blanks.
    std::vector<std::string> items = value.is_string() && !value.get_ref<const std::string&>().empty()
                                         ? std::vector{value.get<std::string>()}
                                         : words_of(value, "extra_params");
    std::vector<std::pair<std::string, std::string>> result;
    for (const std::string& item : items) {
        auto equals = item.find('=');
        std::string key(trim(std::string_view(item).substr(0, equals)));
        if (equals == std::string::npos || key.empty()) {
            throw bad_value("extra_params", item, "expected KEY=VALUE, as in --vt-extra-params mem=2048");
        }
        if (item.find_first_of("\n\r") != std::string::npos) {
            throw bad_value("extra_params", item, "a parameter's value has one line");
        }
        result.emplace_back(std::move(key), item.substr(equals + 1));
    }
    return result;
}

const json* find(const json& object, const std::string& key) {
    auto found = object.find(key);
    return found == object.end() || found->is_null() ? nullptr : &*found;
}

/// Reads what settings and a Selection's own JSON have in common; \p prefix is "vt." or empty.
void read_common(const json& object, const std::string& prefix, Selection& selection) {
    for (const TextSetting& setting : text_settings) {
        if (const json* value = find(object, prefix + setting.name)) {
            selection.*setting.member = text_of(*value, setting.name);
        }
    }
    for (const FlagSetting& setting : flag_settings) {
        if (const json* value = find(object, prefix + setting.name)) {
            selection.*setting.member = flag_of(*value, setting.name);
        }
    }
    if (const json* value = find(object, prefix + "config")) {
        std::string path = text_of(*value, "config");
        selection.config = path.empty() ? fs::path() : fs::absolute(path).lexically_normal();
    }
    if (const json* value = find(object, prefix + "filter.default_filters")) {
        selection.default_filters.clear();
        for (const std::string& item : words_of(*value, "filter.default_filters")) {
            for (std::string& word : split_words(replace_all(item, ",", " "))) {
                selection.default_filters.push_back(std::move(word));
            }
        }
    }
    // The task may have another working directory.
    for (std::string Selection::*program : {&Selection::qemu_bin, &Selection::qemu_dst_bin}) {
        if (!(selection.*program).empty()) {
            selection.*program = fs::absolute(selection.*program).string();
        }
    }
    if (const json* value = find(object, prefix + "extra_params")) {
        selection.extra_params = extra_params_of(*value);
    }
}

}  // namespace

Selection selection_from_settings(const json& settings, const fs::path& data_dir) {
    if (!settings.is_object()) {
        throw SelectionError("The settings are no JSON object");
    }
    // Of no weight for a selection, but to be refused before anything runs all the same.
    for (const char* name : {"debug.no_cleanup", "omit_data_loss", "common.allow_outside"}) {
        if (const json* value = find(settings, std::string("vt.") + name)) {
            flag_of(*value, name);
        }
    }
    Selection selection;
    read_common(settings, "vt.", selection);
    const json* own = find(settings, "vt.common.data_dir");
    std::string own_dir = own == nullptr ? std::string() : text_of(*own, "common.data_dir");
    selection.data_dir = fs::absolute(own_dir.empty() ? data_dir : fs::path(own_dir)).lexically_normal();
    return selection;
}

json to_json(const Selection& selection) {
    const Selection defaults;
    json result = json::object();
    for (const TextSetting& setting : text_settings) {
        if (selection.*setting.member != defaults.*setting.member) {
            result[setting.name] = selection.*setting.member;
        }
    }
    for (const FlagSetting& setting : flag_settings) {
        if (selection.*setting.member != defaults.*setting.member) {
            result[setting.name] = selection.*setting.member;
        }
    }
    result["data_dir"] = selection.data_dir.string();
    if (!selection.config.empty()) {
        result["config"] = selection.config.string();
    }
    if (!selection.config_digest.empty()) {
        result["config_digest"] = selection.config_digest;
    }
    if (!selection.default_filters.empty()) {
        result["filter.default_filters"] = selection.default_filters;
    }
    for (const auto& [key, value] : selection.extra_params) {
        result["extra_params"].push_back(fmt::format("{}={}", key, value));
    }
    return result;
}

Selection selection_from_json(const json& object) {
    if (!object.is_object()) {
        throw SelectionError("A test's 'selection' is no JSON object");
    }
    Selection selection;
    read_common(object, "", selection);
    const json* data_dir = find(object, "data_dir");
    if (data_dir == nullptr) {
        throw SelectionError("A test's 'selection' has no 'data_dir'");
    }
    selection.data_dir = text_of(*data_dir, "data_dir");
    if (const json* digest = find(object, "config_digest")) {
        selection.config_digest = text_of(*digest, "config_digest");
    }
    return selection;
}

}  // namespace vt::resolver

// SPDX-License-Identifier: GPL-2.0-or-later
// A definition's text: it is understood or refused with IniError. A second look takes the bytes as a URI,
// and as an armored key.
#include "providers/git_uri.hpp"
#include "providers/ini.hpp"
#include "providers/provider.hpp"
#include "providers/signature.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

void read_as_ini(std::string_view text) {
    try {
        auto ini = vt::providers::Ini::parse(text, "f.ini");
        for (const std::string& section : ini.sections()) {
            for (const char* key : {"uri", "branch", "subdir"}) {
                if (auto value = ini.get(section, key); value && value->size() > text.size() + (2U << 20)) {
                    std::abort();  // references may not multiply without end
                }
            }
        }
    } catch (const vt::providers::IniError&) {
    }
}

void read_as_uri(const std::string& text) {
    const std::string shown = vt::providers::uri_for_messages(text);
    if (shown.size() > text.size()) {
        std::abort();
    }
    try {
        vt::providers::checked_git_uri(text);
        if (!vt::providers::is_path(text) && text.find("::") != std::string::npos &&
            text.find("::") == text.find(':')) {
            std::abort();  // a helper's name
        }
    } catch (const vt::providers::ProviderError&) {
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string text(reinterpret_cast<const char*>(data), size);
    read_as_ini(text);
    read_as_uri(text);
    try {
        vt::providers::dearmored(text);
    } catch (const vt::providers::GitError&) {
    }
    return 0;
}

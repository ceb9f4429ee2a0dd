// SPDX-License-Identifier: GPL-2.0-or-later
// A filter over a small set of variants. What `only F` keeps, `no F` must drop, and the names must tell it at
// once: early judgement may never differ from looking at the whole name.
#include "cfg/errors.hpp"
#include "cfg/expander.hpp"
#include "cfg/parser.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <set>
#include <string>
#include <string_view>

namespace {

constexpr std::string_view blocks =
    "variants:\n  - a:\n  - b.a:\n  - c:\nvariants v:\n  - a:\n    variants:\n      - d:\n      - a:\n  - "
    "b:\n"
    "variants:\n  - c:\n  - a.b:\n";

std::set<std::string> names(const std::string& statement) {
    vt::cfg::Expander expander(
        vt::cfg::parse({vt::cfg::Input::string(std::string(blocks)), vt::cfg::Input::string(statement)}));
    std::set<std::string> result;
    while (const vt::cfg::Dictionary* dictionary = expander.next_name()) {
        result.emplace(dictionary->name);
    }
    return result;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string filter(reinterpret_cast<const char*>(data), size);
    if (filter.find_first_of("\n\r\v\f\x1c\x1d\x1e") != std::string::npos) {
        return 0;
    }
    static const std::set<std::string> all = names("");
    try {
        const auto kept = names("only " + filter + " # end");
        const auto dropped = names("no " + filter + " # end");
        std::set<std::string> both = kept;
        both.insert(dropped.begin(), dropped.end());
        if (kept.size() + dropped.size() != all.size() || both != all) {
            std::abort();
        }
    } catch (const vt::cfg::ParserError&) {
    }
    return 0;
}

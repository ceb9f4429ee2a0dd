// SPDX-License-Identifier: GPL-2.0-or-later
// A whole configuration: read, expanded, written, linted and explained, with limits that a person would call
// tight. Finding a dictionary by its name must give what the expansion gave.
#include "cfg/errors.hpp"
#include "cfg/expander.hpp"
#include "cfg/explain.hpp"
#include "cfg/format.hpp"
#include "cfg/lint.hpp"
#include "cfg/parser.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

vt::cfg::Options tight(bool defaults) {
    vt::cfg::Options options;
    options.defaults = defaults;
    options.limits.include_depth = 2;
    options.limits.total_bytes = 1U << 20;
    options.limits.value_length = 1U << 16;
    options.limits.dictionary_bytes = 1U << 18;
    options.limits.fruitless_nodes = 20'000;
    options.limits.regex_match_limit = 10'000;
    options.limits.join_depth = 4;
    return options;
}

void expand(const vt::cfg::Program& program) {
    vt::cfg::Expander expander(program);
    vt::cfg::JsonWriter json(program);
    std::string out;
    std::string first;
    for (int i = 0; i < 50; ++i) {
        const vt::cfg::Dictionary* dictionary = expander.next();
        if (dictionary == nullptr) {
            break;
        }
        json.append(out, *dictionary);
        vt::cfg::append_text(out, *dictionary, 1, false, true);
        if (i == 0) {
            first = dictionary->name;
            const auto found = vt::cfg::find_dictionary(program, first);
            // A limit may rename a test; then it cannot be found by what is not its name.
            if (found && found->size() != dictionary->to_params().size()) {
                std::abort();
            }
        }
    }
    vt::cfg::to_text(vt::cfg::explain(program, first + "x", {}));
    vt::cfg::to_text(vt::cfg::explain(program, first, {"k"}));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string text(reinterpret_cast<const char*>(data), size);
    if (text.find("include") != std::string::npos) {
        return 0;  // no files here
    }
    try {
        const vt::cfg::Program program = vt::cfg::parse({vt::cfg::Input::string(text)}, tight(size % 2 == 1));
        vt::cfg::lint(program, {1000});
        expand(program);
    } catch (const vt::cfg::ParserError& error) {
        if (std::string_view(error.what()).empty()) {
            std::abort();
        }
    }
    return 0;
}

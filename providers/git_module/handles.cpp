// SPDX-License-Identifier: GPL-2.0-or-later
#include "providers/git_module/handles.hpp"

#include <array>

#include <fmt/core.h>

namespace vt::providers::module {

std::string last_words() {
    const git_error* error = git_error_last();
    return error != nullptr && error->message != nullptr ? error->message : "libgit2 does not say why";
}

void check(int code, std::string_view what) {
    if (code < 0) {
        throw GitError(fmt::format("{}: {}", what, last_words()));
    }
}

std::string text_of(const git_oid& id) {
    std::array<char, GIT_OID_HEXSZ + 1> text{};
    return git_oid_tostr(text.data(), text.size(), &id);
}

std::string short_text_of(const git_oid& id) {
    return text_of(id).substr(0, 12);
}

}  // namespace vt::providers::module

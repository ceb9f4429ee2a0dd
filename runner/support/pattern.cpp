// SPDX-License-Identifier: GPL-2.0-or-later
#define PCRE2_CODE_UNIT_WIDTH 8
#include "runner/support/pattern.hpp"

#include "runner/support/error.hpp"
#include "runner/support/log.hpp"

#include <fmt/format.h>
#include <pcre2.h>

namespace vt {
namespace {

/// Some tenths of a second of backtracking at worst.
constexpr std::uint32_t match_limit = 1'000'000;

std::string pcre_text(int code) {
    PCRE2_UCHAR text[256];
    pcre2_get_error_message(code, text, sizeof text);
    return reinterpret_cast<const char*>(text);
}

}  // namespace

struct Pattern::Impl {
    std::string expression;
    std::unique_ptr<pcre2_code, decltype(&pcre2_code_free)> code{nullptr, pcre2_code_free};
    std::unique_ptr<pcre2_match_context, decltype(&pcre2_match_context_free)> context{
        pcre2_match_context_create(nullptr), pcre2_match_context_free};
};

Pattern::Pattern(const std::string& expression) {
    auto impl = std::make_shared<Impl>();
    impl->expression = expression;
    int code = 0;
    PCRE2_SIZE offset = 0;
    impl->code.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(expression.data()), expression.size(),
                                   PCRE2_UTF | PCRE2_UCP | PCRE2_MATCH_INVALID_UTF, &code, &offset, nullptr));
    if (!impl->code) {
        throw Error(fmt::format("'{}' is no valid regular expression: {} at offset {}", expression,
                                pcre_text(code), offset));
    }
    pcre2_set_match_limit(impl->context.get(), match_limit);
    pcre2_jit_compile(impl->code.get(), PCRE2_JIT_COMPLETE);  // optional: without it matching is slower
    impl_ = std::move(impl);
}

bool Pattern::search(std::string_view text) const {
    const std::unique_ptr<pcre2_match_data, decltype(&pcre2_match_data_free)> data(
        pcre2_match_data_create_from_pattern(impl_->code.get(), nullptr), pcre2_match_data_free);
    const int rc = pcre2_match(impl_->code.get(), reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), 0,
                               0, data.get(), impl_->context.get());
    if (rc < 0 && rc != PCRE2_ERROR_NOMATCH) {
        log::warning("matching '{}' was given up ({}), which counts as no match", impl_->expression,
                     pcre_text(rc));
    }
    return rc >= 0;
}

}  // namespace vt

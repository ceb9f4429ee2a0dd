// SPDX-License-Identifier: GPL-2.0-or-later
#define PCRE2_CODE_UNIT_WIDTH 8
#include "runner/harness/driver/log_extract.hpp"

#include "runner/support/error.hpp"
#include "runner/support/file.hpp"
#include "runner/support/log.hpp"
#include "runner/support/strings.hpp"
#include "runner/support/unique_fd.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <fmt/core.h>
#include <pcre2.h>
#include <sys/stat.h>
#include <unistd.h>

namespace vt::driver {
namespace {

/// Logs are hostile: some tenths of a second of backtracking at worst.
constexpr std::uint32_t match_limit = 1'000'000;
/// A line longer than this is matched in parts.
constexpr std::size_t longest_line = std::size_t{1} << 20;

using Code = std::unique_ptr<pcre2_code, decltype(&pcre2_code_free)>;

std::string pcre_text(int code) {
    std::array<PCRE2_UCHAR, 256> text{};
    pcre2_get_error_message(code, text.data(), text.size());
    return reinterpret_cast<const char*>(text.data());
}

std::uint32_t options_of(const Expression& expression) {
    std::uint32_t options = PCRE2_ANCHORED;
    options |= expression.ignore_case ? PCRE2_CASELESS : 0;
    options |= expression.multi_line ? PCRE2_MULTILINE : 0;
    options |= expression.dot_all ? PCRE2_DOTALL : 0;
    options |= expression.verbose ? PCRE2_EXTENDED : 0;
    if (!expression.bytes) {
        options |= PCRE2_UTF | PCRE2_MATCH_INVALID_UTF;
        options |= expression.ascii ? 0 : PCRE2_UCP;
    }
    return options;
}

Code compile(const Expression& expression) {
    int error = 0;
    PCRE2_SIZE offset = 0;
    Code code(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(expression.pattern.data()),
                            expression.pattern.size(), options_of(expression), &error, &offset, nullptr),
              pcre2_code_free);
    if (!code) {
        throw Error(fmt::format("'{}' is no valid regular expression: {} at offset {}", expression.pattern,
                                pcre_text(error), offset));
    }
    pcre2_jit_compile(code.get(), PCRE2_JIT_COMPLETE);  // optional: without it matching is slower
    return code;
}

/// Numbers and names of the groups.
std::vector<std::pair<std::uint32_t, std::string>> groups_of(const pcre2_code* code) {
    std::uint32_t count = 0;
    std::uint32_t entry = 0;
    PCRE2_SPTR table = nullptr;
    pcre2_pattern_info(code, PCRE2_INFO_NAMECOUNT, &count);
    pcre2_pattern_info(code, PCRE2_INFO_NAMEENTRYSIZE, &entry);
    pcre2_pattern_info(code, PCRE2_INFO_NAMETABLE, &table);
    std::vector<std::pair<std::uint32_t, std::string>> groups;
    for (std::uint32_t i = 0; i < count; ++i, table += entry) {
        groups.emplace_back((std::uint32_t{table[0]} << 8U) | table[1],
                            reinterpret_cast<const char*>(table + 2));
    }
    return groups;
}

struct Compiled {
    explicit Compiled(const Expression& expression)
        : text(expression.pattern),
          code(compile(expression)),
          groups(groups_of(code.get())),
          data(pcre2_match_data_create_from_pattern(code.get(), nullptr), pcre2_match_data_free) {}

    std::string text;
    Code code;
    std::vector<std::pair<std::uint32_t, std::string>> groups;
    std::unique_ptr<pcre2_match_data, decltype(&pcre2_match_data_free)> data;
    bool matched = false;
};

}  // namespace

struct LineExtractor::Impl {
    std::vector<Compiled> expressions;
    std::map<std::string, std::string> extracts;
    std::unique_ptr<pcre2_match_context, decltype(&pcre2_match_context_free)> context{
        pcre2_match_context_create(nullptr), pcre2_match_context_free};
};

LineExtractor::LineExtractor(const std::vector<Expression>& expressions) : impl_(std::make_unique<Impl>()) {
    for (const Expression& expression : expressions) {
        impl_->expressions.emplace_back(expression);
    }
    pcre2_set_match_limit(impl_->context.get(), match_limit);
}

LineExtractor::LineExtractor(LineExtractor&&) noexcept = default;
LineExtractor::~LineExtractor() = default;

void LineExtractor::feed(std::string_view line) {
    for (Compiled& expression : impl_->expressions) {
        const int found = pcre2_match(expression.code.get(), reinterpret_cast<PCRE2_SPTR>(line.data()),
                                      line.size(), 0, 0, expression.data.get(), impl_->context.get());
        if (found < 0) {
            if (found != PCRE2_ERROR_NOMATCH) {
                log::warning("matching '{}' was given up ({}), which counts as no match", expression.text,
                             pcre_text(found));
            }
            continue;
        }
        expression.matched = true;
        const PCRE2_SIZE* spans = pcre2_get_ovector_pointer(expression.data.get());
        for (const auto& group : expression.groups) {
            const PCRE2_SIZE begin = spans[2 * group.first];
            const PCRE2_SIZE end = spans[2 * group.first + 1];
            if (group.first < static_cast<std::uint32_t>(found) && begin != PCRE2_UNSET && end >= begin) {
                impl_->extracts[group.second] = std::string(line.substr(begin, end - begin));
            }
        }
    }
}

void LineExtractor::reset() {
    impl_->extracts.clear();
    for (Compiled& expression : impl_->expressions) {
        expression.matched = false;
    }
}

bool LineExtractor::all_matched() const {
    return std::all_of(impl_->expressions.begin(), impl_->expressions.end(),
                       [](const Compiled& expression) { return expression.matched; });
}

std::vector<std::size_t> LineExtractor::unmatched() const {
    std::vector<std::size_t> indices;
    for (std::size_t i = 0; i < impl_->expressions.size(); ++i) {
        if (!impl_->expressions[i].matched) {
            indices.push_back(i);
        }
    }
    return indices;
}

const std::map<std::string, std::string>& LineExtractor::extracts() const {
    return impl_->extracts;
}

FileExtractor::FileExtractor(std::filesystem::path file, const std::vector<Expression>& expressions)
    : file_(std::move(file)), lines_(expressions) {}

bool FileExtractor::look() {
    const UniqueFd fd(::open(file_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    struct stat info {};
    if (!fd || ::fstat(fd.get(), &info) != 0) {
        if (errno == ENOENT) {
            return false;
        }
        throw SystemError(fmt::format("read the log {}", file_.string()), errno);
    }
    if (info.st_ino != inode_ || static_cast<std::uint64_t>(info.st_size) < position_) {
        inode_ = info.st_ino;
        position_ = 0;
        lines_.reset();
    }
    std::string text;
    std::array<char, 65536> block{};
    for (;;) {
        const ssize_t got =
            ::pread(fd.get(), block.data(), block.size(), static_cast<off_t>(position_ + text.size()));
        if (got < 0 && errno != EINTR) {
            throw SystemError(fmt::format("read the log {}", file_.string()), errno);
        }
        text.append(block.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
        std::size_t begin = 0;
        for (std::size_t end = text.find('\n'); end != std::string::npos; end = text.find('\n', begin)) {
            if (end > begin && text[end - 1] == '\r') {
                lines_.feed(text.substr(begin, end - begin - 1) + "\n");
            } else {
                lines_.feed(std::string_view(text).substr(begin, end + 1 - begin));
            }
            begin = end + 1;
        }
        if (text.size() - begin > longest_line) {
            lines_.feed(std::string_view(text).substr(begin));
            begin = text.size();
        }
        text.erase(0, begin);
        position_ += begin;
        if (got == 0) {
            break;
        }
    }
    if (!text.empty()) {
        lines_.feed(text);  // the line that is being written: seen now, and again once it is whole
    }
    return lines_.all_matched();
}

std::vector<std::string> last_lines(const std::filesystem::path& file, std::size_t count) {
    constexpr std::size_t usual_line = 512;
    constexpr std::size_t everything = std::size_t{16} << 20;
    const std::string text = read_tail(file, count == 0 ? everything : (count + 1) * usual_line);
    std::vector<std::string> lines = split(text, '\n');
    while (!lines.empty() && trim(lines.back()).empty()) {
        lines.pop_back();
    }
    if (count != 0 && lines.size() > count) {
        lines.erase(lines.begin(), lines.end() - static_cast<std::ptrdiff_t>(count));
    }
    return lines;
}

}  // namespace vt::driver

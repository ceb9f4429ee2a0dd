// SPDX-License-Identifier: GPL-2.0-or-later
#include "cfg/source.hpp"

#include "cfg/errors.hpp"
#include "cfg/unicode.hpp"
#include "runner/support/unique_fd.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

namespace vt::cfg {
namespace {

constexpr std::size_t scratch_size = 64U << 10;
constexpr std::int64_t tab_width = 8;

/// Whether a text has neither tabs nor line ends other than \n nor characters beyond ASCII.
bool is_simple(std::string_view text) {
    bool odd = false;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        odd |= byte >= 0x7F || (byte < 0x20 && byte != '\n');
    }
    return !odd;
}

/// Tabs to multiples of eight columns, counted in characters.
std::string expand_tabs(std::string_view text) {
    std::string result;
    std::int64_t column = 0;
    for (const char c : text) {
        if (c == '\t') {
            const std::int64_t blanks = tab_width - column % tab_width;
            result.append(static_cast<std::size_t>(blanks), ' ');
            column += blanks;
            continue;
        }
        result += c;
        column += (static_cast<unsigned char>(c) & 0xC0U) == 0x80U ? 0 : 1;
    }
    return result;
}

}  // namespace

std::optional<std::string_view> Blob::add_source(std::string text) {
    if (text.size() > limit_ - std::min(limit_, size_)) {
        return std::nullopt;
    }
    auto chunk = std::make_unique<Chunk>();
    chunk->text = std::move(text);
    chunk->base = size_;
    size_ += chunk->text.size();
    chunks_.push_back(std::move(chunk));
    return chunks_.back()->text;
}

Blob::Chunk& Blob::chunk_with_room(std::size_t length) {
    if (scratch_ != nullptr && scratch_->capacity - scratch_->text.size() >= length) {
        return *scratch_;
    }
    auto chunk = std::make_unique<Chunk>();
    chunk->capacity = std::max(scratch_size, length);
    if (chunk->capacity > UINT32_MAX - std::min<std::size_t>(UINT32_MAX, size_)) {
        throw Error("the configuration's texts take more than 4 GiB");
    }
    chunk->text.reserve(chunk->capacity);
    chunk->base = size_;
    size_ += chunk->capacity;
    chunks_.push_back(std::move(chunk));
    scratch_ = chunks_.back().get();
    return *scratch_;
}

Str Blob::add(std::string_view text) {
    Chunk& chunk = chunk_with_room(text.size());
    const auto offset = static_cast<std::uint32_t>(chunk.base + chunk.text.size());
    chunk.text.append(text);
    return {offset, static_cast<std::uint32_t>(text.size())};
}

Str Blob::place(std::string_view text) {
    if (text.empty()) {
        return {};
    }
    const auto holds = [&](const Chunk& chunk) {
        return text.data() >= chunk.text.data() &&
               text.data() + text.size() <= chunk.text.data() + chunk.text.size();
    };
    if (current_source_ == nullptr || !holds(*current_source_)) {
        const auto found =
            std::find_if(chunks_.rbegin(), chunks_.rend(), [&](const auto& chunk) { return holds(*chunk); });
        if (found == chunks_.rend()) {
            return add(text);
        }
        current_source_ = found->get();
    }
    const auto offset =
        current_source_->base + static_cast<std::size_t>(text.data() - current_source_->text.data());
    return {static_cast<std::uint32_t>(offset), static_cast<std::uint32_t>(text.size())};
}

std::string_view Blob::view(Str str) const {
    if (str.length == 0) {
        return {};
    }
    auto found =
        std::upper_bound(chunks_.begin(), chunks_.end(), str.offset,
                         [](std::uint32_t offset, const auto& chunk) { return offset < chunk->base; });
    const Chunk& chunk = **--found;
    return std::string_view(chunk.text).substr(str.offset - chunk.base, str.length);
}

std::string Blob::flatten() const {
    std::string result;
    result.reserve(size_);
    for (const auto& chunk : chunks_) {
        result.append(chunk->text);
        if (chunk->capacity > chunk->text.size() && chunk.get() != chunks_.back().get()) {
            result.append(chunk->capacity - chunk->text.size(), '\0');
        }
    }
    return result;
}

LineReader::LineReader(Blob& blob, std::string_view text)
    : blob_(blob), rest_(text), simple_(is_simple(text)) {}

std::string_view LineReader::cut_line() {
    if (simple_) {
        const std::size_t end = std::min(rest_.find('\n'), rest_.size());
        const std::string_view line = rest_.substr(0, end);
        rest_.remove_prefix(std::min(end + 1, rest_.size()));
        return line;
    }
    std::size_t position = 0;
    while (position < rest_.size()) {
        const unicode::Character c = unicode::decode(rest_, position);
        if (unicode::is_line_end(c.code)) {
            const std::string_view line = rest_.substr(0, position);
            const bool pair = c.code == '\r' && position + 1 < rest_.size() && rest_[position + 1] == '\n';
            rest_.remove_prefix(position + (pair ? 2 : c.length));
            return line;
        }
        position += c.length;
    }
    const std::string_view line = rest_;
    rest_ = {};
    return line;
}

Line LineReader::dress(std::string_view raw) {
    if (simple_) {
        const std::size_t end = raw.find_last_not_of(' ');
        if (end == std::string_view::npos) {
            return {};
        }
        const std::size_t begin = raw.find_first_not_of(' ');
        return {raw.substr(begin, end + 1 - begin), static_cast<std::int64_t>(begin), number_};
    }
    std::string_view text = unicode::strip_right(raw);
    if (text.find('\t') != std::string_view::npos) {
        text = blob_.view(blob_.add(expand_tabs(text)));
    }
    const std::string_view stripped = unicode::strip_left(text);
    return {stripped,
            static_cast<std::int64_t>(unicode::count(text.substr(0, text.size() - stripped.size()))),
            number_};
}

bool LineReader::fetch() {
    while (!rest_.empty()) {
        const std::string_view raw = cut_line();
        ++number_;
        if (raw.size() > longest_) {
            longest_ = raw.size();
            longest_line_ = number_;
        }
        const Line line = dress(raw);
        if (line.text.empty() || line.text.front() == '#' || line.text.substr(0, 2) == "//") {
            continue;
        }
        ahead_ = line;
        return true;
    }
    return false;
}

std::optional<Line> LineReader::next(std::int64_t outer_indent) {
    if (stored_) {
        return std::exchange(stored_, std::nullopt);
    }
    if ((!ahead_ && !fetch()) || ahead_->indent <= outer_indent) {
        return std::nullopt;
    }
    return std::exchange(ahead_, std::nullopt);
}

std::string read_source_file(const std::string& path, std::size_t limit) {
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
    struct stat status = {};
    if (fd.get() < 0 || ::fstat(fd.get(), &status) != 0) {
        throw SourceError(path, errno);
    }
    std::string text;
    if (S_ISREG(status.st_mode) && static_cast<std::size_t>(status.st_size) <= limit) {
        text.reserve(static_cast<std::size_t>(status.st_size) + 1);
    }
    std::size_t used = 0;
    while (true) {
        text.resize(std::max(text.capacity(), used + (64U << 10)));
        const ssize_t got = ::read(fd.get(), text.data() + used, text.size() - used);
        if (got < 0) {
            if (errno == EINTR) {
                continue;
            }
            throw SourceError(path, errno);
        }
        used += static_cast<std::size_t>(got);
        if (got == 0 || used > limit) {
            break;
        }
    }
    if (used > limit) {
        throw LimitError({fmt::format("the sources have more than {} bytes (limit total_bytes)", limit),
                          {path, 0, 0},
                          {},
                          "a smaller file",
                          {}});
    }
    text.resize(used);
    return text;
}

}  // namespace vt::cfg

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

FileIdentity identity_of(const struct stat& status) {
    constexpr std::int64_t second = 1'000'000'000;
    FileIdentity identity;
    identity.device = status.st_dev;
    identity.inode = status.st_ino;
    identity.size = static_cast<std::uint64_t>(status.st_size);
    identity.modified = status.st_mtim.tv_sec * second + status.st_mtim.tv_nsec;
    identity.changed = status.st_ctim.tv_sec * second + status.st_ctim.tv_nsec;
    return identity;
}

constexpr std::size_t scratch_size = 64U << 10;
constexpr std::int64_t tab_width = 8;

/// Whether a line has neither tabs nor control characters nor characters beyond ASCII.
bool is_simple(std::string_view text) {
    bool odd = false;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        odd |= byte >= 0x7F || byte < 0x20;
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

LineReader::LineReader(Blob& blob, std::string_view text) : blob_(blob), rest_(text) {}

/// Takes the next line off the rest. Nearly all lines are simple ones that end at a newline; only in others
/// the other ends of lines are looked for.
std::string_view LineReader::cut_line() {
    const std::size_t newline = std::min(rest_.find('\n'), rest_.size());
    const std::string_view line = rest_.substr(0, newline);
    simple_ = is_simple(line);
    if (!simple_) {
        for (std::size_t position = 0; position < line.size();) {
            const unicode::Character c = unicode::decode(line, position);
            if (unicode::is_line_end(c.code)) {
                const bool pair = c.code == '\r' && position + 1 == line.size() && newline < rest_.size();
                rest_.remove_prefix(position + (pair ? 2 : c.length));
                return line.substr(0, position);
            }
            position += c.length;
        }
    }
    rest_.remove_prefix(std::min(newline + 1, rest_.size()));
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

SourceText read_source_file(const std::string& path, std::size_t limit) {
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
        throw LimitError(
            report_of(fmt::format("the sources have more than {} bytes (limit total_bytes)", limit), path));
    }
    text.resize(used);
    // What it is after reading: a file that is being written changes its times once more.
    if (::fstat(fd.get(), &status) != 0) {
        throw SourceError(path, errno);
    }
    FileIdentity identity = identity_of(status);
    identity.digest = digest_of(text);
    return {std::move(text), identity};
}

std::optional<FileIdentity> identify_file(const std::string& path) {
    struct stat status = {};
    if (::stat(path.c_str(), &status) != 0) {
        return std::nullopt;
    }
    return identity_of(status);
}

std::uint64_t digest_of(std::string_view bytes) {
    // Four lanes of multiply and fold, eight bytes each, so that the processor works on all of them at once.
    constexpr std::uint64_t odd = 0x9E3779B97F4A7C15U;
    std::uint64_t lanes[4] = {odd, odd * 3, odd * 5, odd * 7};
    const auto mix = [](std::uint64_t state, std::uint64_t word) {
        state = (state ^ word) * 0xD6E8FEB86659FD93U;
        return state ^ state >> 32U;
    };
    std::size_t position = 0;
    for (; position + 32 <= bytes.size(); position += 32) {
        std::uint64_t words[4];
        std::memcpy(words, bytes.data() + position, 32);
        for (int lane = 0; lane < 4; ++lane) {
            lanes[lane] = mix(lanes[lane], words[lane]);
        }
    }
    std::uint64_t tail[4] = {};
    if (position < bytes.size()) {
        std::memcpy(tail, bytes.data() + position, bytes.size() - position);
    }
    std::uint64_t result = mix(odd, bytes.size());
    for (int lane = 0; lane < 4; ++lane) {
        result = mix(result, mix(lanes[lane], tail[lane]));
    }
    return result;
}

}  // namespace vt::cfg

// SPDX-License-Identifier: GPL-2.0-or-later
/// \file source.hpp
/// Texts that configurations are read from, and their lines as the language sees them.
///
/// Texts are kept until the end because the compiled form refers to them instead of copying; a Blob gives
/// each a place in one growing address space without ever moving it.
#pragma once

#include "cfg/image.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vt::cfg {

/// The texts of a configuration, end to end.
class Blob {
  public:
    /// \param limit bytes of all texts; more is refused by returning nothing from add_source
    explicit Blob(std::size_t limit) : limit_(limit) {}

    /// Takes a whole source; nothing if that would pass the limit.
    std::optional<std::string_view> add_source(std::string text);

    /// Copies a short text that is not a piece of a source. Throws Error past the limit.
    Str add(std::string_view text);

    /// The place of a text that lies in a source (by its address), or a copy of it if it does not.
    Str place(std::string_view text);

    std::string_view view(Str str) const;

    std::size_t size() const noexcept { return size_; }
    std::size_t limit() const noexcept { return limit_; }

    /// All texts, each at its place.
    std::string flatten() const;

  private:
    struct Chunk {
        std::string text;
        std::size_t base = 0;
        std::size_t capacity = 0;  ///< 0: a source, whole
    };

    Chunk& chunk_with_room(std::size_t length);

    std::size_t limit_;
    std::size_t size_ = 0;
    std::vector<std::unique_ptr<Chunk>> chunks_;
    Chunk* current_source_ = nullptr;
    Chunk* scratch_ = nullptr;
};

/// A line without its indentation, comment lines and blank ones left out, tabs expanded.
struct Line {
    std::string_view text;
    std::int64_t indent = -1;  ///< columns
    std::uint32_t number = 0;  ///< from 1
};

/// Hands out the lines of one source.
class LineReader {
  public:
    /// \param text valid UTF-8 that lives in `blob`
    LineReader(Blob& blob, std::string_view text);

    /// The next line if it is deeper than `outer_indent`, without passing over it if it is not.
    std::optional<Line> next(std::int64_t outer_indent);

    /// Makes the next call of next() return this line, whatever its indentation.
    void push_back(const Line& line) { stored_ = line; }

    /// The length in bytes of the longest line so far, and its number.
    std::size_t longest() const noexcept { return longest_; }
    std::uint32_t longest_line() const noexcept { return longest_line_; }

  private:
    bool fetch();
    std::string_view cut_line();
    Line dress(std::string_view raw);

    Blob& blob_;
    std::string_view rest_;
    bool simple_ = false;  ///< the line just cut is nothing but printable ASCII
    std::uint32_t number_ = 0;
    std::size_t longest_ = 0;
    std::uint32_t longest_line_ = 0;
    std::optional<Line> stored_;
    std::optional<Line> ahead_;
};

/// A file's content and what it was when it was read.
struct SourceText {
    std::string text;
    FileIdentity identity;
};

/// Reads a whole file. Throws SourceError; LimitError past `limit` bytes.
SourceText read_source_file(const std::string& path, std::size_t limit);

/// What a file is now, without the digest; nothing if it is gone.
std::optional<FileIdentity> identify_file(const std::string& path);

/// A digest against accidents, not against attackers.
std::uint64_t digest_of(std::string_view bytes);

}  // namespace vt::cfg

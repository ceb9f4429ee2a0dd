// SPDX-License-Identifier: GPL-2.0-or-later
/// \file builder.hpp
/// The graph of nodes while it grows, and its freezing into an Image.
#pragma once

#include "cfg/image.hpp"
#include "cfg/source.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace vt::cfg {

/// Numbers for texts, in the order in which they were first seen.
class Interner {
  public:
    Interner() : table_(1024, none) {}

    /// The number of a text that stays where it is (in a Blob); a new one if it was not seen.
    std::uint32_t intern(std::string_view stable) { return find_or_add(stable, nullptr); }

    /// The same for a text that may go away: copied to the blob if it is new.
    std::uint32_t intern_copy(std::string_view text, Blob& blob) { return find_or_add(text, &blob); }

    const std::vector<std::string_view>& texts() const noexcept { return texts_; }

  private:
    std::uint32_t find_or_add(std::string_view text, Blob* copy_to);
    void grow();

    std::vector<std::string_view> texts_;
    std::vector<std::size_t> hashes_;
    std::vector<std::uint32_t> table_;
};

/// A filter as it is read: alternatives of sets of label sequences, by symbol.
using FilterWords = std::vector<std::vector<std::vector<std::uint32_t>>>;

/// A node before freezing. Conditions inside `statements` end at an index relative to the node.
struct DraftNode {
    std::vector<Stmt> statements;
    std::vector<std::uint32_t> children;
    std::vector<Label> labels;
    Str name;
    Str shortname;
    std::uint32_t dep = none;
    std::uint32_t flags = 0;
};

/// Everything that has been read.
class Builder {
  public:
    explicit Builder(std::size_t total_bytes);

    Blob blob;
    Interner keys;
    Interner symbols;
    std::vector<DraftNode> nodes;  ///< children before parents
    std::vector<Condition> conditions;
    std::vector<File> files;
    std::uint32_t top = 0;

    std::uint32_t add_filter(const FilterWords& words);
    std::uint32_t add_file(const File& file);
    std::uint32_t add_map_file(std::string_view path);
    std::uint32_t add_pattern(std::string_view text);

    /// The references of a value; nothing if it has none.
    std::uint32_t add_template(std::string_view value);

    /// The symbol of a bare name, and of `(block=name)`.
    std::uint32_t name_symbol(std::string_view name) { return symbols.intern_copy(name, blob); }
    std::uint32_t exact_symbol(std::string_view block, std::string_view name);

    /// Everything below `top`, as it is now.
    std::shared_ptr<const Image> freeze(const ImageOptions& options);

  private:
    friend class Freezer;

    std::vector<Filter> filters_;
    std::vector<Range> words_;
    std::vector<Range> blocks_;
    std::vector<std::uint32_t> block_symbols_;
    std::vector<Range> templates_;
    std::vector<Piece> pieces_;
    std::vector<Pattern> patterns_;
    std::vector<Str> map_files_;
};

}  // namespace vt::cfg

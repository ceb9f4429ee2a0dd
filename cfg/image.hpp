// SPDX-License-Identifier: GPL-2.0-or-later
/// \file image.hpp
/// The compiled form of a configuration: arrays of plain numbers that refer to each other by index.
///
/// A configuration is a graph of nodes. Reading starts with one node; a `variants` block puts a block node on
/// top of what was read so far, whose children are its variants, and each variant's innermost node has the
/// node below the block as its only child. So the walk from the top (the end of the file) to the leaf (its
/// beginning) meets the labels in the order of the name, the statements of a dictionary are those of the
/// nodes on the way from the leaf upwards, and everything below a block is shared by its variants: the image
/// is as long as the text, however many dictionaries it makes.
///
/// Filters speak of symbols. Two symbols stand for a label of a named block, one for its bare name and one
/// for the
/// `(v=a)` form; only symbols that some filter mentions have numbers below `used_symbols`. For each node
/// `below` tells, one bit a used symbol, whether a label with it can still come: that is what lets a filter
/// be judged early.
///
/// What is ugly: all texts lie in one blob that is the sources themselves, so the compiled form is larger
/// than it need be; in return reading copies nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

namespace vt::cfg {

inline constexpr std::uint32_t none = UINT32_MAX;

/// A piece of the blob.
struct Str {
    std::uint32_t offset = 0;
    std::uint32_t length = 0;
};

/// A part of another array.
struct Range {
    std::uint32_t begin = 0;
    std::uint32_t end = 0;

    bool empty() const noexcept { return begin == end; }
};

/// The numbers of the keys that no statement can change, the same in every image.
namespace reserved {
inline constexpr std::uint32_t name = 0;
inline constexpr std::uint32_t shortname = 1;
inline constexpr std::uint32_t dep = 2;
inline constexpr std::uint32_t name_map = 3;
inline constexpr std::uint32_t short_name_map = 4;
inline constexpr std::uint32_t count = 5;
}  // namespace reserved

enum class Op : std::uint8_t {
    set,
    append,
    prepend,
    lazy_set,
    regex_set,
    regex_append,
    regex_prepend,
    del,
    suffix,
    condition,
    only,
    no,
    join,
    map,
};

/// One statement. What `a` and `value` hold depends on `op`: the key (regex: the pattern) and the value; for
/// `suffix` the suffix; for `condition` the condition in `a`; for `only`, `no`, `join` the filter in `a`; for
/// `map` the base name of the file in `a` (a map file) and the dotted labels in `value`, the bare ones in the
/// following `map` statement.
struct Stmt {
    static constexpr std::uint8_t substitutes =
        1;                                      ///< the value has references; `value.offset` is a Template
    static constexpr std::uint8_t plain = 2;    ///< JSON can take the value as it stands
    static constexpr std::uint8_t implied = 4;  ///< made by the reader, not written in the file

    Op op = Op::set;
    std::uint8_t flags = 0;
    std::uint16_t file = 0;
    std::uint32_t line = 0;
    std::uint32_t a = 0;
    Str value;
};

/// `F:` or `!F:`. Its statements follow its own statement up to `end`.
struct Condition {
    std::uint32_t filter = 0;
    std::uint32_t negated = 0;
    std::uint32_t end = 0;
    Range guards;  ///< the filters and conditions directly inside
};

/// An `only`, `no` or condition of a node or of a condition, without the assignments around it.
struct Guard {
    std::uint32_t statement = 0;
    std::uint32_t target = 0;  ///< filter, for a condition its number
    Op op = Op::only;
};

/// Alternatives: `words`, each a range of blocks.
struct Filter {
    Range words;
    std::uint32_t single = none;  ///< the symbol, if the filter is nothing but that
};

/// A reference in a value and the text before it; the last piece has no key.
struct Piece {
    Str before;
    std::uint32_t key = none;
};

struct Label {
    std::uint32_t name_symbol = none;   ///< of the bare name
    std::uint32_t exact_symbol = none;  ///< of `(v=a)`; none for a label without block name
};

struct Node {
    static constexpr std::uint32_t hidden = 1;        ///< its labels are left out of shortname
    static constexpr std::uint32_t is_default = 2;    ///< the one to take with `defaults`
    static constexpr std::uint32_t runs_in_full = 4;  ///< its children all run, whatever `defaults` says

    Range statements;
    Range guards;
    Range children;  ///< of `children`
    Range labels;
    Str name;                  ///< its labels, dotted
    Str shortname;             ///< the bare ones
    std::uint32_t dep = none;  ///< filter
    std::uint32_t below = 0;   ///< set of symbols that can still come
    Range joins;               ///< of `joins`: two or more filters, if this node joins
    std::uint32_t flags = 0;
};

/// What the name of a key means beyond a name.
struct Key {
    enum Limit : std::uint32_t { no_limit, max, min, fixed };

    Str text;
    std::uint32_t rank = 0;  ///< its place among all keys in code point order
    std::uint32_t limit = no_limit;
    std::uint32_t target = none;  ///< the key that the limit is for
};

/// What tells whether a file is still the one that was read. Times in nanoseconds since the epoch.
struct FileIdentity {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;  ///< 0: a text, no file
    std::uint64_t size = 0;
    std::int64_t modified = 0;
    std::int64_t changed = 0;
    std::uint64_t digest = 0;  ///< of the content

    bool operator==(const FileIdentity&) const = default;
};

struct File {
    Str path;
    Str source;                        ///< its text
    std::uint32_t included_by = none;  ///< the file that included it …
    std::uint32_t included_line = 0;   ///< … and its line
    FileIdentity identity;
};

/// A regular expression, or a plain key that needs none.
struct Pattern {
    Str text;
    std::uint32_t literal_key = none;
};

struct ImageOptions {
    std::uint32_t defaults = 0;
    std::uint32_t keep_suffixes = 0;
    std::uint32_t regex_match_limit = 0;
    std::uint32_t fruitless_nodes = 0;
    std::uint64_t value_length = 0;
    std::uint64_t dictionary_bytes = 0;
};

struct Image {
    std::string_view blob;
    std::span<const Node> nodes;
    std::span<const std::uint32_t> children;
    std::span<const Stmt> statements;
    std::span<const Condition> conditions;
    std::span<const Guard> guards;
    std::span<const Filter> filters;
    std::span<const Range> words;   ///< of `blocks`
    std::span<const Range> blocks;  ///< of `block_symbols`
    std::span<const std::uint32_t> block_symbols;
    std::span<const Str> symbols;  ///< text of each symbol
    std::span<const Label> labels;
    std::span<const Key> keys;
    std::span<const Range> templates;  ///< of `pieces`
    std::span<const Piece> pieces;
    std::span<const Pattern> patterns;
    std::span<const std::uint32_t> joins;  ///< filters of one word
    std::span<const Str> map_files;        ///< base names
    std::span<const File> files;
    std::span<const std::uint64_t> below;
    std::span<const ImageOptions> options;  ///< exactly one
    std::uint32_t used_symbols = 0;
    std::uint32_t top = 0;  ///< the node where the walk begins

    std::string_view text(Str str) const noexcept { return {blob.data() + str.offset, str.length}; }

    /// Words of one set of `below`.
    std::size_t stride() const noexcept { return (used_symbols + 63) / 64; }

    std::shared_ptr<const void> storage;  ///< keeps the arrays alive

    /// Calls `visit` with each array in a fixed order; what the compiled cache writes and reads.
    template <typename Self, typename Visit>
    static void for_each_array(Self& self, Visit visit) {
        visit(self.nodes);
        visit(self.children);
        visit(self.statements);
        visit(self.conditions);
        visit(self.guards);
        visit(self.filters);
        visit(self.words);
        visit(self.blocks);
        visit(self.block_symbols);
        visit(self.symbols);
        visit(self.labels);
        visit(self.keys);
        visit(self.templates);
        visit(self.pieces);
        visit(self.patterns);
        visit(self.joins);
        visit(self.map_files);
        visit(self.files);
        visit(self.below);
        visit(self.options);
    }
};

}  // namespace vt::cfg

// SPDX-License-Identifier: GPL-2.0-or-later
/// \file parser.hpp
/// Reads Cartesian configurations: files, strings and single statements, each added at the end of what was
/// read before, into a Program that an Expander runs.
///
/// The parser keeps the tree of nodes that grows while it reads; `program()` freezes it into the flat form. A
/// statement that fails leaves the parser as it was before that statement (upstream keeps the half it had
/// read).
#pragma once

#include "cfg/errors.hpp"
#include "cfg/program.hpp"

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace vt::cfg {

/// Limits against hostile or broken input. Each one names itself in the LimitError it raises.
struct Limits {
    std::size_t include_depth = 100;
    std::size_t nesting_depth = 400;            ///< blocks inside blocks
    std::size_t line_length = 1U << 20;         ///< bytes of one line
    std::size_t total_bytes = 256U << 20;       ///< bytes of all sources together
    std::size_t statements = 8'000'000;         ///< of all sources together
    std::size_t value_length = 64U << 20;       ///< bytes of one value while expanding
    std::size_t dictionary_bytes = 256U << 20;  ///< bytes of all values of one dictionary
    std::size_t join_depth = 64;                ///< words of one join
    unsigned regex_match_limit = 1'000'000;     ///< PCRE2's match limit for one key
    unsigned fruitless_nodes = 500'000'000;     ///< nodes walked between two dictionaries
};

/// How a configuration is read and expanded.
struct Options {
    /// Of a block with a default variant only that one, where it yields anything.
    bool defaults = false;
    /// Blocks that run in full though `defaults` is on; "" stands for blocks without a name.
    std::vector<std::string> expand_defaults;
    /// Keep a suffixed key although the plain key has the same value (upstream's `--skip-dups`).
    bool keep_suffixes = false;
    Limits limits;
};

/// One thing to read.
struct Input {
    enum class Kind { file, text, only, no, assign };

    Kind kind = Kind::file;
    std::string text;   ///< path, text, filter, or key
    std::string value;  ///< the value of an assignment

    static Input file(std::string path) { return {Kind::file, std::move(path), {}}; }
    /// `name` of a text that came from standard input is its `value`; "" means `<string>`.
    static Input string(std::string text, std::string name = {}) {
        return {Kind::text, std::move(text), std::move(name)};
    }
    static Input only(std::string filter) { return {Kind::only, std::move(filter), {}}; }
    static Input no(std::string filter) { return {Kind::no, std::move(filter), {}}; }
    static Input assign(std::string key, std::string value) {
        return {Kind::assign, std::move(key), std::move(value)};
    }

    bool operator==(const Input&) const = default;
};

/// A growing configuration.
class Parser {
  public:
    explicit Parser(Options options = {});
    ~Parser();
    Parser(Parser&&) noexcept;
    Parser& operator=(Parser&&) noexcept;

    /// Adds a file. Throws SourceError if it cannot be read, else ParserError and its children.
    void parse_file(const std::string& path);

    /// Adds a text; `name` stands for it in messages.
    void parse_string(std::string_view text, std::string_view name = "<string>");

    /// Adds `only FILTER`, `no FILTER`, `KEY = VALUE`.
    void only_filter(std::string_view filter);
    void no_filter(std::string_view filter);
    void assign(std::string_view key, std::string_view value);

    /// Adds any of the above.
    void add(const Input& input);

    const Options& options() const noexcept;

    /// What was read so far, ready to expand; later additions do not change it.
    Program program() const;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

/// Reads all inputs in order. Throws as Parser does.
Program parse(const std::vector<Input>& inputs, const Options& options = {});

}  // namespace vt::cfg

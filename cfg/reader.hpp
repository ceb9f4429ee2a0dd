// SPDX-License-Identifier: GPL-2.0-or-later
/// \file reader.hpp
/// Reads one source into a Builder: what the statements are and where blocks begin and end.
#pragma once

#include "cfg/builder.hpp"
#include "cfg/errors.hpp"
#include "cfg/filter_reader.hpp"
#include "cfg/parser.hpp"
#include "cfg/tokens.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vt::cfg {

/// A source being read.
struct SourceFrame {
    std::string path;        ///< as in messages
    std::string directory;   ///< what relative includes begin with; empty: the working directory
    std::uint32_t file = 0;  ///< number in the builder
    std::uint32_t map_file = 0;
    LineReader lines;
    Line line;  ///< the one being read
    FileIdentity identity;
};

/// The directory part of a path as Python's os.path.dirname has it.
std::string directory_of(const std::string& path);

/// Reads sources, includes among them. One object serves one parse_file() or parse_string().
class Reader {
  public:
    Reader(Builder& builder, const Options& options) : builder_(builder), options_(options) {}

    /// Reads a file, or a text that `name` stands for, on top of what the builder has.
    void read_file(const std::string& path);
    void read_text(std::string_view text, const std::string& name);

  private:
    struct Block;
    struct Header;

    SourceFrame& frame() { return *frames_.back(); }
    DraftNode& node() { return builder_.nodes[builder_.top]; }

    void read_source(SourceText source, const std::string& path, const std::string& directory,
                     bool in_condition);
    void check_encoding(std::string_view text, const std::string& path);
    void read_block(std::int64_t outer_indent, bool in_condition, unsigned depth);
    void read_line(Block& block);
    void read_other(Block& block);

    void read_assignment(Op op, std::string_view key, std::string_view value);
    void read_condition(Block& block);
    void read_filter_statement(Op op, std::size_t position);
    void read_join(std::size_t position);
    void read_suffix(Block& block, std::size_t position);
    void read_del(std::size_t position);
    void read_include(const Block& block);

    void read_variants_header(Block& block, std::size_t position);
    void read_block_name(Tokenizer& tokens, Header& header);
    void read_meta(Tokenizer& tokens, Header& header);
    void read_variants(Block& block);
    std::uint32_t read_variant(Header& header, Tokenizer& tokens, std::int64_t indent, std::uint32_t below);

    Stmt& add(Op op, std::uint32_t a, std::uint8_t flags = 0);
    void set_value(Stmt& statement, std::string_view value);
    std::vector<Token> tokens_to_end(Tokenizer& tokens, Token first);
    FilterWords filter(const std::vector<Token>& tokens);

    ErrorReport report(std::string message, std::string expected, std::size_t position) const;
    [[noreturn]] void refuse(std::string message, std::string expected, std::size_t position);
    [[noreturn]] void refuse_token(const Token& token, std::string expected);
    [[noreturn]] void limit(const std::string& message);

    Builder& builder_;
    const Options& options_;
    std::vector<std::unique_ptr<SourceFrame>> frames_;
    std::size_t depth_ = 0;  ///< of blocks, through includes
    std::size_t statements_ = 0;
};

}  // namespace vt::cfg

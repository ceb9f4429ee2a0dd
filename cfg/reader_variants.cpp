// SPDX-License-Identifier: GPL-2.0-or-later
/// \file reader_variants.cpp
/// The part of Reader that reads `variants` blocks and includes.
#include "cfg/reader.hpp"
#include "cfg/reader_blocks.hpp"
#include "cfg/unicode.hpp"

#include <algorithm>
#include <cstdlib>
#include <optional>

#include <fmt/core.h>
#include <pwd.h>
#include <sys/stat.h>

namespace vt::cfg {
namespace {

/// The name of a variant as it is written.
struct VariantName {
    std::vector<std::string> labels;
    std::vector<std::string> tokens;  ///< with the dots, as `[default=…]` is compared with it
    bool hidden = false;
};

/// `~` and `~user` at the beginning of a path.
std::string expand_user(std::string_view path) {
    if (path.empty() || path.front() != '~') {
        return std::string(path);
    }
    const std::size_t slash = std::min(path.find('/'), path.size());
    const std::string user(path.substr(1, slash - 1));
    std::string home;
    const char* variable = std::getenv("HOME");
    if (user.empty() && variable != nullptr) {
        home = variable;
    } else {
        const passwd* entry = user.empty() ? ::getpwuid(::getuid()) : ::getpwnam(user.c_str());
        if (entry == nullptr) {
            return std::string(path);
        }
        home = entry->pw_dir;
    }
    while (!home.empty() && home.back() == '/') {
        home.pop_back();
    }
    const std::string result = home + std::string(path.substr(slash));
    return result.empty() ? "/" : result;
}

/// The index of the `[default=…]` that names this variant: one is as long as the shorter of the two.
std::size_t find_default(const std::vector<std::vector<std::string>>& defaults, const VariantName& name) {
    const auto matches = [&](const std::vector<std::string>& wanted) {
        const std::size_t length = std::min(wanted.size(), name.tokens.size());
        return std::equal(wanted.begin(), wanted.begin() + static_cast<std::ptrdiff_t>(length),
                          name.tokens.begin());
    };
    return static_cast<std::size_t>(std::find_if(defaults.begin(), defaults.end(), matches) -
                                    defaults.begin());
}

/// A token as it stands in the file.
std::string written(const Token& token) {
    if (token.kind == TokenKind::string || token.kind == TokenKind::operation) {
        return token.text;
    }
    const std::string_view name = token_name(token.kind);  // in quotes
    return std::string(name.substr(1, name.size() - 2));
}

std::string dotted(const std::vector<std::string>& labels) {
    std::string result;
    for (const std::string& label : labels) {
        result += result.empty() ? "" : ".";
        result += label;
    }
    return result;
}

}  // namespace

void Reader::read_variants_header(Block& block, std::size_t position) {
    if (block.in_condition) {
        refuse("a variants block cannot stand in a condition", "assignments, filters, conditions", 0);
    }
    Header header;
    header.indent = frame().line.indent;
    header.where = {frame().path, frame().line.number, 0};
    Tokenizer tokens(frame().line.text, position);
    read_block_name(tokens, header);
    const Token end = tokens.next_solid();
    if (end.kind != TokenKind::end) {
        refuse_token(end, "the end of the line after 'variants:'");
    }
    const auto& full = options_.expand_defaults;
    header.runs_in_full = std::find(full.begin(), full.end(), header.name) != full.end();
    block.header = std::move(header);
}

/// The name and the meta data, up to the colon. What stands in front of a name is passed over, but then the
/// block is called like the first piece of it: `variants @x:` makes a block `@`, as it does upstream, and
/// suites have it.
void Reader::read_block_name(Tokenizer& tokens, Header& header) {
    std::optional<Token> before;
    bool settled = false;  // there was a name or a meta datum: nothing else can come
    for (Token token = tokens.next_solid(); token.kind != TokenKind::colon; token = tokens.next_solid()) {
        if (token.kind == TokenKind::left_bracket) {
            read_meta(tokens, header);
            settled = true;
        } else if (token.kind == TokenKind::identifier && header.name.empty()) {
            header.name = before && !settled ? written(*before) : token.text;
            settled = true;
        } else if (settled || token.kind == TokenKind::end) {
            refuse_token(token, header.name.empty() ? "the block's name, '[' or ':'" : "'[' or ':'");
        } else if (!before) {
            before = token;
        }
    }
}

void Reader::read_meta(Tokenizer& tokens, Header& header) {
    const Token name = tokens.next_solid();
    if (name.kind != TokenKind::identifier) {
        refuse_token(name, "the name of a meta datum");
    }
    Token token = tokens.next_solid();
    if (token.kind == TokenKind::right_bracket) {
        if (name.text == "default") {
            refuse_token(token, "'[default=NAME]'");
        }
        return;
    }
    if (token.kind != TokenKind::assign) {
        refuse_token(token, "'=' or ']'");
    }
    std::vector<std::string> text;
    for (token = tokens.next_solid(); token.kind != TokenKind::right_bracket; token = tokens.next_solid()) {
        if (token.kind == TokenKind::end) {
            refuse_token(token, "']'");
        }
        const bool named = token.kind == TokenKind::identifier || token.kind == TokenKind::string;
        text.push_back(named ? token.text : std::string(token_name(token.kind)));
    }
    if (name.text == "default") {
        header.defaults.push_back(std::move(text));
    }
}

void Reader::read_variants(Block& block) {
    Header header = std::move(*block.header);
    block.header.reset();
    const std::int64_t indent = frame().line.indent;
    const std::uint32_t below = builder_.top;
    std::vector<std::uint32_t> children;
    bool has_default = false;
    while (true) {
        const Line line = frame().line;
        Tokenizer tokens(line.text, 1);
        const std::uint32_t variant = read_variant(header, tokens, indent, below);
        DraftNode& draft = builder_.nodes[variant];
        if ((draft.flags & Node::is_default) != 0 && (has_default || header.runs_in_full)) {
            draft.flags &= ~Node::is_default;
        }
        const bool first = (draft.flags & Node::is_default) != 0;
        has_default = has_default || first;
        children.insert(first && options_.defaults ? children.begin() : children.end(), variant);
        const auto next = frame().lines.next(header.indent);
        if (!next) {
            break;
        }
        frame().line = *next;
        if (next->text.front() != '-') {
            refuse("something other than a variant stands in a variants block",
                   "a line beginning with '- name:'", 0);
        }
    }
    if (!header.defaults.empty()) {
        ErrorReport missing =
            report(fmt::format("the block has no variant '{}', its default", dotted(header.defaults[0])),
                   "the name of one of its variants", 0);
        missing.line.clear();
        missing.where = header.where;
        throw ParserError(missing);
    }
    DraftNode node;
    node.children = std::move(children);
    builder_.nodes.push_back(std::move(node));
    builder_.top = static_cast<std::uint32_t>(builder_.nodes.size() - 1);
}

std::uint32_t Reader::read_variant(Header& header, Tokenizer& tokens, std::int64_t indent,
                                   std::uint32_t below) {
    VariantName name;
    Token token = tokens.next_solid();
    if (token.kind == TokenKind::at) {
        name.hidden = true;
        token = tokens.next();
    } else if (token.kind != TokenKind::identifier) {
        refuse_token(token, "the variant's name");
    }
    for (; token.kind != TokenKind::colon; token = tokens.next()) {
        if (token.kind == TokenKind::identifier) {
            name.labels.push_back(token.text);
            name.tokens.push_back(token.text);
        } else if (token.kind == TokenKind::dot) {
            name.tokens.emplace_back(token_name(token.kind));
        } else {
            refuse_token(token, "'.' or ':' after the variant's name");
        }
    }
    FilterWords deps;
    const Token first = tokens.next_solid();
    if (first.kind != TokenKind::end) {
        deps = filter(tokens_to_end(tokens, first));
    }
    const std::size_t chosen = find_default(header.defaults, name);
    if (chosen < header.defaults.size()) {
        header.defaults.erase(header.defaults.begin() + static_cast<std::ptrdiff_t>(chosen));
        name.hidden = true;
    }

    DraftNode draft;
    draft.children.push_back(below);
    builder_.nodes.push_back(std::move(draft));
    builder_.top = static_cast<std::uint32_t>(builder_.nodes.size() - 1);
    const Line opener = frame().line;
    const std::string plain = dotted(name.labels);
    if (!header.name.empty()) {
        const std::uint32_t key = builder_.keys.intern_copy(header.name, builder_.blob);
        if (key >= reserved::count) {
            Stmt& statement = add(Op::set, key, Stmt::implied | Stmt::plain);
            statement.value = builder_.blob.add(plain);
        }
    }
    read_block(indent, false, 0);

    std::vector<std::string> exact;
    for (const std::string& label : name.labels) {
        exact.push_back(header.name.empty() ? label : fmt::format("({}={})", header.name, label));
        node().labels.push_back({builder_.name_symbol(label),
                                 header.name.empty() ? none : builder_.exact_symbol(header.name, label)});
    }
    node().name = builder_.blob.add(dotted(exact));
    node().shortname = header.name.empty() ? node().name : builder_.blob.add(plain);
    node().dep = deps.empty() ? none : builder_.add_filter(deps);
    node().flags = (name.hidden ? Node::hidden | Node::is_default : 0U) |
                   (header.runs_in_full && !header.name.empty() ? Node::runs_in_full : 0U);
    for (const Str text : {node().name, node().shortname}) {
        Stmt& statement = add(Op::map, frame().map_file, Stmt::implied);
        statement.value = text;
        statement.line = opener.number;
    }
    return builder_.top;
}

void Reader::read_include(const Block& block) {
    const std::string_view written = unicode::strip_left(frame().line.text.substr(8));
    std::string path = expand_user(written);
    if (path.empty() || path.front() != '/') {
        const std::string& directory = frame().directory;
        path = directory.empty() || directory.back() == '/' ? directory + path : directory + "/" + path;
    }
    struct stat status = {};
    if (::stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) {
        throw MissingIncludeError(
            report(fmt::format("the included file {} does not exist or is no regular file", path),
                   "the path of a readable file", 8));
    }
    for (const auto& source : frames_) {
        if (source->identity.inode == status.st_ino && source->identity.device == status.st_dev) {
            refuse(fmt::format("{} includes itself", path), "an include that does not lead back", 8);
        }
    }
    if (frames_.size() > options_.limits.include_depth) {
        limit(fmt::format("files are included deeper than {} (limit include_depth)",
                          options_.limits.include_depth));
    }
    SourceText text;
    try {
        text = read_source_file(path, options_.limits.total_bytes);
    } catch (const SourceError& error) {
        throw MissingIncludeError(report(error.what(), "the path of a readable file", 8));
    }
    read_source(std::move(text), path, directory_of(path), block.in_condition);
}

std::string directory_of(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    if (slash == std::string::npos) {
        return {};
    }
    return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace vt::cfg

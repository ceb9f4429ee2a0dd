// SPDX-License-Identifier: GPL-2.0-or-later
#include "cfg/lint.hpp"

#include "cfg/image.hpp"
#include "cfg/lint_labels.hpp"
#include "cfg/source_map.hpp"
#include "cfg/tokens.hpp"
#include "cfg/unicode.hpp"
#include "cfg/walker.hpp"

#include <algorithm>
#include <cctype>
#include <map>
#include <set>

#include <fmt/core.h>

namespace vt::cfg {
namespace {

/// Runs the rules over one program.
class Linter {
  public:
    Linter(const Program& program, const LintLimits& limits)
        : image_(program.image()), limits_(limits), sources_(image_), reach_(image_) {}

    std::vector<Finding> run() {
        for (std::uint32_t number = 0; number < image_.nodes.size(); ++number) {
            const Node& node = image_.nodes[number];
            around_ = reach_.around(number);
            number_ = number;
            check_guards(node, node.guards);
            check_siblings(node);
        }
        check_references();
        check_indentation();
        check_lines();
        check_results();
        return sorted();
    }

  private:
    /// A filter as it can be written.
    std::string text_of(std::uint32_t word) const {
        std::string text;
        const Range blocks = image_.words[word];
        for (std::uint32_t block = blocks.begin; block < blocks.end; ++block) {
            text += block == blocks.begin ? "" : "..";
            const Range symbols = image_.blocks[block];
            for (std::uint32_t i = symbols.begin; i < symbols.end; ++i) {
                text += i == symbols.begin ? "" : ".";
                text += image_.text(image_.symbols[image_.block_symbols[i]]);
            }
        }
        return text;
    }

    /// Whether some name here matches a word of a filter.
    bool possible(std::uint32_t word) const {
        if (!reach_.possible(around_, word)) {
            return false;
        }
        const Range blocks = image_.words[word];
        const bool single = blocks.end - blocks.begin == 1 &&
                            image_.blocks[blocks.begin].end - image_.blocks[blocks.begin].begin == 1;
        return single || reach_.reachable(number_, word);
    }

    bool possible(const Filter& filter) const {
        for (std::uint32_t word = filter.words.begin; word < filter.words.end; ++word) {
            if (possible(word)) {
                return true;
            }
        }
        return false;
    }

    /// Why a word that is not possible is not: the label that cannot come here, or that all of them could,
    /// but not together.
    std::string why_never(std::uint32_t word) const {
        const Range blocks = image_.words[word];
        for (std::uint32_t block = blocks.begin; block < blocks.end; ++block) {
            for (std::uint32_t i = image_.blocks[block].begin; i < image_.blocks[block].end; ++i) {
                const std::uint32_t symbol = image_.block_symbols[i];
                if ((around_[symbol / 64] >> symbol % 64 & 1U) == 0) {
                    return fmt::format("no name here has the label '{}'",
                                       image_.text(image_.symbols[symbol]));
                }
            }
        }
        return blocks.end - blocks.begin == 1
                   ? fmt::format("in no name here the labels of '{}' follow each other like this",
                                 text_of(word))
                   : fmt::format("no name here has all of '{}' in it", text_of(word));
    }

    void add(std::string rule, const Stmt& statement, std::string message, std::string_view part = {}) {
        Location where = sources_.where(statement, part);
        order_.try_emplace(where.file, order_.size());
        findings_.push_back({std::move(rule), std::move(where), std::move(message)});
    }

    void check_guards(const Node& node, Range guards) {
        for (std::uint32_t i = guards.begin; i < guards.end; ++i) {
            const Guard& guard = image_.guards[i];
            if (guard.op == Op::join) {
                continue;
            }
            const Stmt& statement = image_.statements[guard.statement];
            if (guard.op == Op::condition) {
                check_condition(node, statement);
            } else {
                check_filter(node, guard, statement);
            }
        }
    }

    void check_condition(const Node& node, const Stmt& statement) {
        const Condition& condition = image_.conditions[statement.a];
        const Filter& filter = image_.filters[condition.filter];
        if (condition.negated == 0 && !possible(filter)) {
            add("condition-never-holds", statement,
                filter.words.empty()
                    ? std::string("the condition has no label")
                    : fmt::format("the condition never holds: {}", why_never(filter.words.begin)));
            return;  // what stands in it has no effect anyway
        }
        check_dead_words(statement, filter);
        check_guards(node, condition.guards);
    }

    void check_filter(const Node& node, const Guard& guard, const Stmt& statement) {
        const Filter& filter = image_.filters[guard.target];
        if (possible(filter)) {
            check_dead_words(statement, filter);
            check_own_no(node, guard, statement, filter);
            return;
        }
        if (guard.op == Op::no) {
            check_dead_words(statement, filter);
            return;
        }
        const std::string why =
            filter.words.empty() ? std::string("it has no label") : why_never(filter.words.begin);
        if (node.labels.empty()) {
            add("only-leaves-nothing", statement, fmt::format("this 'only' leaves nothing: {}", why));
        } else {
            add("variant-never-passes", statement,
                fmt::format("the variant '{}' never passes this 'only': {}", image_.text(node.shortname),
                            why));
        }
    }

    void check_own_no(const Node& node, const Guard& guard, const Stmt& statement, const Filter& filter) {
        for (std::uint32_t word = filter.words.begin; guard.op == Op::no && word < filter.words.end; ++word) {
            if (reach_.certain(node.labels, word)) {
                add("variant-never-passes", statement,
                    fmt::format("the variant '{}' refuses itself: '{}' is its own name",
                                image_.text(node.shortname), text_of(word)),
                    text_of(word));
            }
        }
    }

    void check_dead_words(const Stmt& statement, const Filter& filter) {
        for (std::uint32_t word = filter.words.begin; word < filter.words.end; ++word) {
            if (!possible(word)) {
                add("filter-matches-nothing", statement,
                    fmt::format("'{}' matches nothing: {}", text_of(word), why_never(word)), text_of(word));
            }
        }
    }

    /// The statement that tells where a variant's line is.
    const Stmt* opener(const Node& node) const {
        for (std::uint32_t i = node.statements.end; i-- > node.statements.begin;) {
            if (image_.statements[i].op == Op::map) {
                return &image_.statements[i];
            }
        }
        return nullptr;
    }

    void check_siblings(const Node& node) {
        std::map<std::string_view, const Stmt*> seen;
        for (std::uint32_t i = node.children.begin; i < node.children.end; ++i) {
            const Node& child = image_.nodes[image_.children[i]];
            const Stmt* line = opener(child);
            if (child.labels.empty() || line == nullptr) {
                continue;
            }
            const auto [place, fresh] = seen.try_emplace(image_.text(child.name), line);
            if (!fresh) {
                add("duplicate-variant", *line,
                    fmt::format("the block has another variant '{}', at {}", image_.text(child.shortname),
                                sources_.where(*place->second).to_string()));
            }
        }
    }

    /// Keys that something may set, however.
    std::set<std::string, std::less<>> set_keys() const {
        std::set<std::string, std::less<>> keys = {"name", "shortname", "dep", "_name_map_file",
                                                   "_short_name_map_file"};
        for (const Stmt& statement : image_.statements) {
            if (statement.op <= Op::lazy_set) {
                const Key& key = image_.keys[statement.a];
                keys.emplace(image_.text(key.text));
                if (key.target != none) {
                    keys.emplace(image_.text(image_.keys[key.target].text));
                }
            }
        }
        return keys;
    }

    bool may_be_stored(std::string_view key) const {
        return std::any_of(image_.statements.begin(), image_.statements.end(), [&](const Stmt& statement) {
            return statement.op == Op::suffix &&
                   key.find(image_.text(statement.value)) != std::string_view::npos;
        });
    }

    void check_references() {
        const auto keys = set_keys();
        for (const Stmt& statement : image_.statements) {
            if (statement.op > Op::regex_prepend || (statement.flags & Stmt::substitutes) == 0) {
                continue;
            }
            const Range pieces = image_.templates[statement.value.offset];
            for (std::uint32_t i = pieces.begin; i < pieces.end; ++i) {
                const std::uint32_t key = image_.pieces[i].key;
                if (key == none) {
                    continue;
                }
                const std::string_view text = image_.text(image_.keys[key].text);
                if (keys.find(text) == keys.end() && !may_be_stored(text)) {
                    const std::string reference = fmt::format("${{{}}}", text);
                    add("undefined-reference", statement,
                        fmt::format(
                            "nothing ever sets '{}'; {} and what follows it in the value stay as written",
                            text, reference),
                        reference);
                }
            }
        }
    }

    void check_indentation() {
        std::set<std::string_view> seen;
        for (std::uint32_t file = 0; file < image_.files.size(); ++file) {
            if (!seen.insert(image_.text(image_.files[file].path)).second) {
                continue;
            }
            check_indentation_of(file);
        }
    }

    void check_indentation_of(std::uint32_t file) {
        std::uint32_t first_tab = 0;
        std::uint32_t first_space = 0;
        for (std::uint32_t line = 1; line <= sources_.line_count(file); ++line) {
            const std::string_view text = sources_.raw_line(file, line);
            const std::size_t end = text.find_first_not_of(" \t");
            if (end == 0 || end == std::string_view::npos || text[end] == '#' ||
                text.substr(end, 2) == "//") {
                continue;
            }
            const bool tab = text.substr(0, end).find('\t') != std::string_view::npos;
            std::uint32_t& first = tab ? first_tab : first_space;
            first = first == 0 ? line : first;
            if (tab && text.substr(0, end).find(' ') != std::string_view::npos) {
                first_space = first_space == 0 ? line : first_space;
            }
        }
        if (first_tab == 0 || first_space == 0) {
            return;
        }
        Stmt place;
        place.file = static_cast<std::uint16_t>(file);
        place.line = first_tab;
        const std::string_view text = sources_.raw_line(file, first_tab);
        Location where = sources_.where(place);
        where.column = static_cast<std::uint32_t>(text.find('\t') + 1);
        order_.try_emplace(where.file, order_.size());
        findings_.push_back(
            {"mixed-indentation", where,
             fmt::format("a tab indents this line, spaces indent line {}; tabs go to columns of eight",
                         first_space)});
    }

    /// What only the text shows.
    void check_lines() {
        std::set<std::string_view> seen;
        for (std::uint32_t file = 0; file < image_.files.size(); ++file) {
            if (!seen.insert(image_.text(image_.files[file].path)).second) {
                continue;
            }
            for (std::uint32_t line = 1; line <= sources_.line_count(file); ++line) {
                Stmt place;
                place.file = static_cast<std::uint16_t>(file);
                place.line = line;
                const std::string_view text = sources_.line(place);
                if (text.substr(0, 9) == "variants ") {
                    check_block_name(place, text);
                } else if (text.find('=') != std::string_view::npos && !is_keyword_line(text)) {
                    check_key(place, text);
                }
            }
        }
    }

    static bool is_keyword_line(std::string_view line) {
        const std::string_view word = line.substr(0, line.find(' ') + 1);
        return line[0] == '#' || line[0] == '-' || line.substr(0, 2) == "//" || word == "only " ||
               word == "no " || word == "join " || word == "include " || word == "suffix " || word == "del ";
    }

    /// `variants @x:` makes a block that is called `@`.
    void check_block_name(const Stmt& place, std::string_view line) {
        Tokenizer tokens(line, 8);
        const Token first = tokens.next_solid();
        if (first.kind == TokenKind::identifier || first.kind == TokenKind::colon ||
            first.kind == TokenKind::left_bracket) {
            return;
        }
        const std::string_view noise = line.substr(first.position, first.after - first.position);
        Token name = tokens.next_solid();
        while (name.kind != TokenKind::identifier && name.kind != TokenKind::colon &&
               name.kind != TokenKind::left_bracket) {
            name = tokens.next_solid();
        }
        const bool named = name.kind == TokenKind::identifier;
        add("block-name-noise", place,
            named ? fmt::format("{} stands before the block's name: the block is called '{}', not '{}'",
                                noise, first.kind == TokenKind::string ? first.text : noise, name.text)
                  : fmt::format("{} is no name, so the block has none", noise),
            noise);
    }

    /// `(v=a):` looks like a condition, but sets the key `(v`.
    void check_key(const Stmt& place, std::string_view line) {
        const std::size_t equals = line.find('=');
        const std::size_t colon = line.find(':');
        const std::size_t open = line.substr(0, equals).rfind('(');
        if (open == std::string_view::npos || colon == std::string_view::npos || colon < equals) {
            return;
        }
        const std::size_t close = line.substr(0, colon).find(')', equals);
        if (close == std::string_view::npos || !is_filter_text(line.substr(0, equals)) ||
            !is_filter_text(line.substr(equals + 1, colon - equals - 1))) {
            return;
        }
        const std::string_view before = unicode::strip(line.substr(0, open));
        if (line.substr(open, equals - open).find(')') != std::string_view::npos ||
            (!before.empty() && before.find_last_of(".,!") != before.size() - 1)) {
            return;  // `f(x=1): …`: a key
        }
        add("condition-is-assignment", place,
            fmt::format("this is no condition: it sets the key '{}', and what stands below always acts; a "
                        "condition names a variant without its block: '{}{}{}'",
                        unicode::strip(line.substr(0, equals)), line.substr(0, open),
                        unicode::strip(line.substr(equals + 1, close - equals - 1)),
                        line.substr(close + 1, colon - close)),
            line.substr(open, close + 1 - open));
    }

    /// Whether a text has nothing but what filters have.
    static bool is_filter_text(std::string_view text) {
        return std::all_of(text.begin(), text.end(), [](char c) {
            return std::isalnum(static_cast<unsigned char>(c)) != 0 || static_cast<unsigned char>(c) > 0x7F ||
                   std::string_view("_-.,!() ").find(c) != std::string_view::npos;
        });
    }

    /// Dependencies, by filter: the statement of the variant that has them.
    std::vector<std::pair<const Stmt*, std::uint32_t>> dependency_blocks() const {
        std::vector<std::pair<const Stmt*, std::uint32_t>> blocks;
        for (const Node& node : image_.nodes) {
            if (node.dep == none) {
                continue;
            }
            const Range words = image_.filters[node.dep].words;
            for (std::uint32_t word = words.begin; word < words.end; ++word) {
                for (std::uint32_t i = image_.words[word].begin; i < image_.words[word].end; ++i) {
                    blocks.emplace_back(opener(node), i);
                }
            }
        }
        return blocks;
    }

    void check_results() {
        auto open = dependency_blocks();
        std::size_t count = 0;
        bool complete = true;
        try {
            Walker walker(image_);
            for (; complete && walker.advance(); ++count) {
                complete = count < limits_.dictionaries;
                open.erase(std::remove_if(open.begin(), open.end(),
                                          [&](const auto& block) { return walker.matches(block.second); }),
                           open.end());
                complete = complete && !(open.empty() && count > 0);
            }
        } catch (const ParserError& error) {
            findings_.push_back({"expansion-error", error.report().where, error.report().message});
            return;
        }
        if (!complete) {
            return;
        }
        if (count == 0) {
            Location where;
            where.file = image_.text(image_.files[0].path);
            where.line = 1;
            where.column = 1;
            findings_.push_back({"empty-result", where, "nothing comes out of this configuration"});
        }
        for (const auto& [statement, block] : open) {
            std::string text;
            const Range symbols = image_.blocks[block];
            for (std::uint32_t i = symbols.begin; i < symbols.end; ++i) {
                text += i == symbols.begin ? "" : ".";
                text += image_.text(image_.symbols[image_.block_symbols[i]]);
            }
            if (statement != nullptr) {
                add("unknown-dependency", *statement,
                    fmt::format("no test that comes out has '{}', on which this variant depends", text),
                    text);
            }
        }
    }

    std::vector<Finding> sorted() {
        std::stable_sort(findings_.begin(), findings_.end(),
                         [this](const Finding& left, const Finding& right) {
                             const auto key = [this](const Finding& finding) {
                                 return std::make_tuple(order_[finding.where.file], finding.where.line,
                                                        finding.where.column, finding.rule);
                             };
                             return key(left) < key(right);
                         });
        findings_.erase(std::unique(findings_.begin(), findings_.end()), findings_.end());
        return std::move(findings_);
    }

    const Image& image_;
    LintLimits limits_;
    SourceMap sources_;
    LabelReach reach_;
    SymbolSet around_;
    std::uint32_t number_ = 0;  ///< the node that is looked at
    std::vector<Finding> findings_;
    std::map<std::string, std::size_t> order_;
};

}  // namespace

std::vector<Finding> lint(const Program& program, const LintLimits& limits) {
    return Linter(program, limits).run();
}

}  // namespace vt::cfg

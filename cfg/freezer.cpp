// SPDX-License-Identifier: GPL-2.0-or-later
/// \file freezer.cpp
/// Builder::freeze(): the drafts become flat arrays, what only filters need to know is worked out.
#include "cfg/builder.hpp"
#include "cfg/errors.hpp"

#include <algorithm>
#include <numeric>

#include <fmt/core.h>

namespace vt::cfg {
namespace {

/// The arrays of an image that owns them.
struct Arrays {
    std::string blob;
    std::vector<Node> nodes;
    std::vector<std::uint32_t> children;
    std::vector<Stmt> statements;
    std::vector<Condition> conditions;
    std::vector<Guard> guards;
    std::vector<Filter> filters;
    std::vector<Range> words;
    std::vector<Range> blocks;
    std::vector<std::uint32_t> block_symbols;
    std::vector<Str> symbols;
    std::vector<Label> labels;
    std::vector<Key> keys;
    std::vector<Range> templates;
    std::vector<Piece> pieces;
    std::vector<Pattern> patterns;
    std::vector<std::uint32_t> joins;
    std::vector<Str> map_files;
    std::vector<File> files;
    std::vector<std::uint64_t> below;
    std::vector<ImageOptions> options;
};

/// Room for the sets of labels that can still come; real suites need one or two MiB.
constexpr std::size_t most_label_bytes = std::size_t{256} << 20;

std::uint32_t size_of(const auto& array) {
    return static_cast<std::uint32_t>(array.size());
}

/// Keys whose names end in a limit's suffix, and the key they limit.
struct LimitSuffix {
    std::string_view suffix;
    Key::Limit limit;
};
constexpr LimitSuffix limit_suffixes[] = {{"_max", Key::max}, {"_min", Key::min}, {"_fixed", Key::fixed}};

}  // namespace

/// Carries one freezing.
class Freezer {
  public:
    Freezer(Builder& builder, const ImageOptions& options)
        : builder_(builder), arrays_(std::make_shared<Arrays>()) {
        arrays_->options.push_back(options);
    }

    std::shared_ptr<const Image> run() {
        copy_tables();
        number_symbols();
        make_keys();
        for (std::uint32_t i = 0; i < builder_.nodes.size(); ++i) {
            reached_.push_back(i == builder_.top);
        }
        mark_reached();
        node_numbers_.assign(builder_.nodes.size(), none);
        for (std::uint32_t i = 0; i < builder_.nodes.size(); ++i) {
            if (reached_[i]) {
                add_node(i);
            }
        }
        arrays_->blob = builder_.blob.flatten();
        return image();
    }

  private:
    void copy_tables() {
        arrays_->conditions = builder_.conditions;
        arrays_->filters = builder_.filters_;
        arrays_->words = builder_.words_;
        arrays_->blocks = builder_.blocks_;
        arrays_->block_symbols = builder_.block_symbols_;
        arrays_->templates = builder_.templates_;
        arrays_->pieces = builder_.pieces_;
        arrays_->patterns = builder_.patterns_;
        arrays_->map_files = builder_.map_files_;
        arrays_->files = builder_.files;
    }

    /// Symbols that filters mention come first, so that sets of them are small.
    void number_symbols() {
        const auto& texts = builder_.symbols.texts();
        symbol_numbers_.assign(texts.size(), none);
        auto& numbers = symbol_numbers_;
        for (std::uint32_t& symbol : arrays_->block_symbols) {
            if (numbers[symbol] == none) {
                numbers[symbol] = used_symbols_++;
            }
            symbol = numbers[symbol];
        }
        std::uint32_t next = used_symbols_;
        arrays_->symbols.resize(texts.size());
        for (std::uint32_t i = 0; i < texts.size(); ++i) {
            if (numbers[i] == none) {
                numbers[i] = next++;
            }
            arrays_->symbols[numbers[i]] = builder_.blob.place(texts[i]);
        }
        for (Filter& filter : arrays_->filters) {
            if (filter.single != none) {
                filter.single = numbers[filter.single];
            }
        }
    }

    void make_keys() {
        auto& blob = builder_.blob;
        auto& interner = builder_.keys;
        // Targets of limits are keys too, and may be new ones; the list grows while it is walked.
        for (std::uint32_t i = 0; i < interner.texts().size(); ++i) {
            const std::string_view text = interner.texts()[i];
            Key key;
            for (const auto& [suffix, limit] : limit_suffixes) {
                if (text.size() >= suffix.size() && text.substr(text.size() - suffix.size()) == suffix) {
                    key.limit = limit;
                    key.target = interner.intern(text.substr(0, text.find(suffix)));
                    break;
                }
            }
            key.text = blob.place(interner.texts()[i]);
            arrays_->keys.push_back(key);
        }
        std::vector<std::uint32_t> order(arrays_->keys.size());
        std::iota(order.begin(), order.end(), 0U);
        const auto& texts = interner.texts();
        std::sort(order.begin(), order.end(),
                  [&](auto left, auto right) { return texts[left] < texts[right]; });
        for (std::uint32_t rank = 0; rank < order.size(); ++rank) {
            arrays_->keys[order[rank]].rank = rank;
        }
    }

    void mark_reached() {
        for (std::size_t i = builder_.nodes.size(); i-- > 0;) {
            if (reached_[i]) {
                for (const std::uint32_t child : builder_.nodes[i].children) {
                    reached_[child] = true;
                }
            }
        }
    }

    void add_node(std::uint32_t number) {
        const DraftNode& draft = builder_.nodes[number];
        Node node;
        node.statements = add_statements(draft);
        node.guards = add_guards(node.statements, &node.joins);
        node.children.begin = size_of(arrays_->children);
        for (const std::uint32_t child : draft.children) {
            arrays_->children.push_back(node_numbers_[child]);
        }
        node.children.end = size_of(arrays_->children);
        node.labels.begin = size_of(arrays_->labels);
        for (const Label& label : draft.labels) {
            arrays_->labels.push_back(
                {symbol_numbers_[label.name_symbol],
                 label.exact_symbol == none ? none : symbol_numbers_[label.exact_symbol]});
        }
        node.labels.end = size_of(arrays_->labels);
        node.name = draft.name;
        node.shortname = draft.shortname;
        node.dep = draft.dep;
        node.flags = draft.flags;
        node.below = add_below(node.children);
        node_numbers_[number] = size_of(arrays_->nodes);
        arrays_->nodes.push_back(node);
    }

    Range add_statements(const DraftNode& draft) {
        auto& statements = arrays_->statements;
        const std::uint32_t base = size_of(statements);
        statements.insert(statements.end(), draft.statements.begin(), draft.statements.end());
        for (const Stmt& statement : draft.statements) {
            if (statement.op == Op::condition) {
                arrays_->conditions[statement.a].end += base;
            }
        }
        return {base, size_of(statements)};
    }

    /// The guards right inside a range of statements; those inside its conditions come before them.
    Range add_guards(Range range, Range* joins) {
        std::vector<Guard> found;
        std::vector<std::uint32_t> joined;
        std::uint32_t join_statement = none;
        for (std::uint32_t i = range.begin; i < range.end; ++i) {
            const Stmt& statement = arrays_->statements[i];
            const bool misplaced_join = statement.op == Op::join && joins == nullptr;
            if (statement.op == Op::only || statement.op == Op::no || misplaced_join) {
                found.push_back({i, statement.a, statement.op});
            } else if (statement.op == Op::join) {
                join_statement = i;
                for (std::uint32_t word = 0; word < statement.value.length; ++word) {
                    joined.push_back(statement.a + word);
                }
            } else if (statement.op == Op::condition) {
                found.push_back({i, statement.a, statement.op});
                Condition& condition = arrays_->conditions[statement.a];
                condition.guards = add_guards({i + 1, condition.end}, nullptr);
                i = arrays_->conditions[statement.a].end - 1;
            }
        }
        if (joined.size() == 1) {
            found.push_back({join_statement, joined.front(), Op::only});
        } else if (!joined.empty() && joins != nullptr) {
            joins->begin = size_of(arrays_->joins);
            arrays_->joins.insert(arrays_->joins.end(), joined.begin(), joined.end());
            joins->end = size_of(arrays_->joins);
        }
        const std::uint32_t begin = size_of(arrays_->guards);
        arrays_->guards.insert(arrays_->guards.end(), found.begin(), found.end());
        return {begin, size_of(arrays_->guards)};
    }

    std::uint32_t add_below(Range children) {
        const std::size_t stride = (used_symbols_ + 63) / 64;
        const auto child_at = [&](std::uint32_t i) -> const Node& {
            return arrays_->nodes[arrays_->children[i]];
        };
        if (children.end - children.begin == 1 && child_at(children.begin).labels.empty()) {
            return child_at(children.begin).below;
        }
        auto& below = arrays_->below;
        if (children.empty() && empty_below_ != none) {
            return empty_below_;
        }
        if ((below.size() + stride) * sizeof(std::uint64_t) > most_label_bytes) {
            throw LimitError(report_of(fmt::format("blocks and filters speak of so many labels that keeping "
                                                   "track of them takes more than {} "
                                                   "bytes (limit label_sets)",
                                                   most_label_bytes),
                                       std::string(builder_.blob.view(builder_.files.front().path))));
        }
        const auto set = static_cast<std::uint32_t>(stride == 0 ? 0 : below.size() / stride);
        below.resize(below.size() + stride);
        std::uint64_t* bits = below.data() + below.size() - stride;
        std::uint32_t last = none;
        for (std::uint32_t i = children.begin; i < children.end; ++i) {
            const Node& child = child_at(i);
            if (child.below != last) {
                last = child.below;
                const std::uint64_t* other = below.data() + std::size_t{last} * stride;
                for (std::size_t word = 0; word < stride; ++word) {
                    bits[word] |= other[word];
                }
            }
            for (std::uint32_t label = child.labels.begin; label < child.labels.end; ++label) {
                for (const std::uint32_t symbol :
                     {arrays_->labels[label].name_symbol, arrays_->labels[label].exact_symbol}) {
                    if (symbol < used_symbols_) {
                        bits[symbol / 64] |= std::uint64_t{1} << symbol % 64;
                    }
                }
            }
        }
        if (children.empty()) {
            empty_below_ = set;
        }
        return set;
    }

    std::shared_ptr<const Image> image() {
        auto result = std::make_shared<Image>();
        result->blob = arrays_->blob;
        result->nodes = arrays_->nodes;
        result->children = arrays_->children;
        result->statements = arrays_->statements;
        result->conditions = arrays_->conditions;
        result->guards = arrays_->guards;
        result->filters = arrays_->filters;
        result->words = arrays_->words;
        result->blocks = arrays_->blocks;
        result->block_symbols = arrays_->block_symbols;
        result->symbols = arrays_->symbols;
        result->labels = arrays_->labels;
        result->keys = arrays_->keys;
        result->templates = arrays_->templates;
        result->pieces = arrays_->pieces;
        result->patterns = arrays_->patterns;
        result->joins = arrays_->joins;
        result->map_files = arrays_->map_files;
        result->files = arrays_->files;
        result->below = arrays_->below;
        result->options = arrays_->options;
        result->used_symbols = used_symbols_;
        result->top = node_numbers_[builder_.top];
        result->storage = arrays_;
        return result;
    }

    Builder& builder_;
    std::shared_ptr<Arrays> arrays_;
    std::vector<std::uint32_t> symbol_numbers_;
    std::uint32_t used_symbols_ = 0;
    std::vector<bool> reached_;
    std::vector<std::uint32_t> node_numbers_;
    std::uint32_t empty_below_ = none;
};

std::shared_ptr<const Image> Builder::freeze(const ImageOptions& options) {
    return Freezer(*this, options).run();
}

}  // namespace vt::cfg

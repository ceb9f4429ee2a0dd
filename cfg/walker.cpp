// SPDX-License-Identifier: GPL-2.0-or-later
#include "cfg/walker.hpp"

#include "cfg/errors.hpp"
#include "cfg/join.hpp"

#include <algorithm>

#include <fmt/core.h>

namespace vt::cfg {
namespace {

constexpr std::size_t most_alternatives = 10'000;

}  // namespace

Walker::Walker(const Image& image)
    : image_(&image), root_(image.top), present_(image.used_symbols), holds_(image.conditions.size()) {}

Walker::Walker(const Walker& outer, std::uint32_t node, std::uint32_t word)
    : image_(outer.image_),
      root_(node),
      root_filter_(word),
      root_joins_(false),
      join_nesting_(outer.join_nesting_ + 1),
      base_(outer.frames_.size()),
      frames_(outer.frames_),
      filters_(outer.filters_),
      conditions_(outer.conditions_),
      labels_(outer.labels_),
      present_(outer.present_),
      holds_(outer.holds_),
      name_(outer.name_),
      shortname_(outer.shortname_),
      deps_(outer.deps_) {}

Walker::~Walker() = default;
Walker::Walker(Walker&&) noexcept = default;
Walker& Walker::operator=(Walker&&) noexcept = default;

void Walker::search(std::string_view name, Search search, bool lenient) {
    target_ = name;
    search_ = search;
    lenient_ = lenient;
}

bool Walker::advance() {
    if (!started_) {
        started_ = true;
        fruitless_ = 0;
        if (!enter(root_, root_filter_)) {
            return false;
        }
    } else if (!join_) {
        leave();
    }
    while (frames_.size() > base_) {
        if (step()) {
            ++results_;
            fruitless_ = 0;
            return true;
        }
    }
    return false;
}

/// One step of the walk; true where it comes to a result.
bool Walker::step() {
    if (join_) {
        if (next_combination()) {
            return true;
        }
        join_.reset();
        leave();
        return false;
    }
    Frame& frame = frames_.back();
    const Node& node = image_->nodes[frame.node];
    if (node.children.empty()) {
        if (found()) {
            return true;
        }
        leave();
        return false;
    }
    if (frame.next_child > node.children.begin && image_->options[0].defaults != 0 &&
        (node.flags & Node::runs_in_full) == 0 && results_ > frame.results) {
        const Node& last = image_->nodes[image_->children[frame.next_child - 1]];
        if ((last.flags & Node::is_default) != 0) {
            frame.next_child = node.children.end;
        }
    }
    if (frame.next_child == node.children.end) {
        leave();
        return false;
    }
    enter(image_->children[frame.next_child++]);
    return false;
}

bool Walker::found() const {
    switch (search_) {
        case Search::full_name:
            return name_.size() == target_.size();
        case Search::short_name:
            return shortname_.size() == target_.size();
        default:
            return true;
    }
}

/// Whether the searched name goes on with the labels of this node.
bool Walker::names_match(const Node& node) {
    const bool full = search_ == Search::full_name;
    const Str label = full ? node.name : node.shortname;
    if (label.length == 0 || (!full && (node.flags & Node::hidden) != 0)) {
        return true;
    }
    const std::string& so_far = full ? name_ : shortname_;
    const std::size_t begin = so_far.empty() ? 0 : so_far.size() + 1;
    const std::size_t end = begin + label.length;
    const bool matches = end <= target_.size() &&
                         target_.compare(begin, label.length, image_->text(label)) == 0 &&
                         (end == target_.size() || target_[end] == '.');
    if (lenient_) {
        if (matches && end > best_match_) {
            best_match_ = end;
            alternatives_.clear();
        } else if (!matches && so_far.size() == best_match_ && alternatives_.size() < most_alternatives) {
            alternatives_.emplace_back(image_->text(label));
        }
    }
    return matches;
}

void Walker::push_names(const Node& node) {
    if (node.name.length == 0) {
        return;
    }
    if (!name_.empty()) {
        name_ += '.';
    }
    name_ += image_->text(node.name);
    if ((node.flags & Node::hidden) == 0) {
        if (!shortname_.empty()) {
            shortname_ += '.';
        }
        shortname_ += image_->text(node.shortname);
    }
}

/// Steps down to a node; where it is proved that nothing comes of it, the walk stays where it was.
bool Walker::enter(std::uint32_t number, std::uint32_t extra_filter) {
    const Node& node = image_->nodes[number];
    if (search_ != Search::nothing && !names_match(node)) {
        return false;
    }
    if (++fruitless_ > image_->options[0].fruitless_nodes) {
        throw LimitError(report_of(
            fmt::format("{} nodes were walked without finding another dictionary (limit fruitless_nodes)",
                        image_->options[0].fruitless_nodes),
            std::string(image_->text(image_->files[0].path)), 0,
            "filters that can be judged before the last label is known"));
    }
    const auto size = [](const auto& stack) { return static_cast<std::uint32_t>(stack.size()); };
    const Frame frame{number,      node.children.begin, size(filters_), size(conditions_), size(labels_),
                      size(name_), size(shortname_),    size(deps_),    size(failed_),     results_};
    if (node.dep != none) {
        const Range words = image_->filters[node.dep].words;
        for (std::uint32_t word = words.begin; word < words.end; ++word) {
            for (std::uint32_t block = image_->words[word].begin; block < image_->words[word].end; ++block) {
                deps_.push_back({size(name_), block});
            }
        }
    }
    for (std::uint32_t i = node.labels.begin; i < node.labels.end; ++i) {
        const Label& label = image_->labels[i];
        labels_.push_back(label);
        for (const std::uint32_t symbol : {label.name_symbol, label.exact_symbol}) {
            if (symbol < present_.size()) {
                ++present_[symbol];
            }
        }
    }
    push_names(node);
    const bool passes = judge(node, frame, extra_filter);
    frames_.push_back(frame);
    if (!passes) {
        leave();
        return false;
    }
    if (!node.joins.empty() && (root_joins_ || frames_.size() - 1 > base_)) {
        start_join();
    }
    return true;
}

void Walker::leave() {
    const Frame& frame = frames_.back();
    filters_.resize(frame.filters);
    conditions_.resize(frame.conditions);
    while (labels_.size() > frame.labels) {
        for (const std::uint32_t symbol : {labels_.back().name_symbol, labels_.back().exact_symbol}) {
            if (symbol < present_.size()) {
                --present_[symbol];
            }
        }
        labels_.pop_back();
    }
    name_.resize(frame.name);
    shortname_.resize(frame.shortname);
    deps_.resize(frame.deps);
    failed_.resize(frame.failed);
    frames_.pop_back();
}

/// Judges what is still open and what the node adds; false if nothing below can pass.
bool Walker::judge(const Node& node, const Frame& frame, std::uint32_t extra_filter) {
    below_ = image_->below.data() + std::size_t{node.below} * image_->stride();
    const std::uint32_t first_filter = frames_.empty() ? 0 : frames_.back().filters;
    const std::uint32_t first_condition = frames_.empty() ? 0 : frames_.back().conditions;
    if (extra_filter != none && !judge_filter({none, extra_filter, Op::only})) {
        return false;
    }
    for (std::uint32_t i = first_filter; i < frame.filters; ++i) {
        if (!judge_filter(Guard(filters_[i]))) {
            return false;
        }
    }
    if (!open_guards(node.guards)) {
        return false;
    }
    for (std::uint32_t i = first_condition; i < frame.conditions; ++i) {
        if (!judge_condition(conditions_[i])) {
            return false;
        }
    }
    return true;
}

bool Walker::open_guards(Range guards) {
    for (std::uint32_t i = guards.begin; i < guards.end; ++i) {
        const Guard& guard = image_->guards[i];
        if (guard.op == Op::join) {
            refuse_join_in_condition(guard);
        }
        if (guard.op == Op::condition ? !judge_condition(guard.target) : !judge_filter(guard)) {
            return false;
        }
    }
    return true;
}

/// Upstream reads such a join but cannot run it, so it does no harm where the condition never holds.
void Walker::refuse_join_in_condition(const Guard& guard) const {
    const Stmt& statement = image_->statements[guard.statement];
    throw ExpansionError(report_of("a join cannot stand in a condition",
                                   std::string(image_->text(image_->files[statement.file].path)),
                                   statement.line, "it in a variant or outside"));
}

bool Walker::judge_filter(const Guard& guard) {
    const Verdict result = verdict(image_->filters[guard.target]);
    if (result == Verdict::open) {
        filters_.push_back(guard);
        return true;
    }
    if ((result == Verdict::holds) == (guard.op == Op::only)) {
        return true;
    }
    if (lenient_) {
        failed_.push_back(guard);
    }
    return lenient_;
}

bool Walker::judge_condition(std::uint32_t number) {
    const Condition& condition = image_->conditions[number];
    const Verdict result = verdict(image_->filters[condition.filter]);
    if (result == Verdict::open) {
        conditions_.push_back(number);
        return true;
    }
    const bool holds = (result == Verdict::holds) == (condition.negated == 0);
    holds_[number] = holds ? 1 : 0;
    return !holds || condition.guards.empty() || open_guards(condition.guards);
}

Walker::Verdict Walker::verdict(const Filter& filter) const {
    if (filter.single != none) {
        if (present_[filter.single] != 0) {
            return Verdict::holds;
        }
        return can_come(filter.single) ? Verdict::open : Verdict::fails;
    }
    Verdict best = Verdict::fails;
    for (std::uint32_t word = filter.words.begin; word < filter.words.end; ++word) {
        Verdict worst = Verdict::holds;
        const Range blocks = image_->words[word];
        for (std::uint32_t block = blocks.begin; block < blocks.end && worst != Verdict::fails; ++block) {
            worst = std::min(worst, block_verdict(image_->blocks[block]));
        }
        if (worst == Verdict::holds) {
            return Verdict::holds;
        }
        best = std::max(best, worst);
    }
    return best;
}

/// A block holds when its labels stand next to each other; it can still come to hold when the end of the
/// labels passed is its beginning (perhaps none of it) and the rest can come.
Walker::Verdict Walker::block_verdict(Range block) const {
    const std::uint32_t* symbols = image_->block_symbols.data() + block.begin;
    const std::size_t length = block.end - block.begin;
    if (length == 1) {
        return present_[*symbols] != 0 ? Verdict::holds : can_come(*symbols) ? Verdict::open : Verdict::fails;
    }
    bool passed = true;
    for (std::size_t i = 0; i < length; ++i) {
        if (present_[symbols[i]] == 0) {
            if (!can_come(symbols[i])) {
                return Verdict::fails;
            }
            passed = false;
        }
    }
    const auto same = [this](const Label& label, std::uint32_t symbol) { return label_is(label, symbol); };
    if (passed &&
        std::search(labels_.begin(), labels_.end(), symbols, symbols + length, same) != labels_.end()) {
        return Verdict::holds;
    }
    std::size_t rest = length;
    while (rest > 0 && can_come(symbols[rest - 1])) {
        --rest;
    }
    for (std::size_t done = rest; done < length; ++done) {
        if (done <= labels_.size() &&
            std::equal(
                symbols, symbols + done, labels_.end() - static_cast<std::ptrdiff_t>(done),
                [this](std::uint32_t symbol, const Label& label) { return label_is(label, symbol); })) {
            return Verdict::open;
        }
    }
    return Verdict::fails;
}

bool Walker::matches(std::uint32_t block) const {
    if (join_) {
        return std::any_of(join_->parts.begin(), join_->parts.end(),
                           [block](const auto& part) { return part->matches(block); });
    }
    const auto* symbols = image_->block_symbols.data();
    const Range range = image_->blocks[block];
    return std::search(labels_.begin(), labels_.end(), symbols + range.begin, symbols + range.end,
                       [this](const Label& label, std::uint32_t symbol) {
                           return label_is(label, symbol);
                       }) != labels_.end();
}

std::vector<std::string> Walker::dep() const {
    if (join_) {
        return join_->parts.back()->dep();
    }
    std::vector<std::string> result;
    for (const DepMark& mark : deps_) {
        std::string entry = name_.substr(0, mark.name_length);
        const Range block = image_->blocks[mark.block];
        for (std::uint32_t i = block.begin; i < block.end; ++i) {
            entry += entry.empty() ? "" : ".";
            entry += image_->text(image_->symbols[image_->block_symbols[i]]);
        }
        result.push_back(std::move(entry));
    }
    return result;
}

std::string_view Walker::name() const {
    return join_ ? std::string_view(join_->name) : name_;
}

std::string_view Walker::shortname() const {
    return join_ ? std::string_view(join_->shortname) : shortname_;
}

std::vector<const Walker*> Walker::parts() const {
    if (!join_) {
        return {this};
    }
    std::vector<const Walker*> result;
    for (const auto& part : join_->parts) {
        const auto inner = part->parts();
        result.insert(result.end(), inner.begin(), inner.end());
    }
    return result;
}

std::vector<Range> Walker::trail() const {
    if (join_) {
        return join_->parts.back()->trail();
    }
    std::vector<Range> result;
    for (std::size_t i = frames_.size(); i-- > 0;) {
        result.push_back(image_->nodes[frames_[i].node].statements);
    }
    return result;
}

const std::vector<std::uint8_t>& Walker::decisions() const {
    return join_ ? join_->parts.back()->decisions() : holds_;
}

void Walker::make(Record& record) const {
    if (join_) {
        make_joined(record);
        return;
    }
    record.begin(name_, shortname_, deps_.empty() ? std::vector<std::string>() : dep());
    for (std::size_t i = frames_.size(); i-- > 0;) {
        record.run(image_->nodes[frames_[i].node].statements, holds_);
    }
    record.apply_limits();
}

}  // namespace vt::cfg

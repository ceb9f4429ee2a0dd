// SPDX-License-Identifier: GPL-2.0-or-later
/// \file walker.hpp
/// Walks the graph of an Image from its top to its leaf, once for each dictionary.
///
/// A filter is judged at every node of the way until its outcome is certain: it holds as soon as the labels
/// passed make it hold, it fails as soon as neither they nor any label that can still come could. So a
/// subtree without results is left at the first node that proves it, and a filter that has been decided is
/// not looked at again below that node. Conditions are decided in the same way; where the walk reaches a
/// leaf, all of them are.
#pragma once

#include "cfg/image.hpp"
#include "cfg/record.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace vt::cfg {

/// An entry of `dep`: the labels in front of the variant, as a length of the name, and the block that was
/// asked for.
struct DepMark {
    std::uint32_t name_length = 0;
    std::uint32_t block = 0;
};

/// A walk. The image must outlive it.
class Walker {
  public:
    explicit Walker(const Image& image);
    ~Walker();
    Walker(Walker&&) noexcept;
    Walker& operator=(Walker&&) noexcept;

    /// What a search looks at.
    enum class Search { nothing, full_name, short_name };

    /// Only what has this name; only for images without joins. A lenient search walks on past filters that
    /// fail, and failed() tells which.
    void search(std::string_view name, Search search = Search::full_name, bool lenient = false);

    /// The filters that the place where it stands does not pass; none but in a lenient search.
    const std::vector<Guard>& failed() const noexcept { return failed_; }

    /// How much of the searched name was found, in characters, and the names of the variants that could have
    /// followed.
    std::size_t best_match() const noexcept { return best_match_; }
    const std::vector<std::string>& alternatives() const noexcept { return alternatives_; }

    /// The walks whose dictionaries make the one of where it stands: this one, or the parts of a join in
    /// their order. They live until the next advance().
    std::vector<const Walker*> parts() const;

    /// The statements of where it stands in the order in which they run; of the last part, if that is a join.
    std::vector<Range> trail() const;

    /// By condition: whether it holds where it stands; in the last part, if that is a join.
    const std::vector<std::uint8_t>& decisions() const;

    /// Goes to the next leaf; false after the last. Throws LimitError, ExpansionError.
    bool advance();

    /// The names of where it stands.
    std::string_view name() const;
    std::string_view shortname() const;

    /// Runs the statements of where it stands into `record`.
    void make(Record& record) const;

    /// Whether the labels of a block stand next to each other in the name of where it stands.
    bool matches(std::uint32_t block) const;

    /// All entries of `dep` of where it stands.
    std::vector<std::string> dep() const;

  private:
    enum class Verdict { fails, open, holds };

    struct Frame {
        std::uint32_t node = 0;
        std::uint32_t next_child = 0;
        std::uint32_t filters = 0;  ///< sizes of the stacks before this node
        std::uint32_t conditions = 0;
        std::uint32_t labels = 0;
        std::uint32_t name = 0;
        std::uint32_t shortname = 0;
        std::uint32_t deps = 0;
        std::uint32_t failed = 0;
        std::uint64_t results = 0;
    };

    struct Join;

    /// A walk of one word of a join, beginning where `outer` stands.
    Walker(const Walker& outer, std::uint32_t node, std::uint32_t word);

    bool enter(std::uint32_t number, std::uint32_t extra_filter = none);
    bool names_match(const Node& node);
    bool found() const;
    void push_names(const Node& node);
    void leave();
    bool step();
    void start_join();
    bool next_combination();
    void make_joined(Record& record) const;
    [[noreturn]] void refuse_join(const Walker& first, const Walker& second) const;
    void restart() { started_ = false; }

    bool judge(const Node& node, const Frame& frame, std::uint32_t extra_filter);
    bool judge_filter(const Guard& guard);
    bool judge_condition(std::uint32_t number);
    bool open_guards(Range guards);
    [[noreturn]] void refuse_join_in_condition(const Guard& guard) const;

    Verdict verdict(const Filter& filter) const;
    Verdict block_verdict(Range block) const;
    bool can_come(std::uint32_t symbol) const { return (below_[symbol / 64] >> (symbol % 64) & 1U) != 0; }
    bool label_is(const Label& label, std::uint32_t symbol) const {
        return label.name_symbol == symbol || label.exact_symbol == symbol;
    }

    const Image* image_;
    std::uint32_t root_;
    std::uint32_t root_filter_ = none;
    bool root_joins_ = true;
    unsigned join_nesting_ = 0;
    bool started_ = false;
    std::size_t base_ = 0;  ///< frames that belong to the walk this one began in
    std::vector<Frame> frames_;
    std::vector<Guard> filters_;
    std::vector<std::uint32_t> conditions_;
    std::vector<Label> labels_;
    std::vector<std::uint32_t> present_;  ///< by symbol: how many labels passed have it
    std::vector<std::uint8_t> holds_;     ///< by condition: how it was decided
    const std::uint64_t* below_ = nullptr;
    std::string name_;
    std::string shortname_;
    std::vector<DepMark> deps_;
    std::string target_;
    Search search_ = Search::nothing;
    bool lenient_ = false;
    std::vector<Guard> failed_;
    std::size_t best_match_ = 0;
    std::vector<std::string> alternatives_;
    std::uint64_t results_ = 0;
    std::uint64_t fruitless_ = 0;
    std::unique_ptr<Join> join_;
};

}  // namespace vt::cfg

// SPDX-License-Identifier: GPL-2.0-or-later
#include "cfg/join.hpp"

#include "cfg/errors.hpp"

#include <algorithm>

#include <fmt/core.h>

namespace vt::cfg {
namespace {

/// Each of them makes walks of its own for every combination.
constexpr unsigned most_nested_joins = 64;

/// The name of two joined dictionaries: the dotted beginning they share stands once. Nothing if one begins
/// the other.
bool join_names(const std::string& first, std::string& second) {
    const std::size_t length = std::min(first.size(), second.size());
    const auto differ =
        std::mismatch(first.begin(), first.begin() + static_cast<std::ptrdiff_t>(length), second.begin());
    const auto common = static_cast<std::size_t>(differ.first - first.begin());
    if (common == length) {
        return false;
    }
    const std::size_t dot = common == 0 ? std::string::npos : first.rfind('.', common - 1);
    if (dot == std::string::npos) {
        second = first + "." + second;
    } else {
        second = first + second.substr(dot);
    }
    return true;
}

}  // namespace

void Walker::start_join() {
    const Frame frame = frames_.back();
    if (join_nesting_ >= most_nested_joins) {
        throw LimitError(report_of(
            fmt::format("joins stand in joins deeper than {} (limit join_depth)", most_nested_joins),
            std::string(image_->text(image_->files[0].path))));
    }
    const Range words = image_->nodes[frame.node].joins;
    // The parts begin before this node, each enters it anew with its own word. The frame itself stays as a
    // mark of where the join is; it has nothing left to take back.
    leave();
    auto join = std::make_unique<Join>();
    for (std::uint32_t i = words.begin; i < words.end; ++i) {
        join->parts.push_back(std::unique_ptr<Walker>(new Walker(*this, frame.node, image_->joins[i])));
        join->yielded.push_back(false);
    }
    frames_.push_back(frame);
    join_ = std::move(join);
}

bool Walker::next_combination() {
    auto& parts = join_->parts;
    std::size_t i = join_->begun ? parts.size() - 1 : 0;
    join_->begun = true;
    while (true) {
        if (parts[i]->advance()) {
            join_->yielded[i] = true;
            if (i + 1 == parts.size()) {
                break;
            }
            parts[++i]->restart();
        } else if (i == 0 || !join_->yielded[i]) {
            return false;
        } else {
            --i;
        }
    }
    join_->name = parts.back()->name();
    join_->shortname = parts.back()->shortname();
    for (i = parts.size() - 1; i-- > 0;) {
        if (!join_names(std::string(parts[i]->name()), join_->name) ||
            !join_names(std::string(parts[i]->shortname()), join_->shortname)) {
            refuse_join(*parts[i], *parts.back());
        }
    }
    return true;
}

void Walker::refuse_join(const Walker& first, const Walker& second) const {
    const Node& node = image_->nodes[frames_.back().node];
    ErrorReport report;
    report.message = fmt::format("the join of '{}' and '{}' has no name, because one name begins the other",
                                 first.name(), second.name());
    report.expected = "words that select dictionaries of different names";
    for (std::uint32_t i = node.statements.begin; i < node.statements.end; ++i) {
        const Stmt& statement = image_->statements[i];
        if (statement.op == Op::join) {
            report.where = {std::string(image_->text(image_->files[statement.file].path)), statement.line, 1};
        }
    }
    throw ExpansionError(report);
}

void Walker::make_joined(Record& record) const {
    join_->parts.front()->make(record);
    for (std::size_t i = 1; i < join_->parts.size(); ++i) {
        Record part(*image_);
        join_->parts[i]->make(part);
        record.merge(part);
    }
    record.rename(join_->name, join_->shortname);
}

}  // namespace vt::cfg

// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/nrunner/log_feed.hpp"

#include "runner/support/strings.hpp"

#include <algorithm>
#include <utility>

namespace vt::nrunner {
namespace {

constexpr std::size_t remembered_lines = 3;
constexpr std::size_t longest_batch = std::size_t{64} << 10;
constexpr std::size_t hurried_part = std::size_t{16} << 10;
constexpr Seconds batch_time{0.02};

const char* name_of(Stream stream) {
    return stream == Stream::output ? "stdout" : "stderr";
}

void remember(std::string_view text, std::deque<std::string>& lines) {
    for (const auto& line : split(text, '\n')) {
        if (auto clean = one_line(line, 300); !clean.empty()) {
            lines.push_back(std::move(clean));
        }
    }
    while (lines.size() > remembered_lines) {
        lines.pop_front();
    }
}

}  // namespace

LogFeed::LogFeed(MessageMaker& messages, Post post, std::size_t limit)
    : messages_(messages),
      post_(std::move(post)),
      log_bounds_(limit),
      output_{BoundedText(limit), LineSplitter()},
      error_{BoundedText(limit), LineSplitter()} {}

void LogFeed::take(const LogLine& line) {
    // The lines of a long list (the parameters) explain no death.
    if (!line.line.starts_with("    ")) {
        remember(line.line, last_lines_);
    }
    if (!repeated_.take(line.line)) {
        return;
    }
    if (const auto words = RepeatedLines::text(repeated_.take_count()); !words.empty() && last_) {
        add({last_->level, last_->logger, words});
    }
    last_ = line;
    add(line);
}

void LogFeed::add(const LogLine& line) {
    if (batch_ && (batch_->level != line.level || batch_->logger != line.logger ||
                   batch_->line.size() > longest_batch)) {
        flush();
    }
    auto text = format_log_line(line.level, line.logger, line.line);
    if (!log_bounds_.take(text)) {
        return;
    }
    if (batch_) {
        batch_->line += '\n' + text;
    } else {
        batch_ = LogLine{line.level, line.logger, std::move(text)};
        due_ = Deadline::after(batch_time);
    }
}

void LogFeed::flush() {
    if (const auto batch = std::exchange(batch_, std::nullopt)) {
        post_(messages_.log(batch->level, batch->logger, batch->line));
    }
    due_ = Deadline::never();
}

void LogFeed::take(Stream stream, std::string_view bytes) {
    pass(stream, kept(stream).lines.feed(bytes));
}

void LogFeed::end(Stream stream) {
    pass(stream, kept(stream).lines.flush());
}

void LogFeed::pass(Stream stream, const std::string& lines) {
    if (lines.empty()) {
        return;
    }
    remember(lines, stream == Stream::error ? last_errors_ : last_lines_);
    if (kept(stream).bounds.take(lines)) {
        flush();
        post_(messages_.stream(name_of(stream), lines));
    }
}

void LogFeed::finish(bool hurried) {
    const std::size_t most = hurried ? hurried_part : SIZE_MAX;
    if (const auto words = RepeatedLines::text(repeated_.take_count()); !words.empty() && last_) {
        add({last_->level, last_->logger, words});
    }
    flush();
    for (const auto stream : {Stream::output, Stream::error}) {
        auto& bounds = kept(stream).bounds;
        const auto parts = bounds.finish(most);
        if (const auto gap = bounds.gap_text(); !gap.empty()) {
            post_(messages_.stream(name_of(stream), gap + "\n"));
        }
        for (const auto& part : parts) {
            post_(messages_.stream(name_of(stream), part));
        }
    }
    const auto lines = log_bounds_.finish(most);
    if (const auto gap = log_bounds_.gap_text(); !gap.empty()) {
        post_(messages_.log(log::Level::warning, "vt", format_log_line(log::Level::warning, "vt", gap)));
    }
    // Level and logger of each line are in its text.
    for (auto line = lines.begin(); line != lines.end();) {
        std::string batch;
        for (; line != lines.end() && batch.size() < longest_batch; ++line) {
            batch += (batch.empty() ? "" : "\n") + *line;
        }
        post_(messages_.log(log::Level::info, "vt", batch));
    }
}

std::string LogFeed::last_words() const {
    // What was said on standard error is the nearest to a cause, whenever it was read.
    auto lines = last_lines_;
    lines.insert(lines.end(), last_errors_.begin(), last_errors_.end());
    while (lines.size() > std::max(remembered_lines, last_errors_.size() + 1)) {
        lines.pop_front();
    }
    return join({lines.begin(), lines.end()}, " | ");
}

}  // namespace vt::nrunner

// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/process/output_sink.hpp"

#include "runner/support/error.hpp"
#include "runner/support/file.hpp"
#include "runner/support/log.hpp"

#include <cerrno>
#include <utility>

#include <fcntl.h>

namespace vt::process {
namespace {

/// A "line" without an end is cut here, so that nothing grows without bounds.
constexpr std::size_t longest_line = std::size_t{1} << 20;
/// Of a line that is kept for reasons.
constexpr std::size_t longest_kept_line = 2000;

}  // namespace

OutputSink::OutputSink(std::string name, OutputTo to) : name_(std::move(name)), to_(std::move(to)) {
    if (!to_.file.empty()) {
        const int how = O_WRONLY | O_CREAT | O_CLOEXEC | O_APPEND | (to_.append ? 0 : O_TRUNC);
        file_.reset(::open(to_.file.c_str(), how, 0600));
        if (!file_) {
            throw SystemError("cannot open " + to_.file.string() + " for the output of " + name_, errno);
        }
    }
}

void OutputSink::take(std::string_view bytes) {
    write_file(bytes);
    try {
        if (to_.on_bytes) {
            to_.on_bytes(bytes);
        }
    } catch (const std::exception& error) {
        log::warning("a handler of the output of {} failed: {}", name_, error.what());
    }
    std::string text;
    {
        const std::lock_guard lock(mutex_);
        text = std::exchange(partial_, {});
    }
    text += bytes;
    std::size_t start = 0;
    for (auto end = text.find('\n'); end != std::string::npos; end = text.find('\n', start)) {
        line(std::string_view(text).substr(start, end - start));
        start = end + 1;
    }
    text.erase(0, start);
    if (text.size() > longest_line) {
        line(text);
        text.clear();
    }
    const std::lock_guard lock(mutex_);
    partial_ = std::move(text);
}

void OutputSink::finish_line() {
    std::string text;
    {
        const std::lock_guard lock(mutex_);
        text = std::exchange(partial_, {});
    }
    if (!text.empty()) {
        line(text);
    }
}

std::vector<std::string> OutputSink::last_lines() const {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> lines(last_.begin(), last_.end());
    if (!partial_.empty()) {
        lines.push_back(partial_.substr(0, longest_kept_line));
    }
    return lines;
}

void OutputSink::line(std::string_view text) {
    {
        const std::lock_guard lock(mutex_);
        last_.emplace_back(text.substr(0, longest_kept_line));
        while (last_.size() > to_.kept_lines) {
            last_.pop_front();
        }
    }
    try {
        if (to_.on_line) {
            to_.on_line(text);
        }
    } catch (const std::exception& error) {
        log::warning("a handler of the output of {} failed: {}", name_, error.what());
    }
    if (also_) {
        also_(text);
    }
}

void OutputSink::write_file(std::string_view bytes) {
    if (!file_) {
        return;
    }
    try {
        write_all(file_.get(), bytes);
    } catch (const SystemError& error) {
        log::warning("the output of {} is no longer written to {}: {}", name_, to_.file.string(),
                     errno_text(error.errnum()));
        file_.reset();
    }
}

}  // namespace vt::process

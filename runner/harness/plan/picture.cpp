// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/harness/plan/picture.hpp"

#include "runner/support/strings.hpp"
#include "runner/support/timeline.hpp"

#include <algorithm>
#include <array>
#include <iterator>

#include <fmt/core.h>

namespace vt::plan {
namespace {

using Clock = Participant::Clock;

double seconds_between(Clock::time_point from, Clock::time_point to) {
    return std::chrono::duration<double>(to - from).count();
}

/// Operator, who, what is expected.
using Row = std::array<std::string, 3>;

std::string names_of(const std::vector<ParticipantPtr>& those) {
    std::vector<std::string> names;
    for (const auto& who : those) {
        names.push_back(who->name());
    }
    return names.empty() ? "no exit" : "only of " + join(names, ", ");
}

Row row_of(const Step& step) {
    if (const auto* check = std::get_if<CheckExits>(&step)) {
        return {"check exits", "", names_of(check->expected)};
    }
    if (const auto* spawned = std::get_if<Spawn>(&step)) {
        return {"spawn", spawned->who->name(), spawned->who->what()};
    }
    if (const auto* killed = std::get_if<Kill>(&step)) {
        return {"kill", killed->who->name(), fmt::format("signal {}", killed->signal)};
    }
    if (const auto* awaited = std::get_if<Wait>(&step)) {
        return {"wait", awaited->who->name(), exit_text(awaited->expected)};
    }
    return {"call", std::get<Call>(step).name, ""};
}

TimelineBar bar_of(const Participant& who, Clock::time_point zero, Clock::time_point now) {
    TimelineBar bar{
        who.name(), who.what(), {}, TimelineBar::Outcome::lasting, seconds_between(zero, *who.began()), 0};
    const auto ended = who.ended();
    bar.to = seconds_between(zero, ended.value_or(now));
    if (!ended) {
        bar.end = "has not ended";
    } else if (who.failure()) {
        bar.end = "failed";
        bar.outcome = TimelineBar::Outcome::bad;
    } else if (const auto code = who.exit_code()) {
        bar.end = fmt::format("exit code {}", *code);
        bar.outcome = *code == 0 ? TimelineBar::Outcome::good : TimelineBar::Outcome::bad;
    } else {
        bar.end = "ended by a signal";
        bar.outcome = TimelineBar::Outcome::killed;
    }
    return bar;
}

std::vector<TimelineBar> bars_of(const std::vector<ParticipantPtr>& those) {
    const auto now = Clock::now();
    auto zero = now;
    for (const auto& who : those) {
        if (const auto began = who->began()) {
            zero = std::min(zero, *began);
        }
    }
    std::vector<TimelineBar> bars;
    for (const auto& who : those) {
        if (who->began()) {
            bars.push_back(bar_of(*who, zero, now));
        }
    }
    return bars;
}

}  // namespace

std::string table(const std::vector<Step>& steps, const std::vector<StepTime>& times) {
    std::vector<Row> rows;
    std::size_t widths[2] = {8, 3};
    for (const auto& step : steps) {
        rows.push_back(row_of(step));
        for (std::size_t column = 0; column < std::size(widths); ++column) {
            widths[column] = std::max(widths[column], rows.back()[column].size());
        }
    }
    const bool timed = !times.empty();
    auto text = fmt::format("step  {}{:<{}}  {:<{}}  {}\n", timed ? "   began     took  " : "", "operator",
                            widths[0], "who", widths[1], "what");
    for (std::size_t index = 0; index < rows.size(); ++index) {
        std::string when;
        if (index < times.size()) {
            const auto& time = times[index];
            const auto took = time.ended ? fmt::format("{:7.3f}", seconds_between(time.began, *time.ended))
                                         : std::string(" failed");
            when = fmt::format("{:6.3f} s {} s  ", seconds_between(times.front().began, time.began), took);
        } else if (timed) {
            when = fmt::format("{:<19}", "never");
        }
        const auto& row = rows[index];
        auto line = fmt::format("{:4}  {}{:<{}}  {:<{}}  {}", index + 1, when, row[0], widths[0], row[1],
                                widths[1], row[2]);
        line.erase(line.find_last_not_of(' ') + 1);
        text += line + "\n";
    }
    return text;
}

std::vector<ParticipantPtr> participants(const std::vector<Step>& steps) {
    std::vector<ParticipantPtr> those;
    for (const auto& step : steps) {
        const auto* spawned = std::get_if<Spawn>(&step);
        if (spawned != nullptr && std::find(those.begin(), those.end(), spawned->who) == those.end()) {
            those.push_back(spawned->who);
        }
    }
    return those;
}

std::string timeline(const std::string& title, const std::vector<ParticipantPtr>& those) {
    return vt::timeline(title, bars_of(those));
}

}  // namespace vt::plan

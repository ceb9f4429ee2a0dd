// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/harness/plan/picture.hpp"

#include "runner/support/strings.hpp"

#include <algorithm>
#include <array>
#include <iterator>

#include <fmt/core.h>

namespace vt::plan {
namespace {

using Clock = Participant::Clock;

constexpr int name_width = 220;
constexpr int bar_width = 640;
constexpr int text_width = 200;
constexpr int row_height = 24;
constexpr int head_height = 60;
constexpr std::size_t shown_name = 32;
constexpr int ticks = 4;

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

std::string escaped(std::string_view text) {
    std::string result;
    for (const char letter : to_valid_utf8(text)) {
        switch (letter) {
            case '&':
                result += "&amp;";
                break;
            case '<':
                result += "&lt;";
                break;
            case '>':
                result += "&gt;";
                break;
            case '"':
                result += "&quot;";
                break;
            default:
                // XML has no other control characters.
                result += static_cast<unsigned char>(letter) < ' ' ? ' ' : letter;
        }
    }
    return result;
}

std::string shortened(const std::string& name) {
    return name.size() <= shown_name ? name : name.substr(0, shown_name - 3) + "...";
}

struct Bar {
    std::string name;
    std::string what;
    std::string end;  ///< how it ended, for people
    const char* colour = "";
    double from = 0;
    double to = 0;
};

Bar bar_of(const Participant& who, Clock::time_point zero, Clock::time_point now) {
    Bar bar{who.name(), who.what(), {}, "#f0ad4e", seconds_between(zero, *who.began()), 0};
    const auto ended = who.ended();
    bar.to = seconds_between(zero, ended.value_or(now));
    if (!ended) {
        bar.end = "has not ended";
    } else if (who.failure()) {
        bar.end = "failed";
        bar.colour = "#d9534f";
    } else if (const auto code = who.exit_code()) {
        bar.end = fmt::format("exit code {}", *code);
        bar.colour = *code == 0 ? "#5cb85c" : "#d9534f";
    } else {
        bar.end = "ended by a signal";
        bar.colour = "#777777";
    }
    return bar;
}

std::vector<Bar> bars_of(const std::vector<ParticipantPtr>& those) {
    const auto now = Clock::now();
    auto zero = now;
    for (const auto& who : those) {
        if (const auto began = who->began()) {
            zero = std::min(zero, *began);
        }
    }
    std::vector<Bar> bars;
    for (const auto& who : those) {
        if (who->began()) {
            bars.push_back(bar_of(*who, zero, now));
        }
    }
    return bars;
}

std::string axis(double longest, int height) {
    std::string text;
    for (int tick = 0; tick <= ticks; ++tick) {
        const int x = name_width + bar_width * tick / ticks;
        text += fmt::format(
            "<line x1=\"{0}\" y1=\"{1}\" x2=\"{0}\" y2=\"{2}\" stroke=\"#dddddd\"/>\n"
            "<text x=\"{0}\" y=\"{3}\" text-anchor=\"middle\" fill=\"#555555\">{4:.3g} s</text>\n",
            x, head_height - 4, height - 10, head_height - 8, longest * tick / ticks);
    }
    return text;
}

std::string drawn(const Bar& bar, double longest, int y) {
    const double scale = bar_width / longest;
    const double width = std::max(1.0, (bar.to - bar.from) * scale);
    return fmt::format(
        "<g><title>{0}: {1}</title>\n<text x=\"8\" y=\"{2}\">{3}</text>\n"
        "<rect x=\"{4:.1f}\" y=\"{5}\" width=\"{6:.1f}\" height=\"{7}\" rx=\"2\" fill=\"{8}\"/>\n"
        "<text x=\"{9}\" y=\"{2}\" fill=\"#555555\">{10}, {11:.3f} s</text></g>\n",
        escaped(bar.name), escaped(bar.what), y + row_height - 8, escaped(shortened(bar.name)),
        name_width + bar.from * scale, y + 3, width, row_height - 6, bar.colour, name_width + bar_width + 12,
        escaped(bar.end), bar.to - bar.from);
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
    const auto bars = bars_of(those);
    double longest = 0.001;
    for (const auto& bar : bars) {
        longest = std::max(longest, bar.to);
    }
    const int width = name_width + bar_width + text_width;
    const int height = head_height + static_cast<int>(bars.size()) * row_height + 16;
    auto text = fmt::format(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" viewBox=\"0 0 {0} {1}\" "
        "font-family=\"sans-serif\" font-size=\"13\">\n<rect width=\"100%\" height=\"100%\" "
        "fill=\"white\"/>\n"
        "<text x=\"8\" y=\"22\" font-size=\"16\">{2}</text>\n",
        width, height, escaped(title));
    text += axis(longest, height);
    int y = head_height;
    for (const auto& bar : bars) {
        text += drawn(bar, longest, y);
        y += row_height;
    }
    return text + "</svg>\n";
}

}  // namespace vt::plan

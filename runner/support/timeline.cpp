// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/support/timeline.hpp"

#include "runner/support/strings.hpp"

#include <algorithm>
#include <string_view>

#include <fmt/core.h>

namespace vt {
namespace {

constexpr int name_width = 220;
constexpr int bar_width = 640;
constexpr int text_width = 200;
constexpr int row_height = 24;
constexpr int head_height = 60;
constexpr std::size_t shown_name = 32;
constexpr int ticks = 4;

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

const char* colour_of(TimelineBar::Outcome outcome) {
    switch (outcome) {
        case TimelineBar::Outcome::good:
            return "#5cb85c";
        case TimelineBar::Outcome::bad:
            return "#d9534f";
        case TimelineBar::Outcome::killed:
            return "#777777";
        case TimelineBar::Outcome::lasting:
            break;
    }
    return "#f0ad4e";
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

std::string drawn(const TimelineBar& bar, double longest, int y) {
    const double scale = bar_width / longest;
    const double width = std::max(1.0, (bar.to - bar.from) * scale);
    return fmt::format(
        "<g><title>{0}: {1}</title>\n<text x=\"8\" y=\"{2}\">{3}</text>\n"
        "<rect x=\"{4:.1f}\" y=\"{5}\" width=\"{6:.1f}\" height=\"{7}\" rx=\"2\" fill=\"{8}\"/>\n"
        "<text x=\"{9}\" y=\"{2}\" fill=\"#555555\">{10}, {11:.3f} s</text></g>\n",
        escaped(bar.name), escaped(bar.what), y + row_height - 8, escaped(shortened(bar.name)),
        name_width + bar.from * scale, y + 3, width, row_height - 6, colour_of(bar.outcome),
        name_width + bar_width + 12, escaped(bar.end), bar.to - bar.from);
}

}  // namespace

std::string timeline(const std::string& title, const std::vector<TimelineBar>& bars) {
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

}  // namespace vt

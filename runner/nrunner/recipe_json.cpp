// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/nrunner/recipe_json.hpp"

#include <fmt/core.h>
#include <nlohmann/json.hpp>

namespace vt::nrunner {
namespace {

using nlohmann::json;

constexpr int deepest_nesting = 200;  // dump() recurses, and the text is anybody's

/// Looks at the text before anything is made of it. (nlohmann's own callback while it parses costs a search
/// through the enclosing object at the end of each inner one.)
class Check : public nlohmann::json_sax<json> {
  public:
    explicit Check(const std::string& what) : what_(what) {}

    bool null() override { return true; }
    bool boolean(bool) override { return true; }
    bool number_integer(number_integer_t) override { return true; }
    bool number_unsigned(number_unsigned_t) override { return true; }
    bool number_float(number_float_t, const string_t&) override { return true; }
    bool binary(binary_t&) override { return true; }
    bool string(string_t& text) override {
        refuse_nul(text, key_.empty() ? what_ : what_ + ", at \"" + key_ + "\",");
        return true;
    }
    bool key(string_t& text) override {
        refuse_nul(text, "a key of " + what_);
        key_ = text;
        return true;
    }
    bool start_object(std::size_t) override { return deeper(); }
    bool start_array(std::size_t) override { return deeper(); }
    bool end_object() override { return shallower(); }
    bool end_array() override { return shallower(); }
    bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception& error) override {
        throw UsageError(fmt::format("{} is no JSON: {}", what_, error.what()));
    }

  private:
    bool deeper() {
        if (++depth_ > deepest_nesting) {
            throw UsageError(fmt::format("{} is nested more than {} levels deep", what_, deepest_nesting));
        }
        return true;
    }
    bool shallower() {
        --depth_;
        return true;
    }

    const std::string& what_;
    std::string key_;
    int depth_ = 0;
};

}  // namespace

void refuse_nul(std::string_view text, const std::string& what) {
    if (text.find('\0') != std::string_view::npos) {
        throw NulError(fmt::format("{} has a NUL character, which no path and no argument can have", what));
    }
}

RecipeJson parse_json(std::string_view text, const std::string& what) {
    Check check(what);
    json::sax_parse(text, &check);
    try {
        return RecipeJson::parse(text);
    } catch (const nlohmann::detail::exception& error) {
        throw UsageError(fmt::format("{} is no JSON: {}", what, error.what()));
    }
}

}  // namespace vt::nrunner

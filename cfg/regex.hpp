// SPDX-License-Identifier: GPL-2.0-or-later
/// \file regex.hpp
/// Regular expressions in keys (`a.* ?= 1`), with the meaning they have in Python's `re` and bounded effort.
#pragma once

#include "cfg/image.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

namespace vt::cfg {

/// Why a regular expression is none, or gave up.
struct BadRegex {
    std::string message;
};

/// The regular expressions of an image, compiled when first used. Not for several threads at once.
class RegexCache {
  public:
    explicit RegexCache(const Image& image);
    ~RegexCache();

    /// Compiles a pattern; whoever runs a statement with it must know whether it is one. Throws BadRegex.
    void prepare(std::uint32_t pattern) { compile(pattern); }

    /// `re.match(pattern + "$", key)`. Throws BadRegex.
    bool matches(std::uint32_t pattern, std::string_view key);

  private:
    struct Compiled;

    Compiled& compile(std::uint32_t pattern);

    const Image* image_;
    std::unordered_map<std::uint32_t, std::unique_ptr<Compiled>> compiled_;
};

/// A pattern of Python's `re` in PCRE2's syntax. Throws BadRegex for what only PCRE2 understands.
std::string translate_regex(std::string_view python);

}  // namespace vt::cfg

// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Texts with `{{name}}` in them: what a driver is told about another one (`{{server.port}}`) and what is
/// filled into the files that are installed for it.
///
/// It is the part of Jinja2 that such texts use: names with dots, nothing that is evaluated. Unlike there, a
/// name that nobody knows is an error rather than nothing, since a client that connects to "" helps nobody.
#pragma once

#include "runner/support/error.hpp"

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vt::driver {

/// A name in a text has no value; what() says which and where.
class UnresolvedError : public Error {
  public:
    using Error::Error;
};

/// Gives the value of a name ("server.port"), nothing if there is none.
using Lookup = std::function<std::optional<std::string>(const std::string& name)>;

/// A text that was taken apart.
class TextTemplate {
  public:
    /// Nothing for a text that needs a real template engine: `{% … %}`, `{# … #}`, filters, expressions.
    static std::optional<TextTemplate> parse(std::string_view text);

    /// The names in it, in their order.
    std::vector<std::string> names() const;
    /// The text with values. Throws UnresolvedError naming \p what.
    std::string render(const Lookup& lookup, const std::string& what) const;

  private:
    struct Piece {
        std::string text;
        bool is_name;
    };
    std::vector<Piece> pieces_;
};

/// The text with values in one go. Throws UnresolvedError, Error for what parse() does not take.
std::string fill_in(std::string_view text, const Lookup& lookup);

/// Writes \p source, filled in, to \p target: a file, or a directory that gets a file of the same name. Its
/// directory is made, the mode is kept. What is no UTF-8 text is copied as it is. Returns the file written.
/// Throws SystemError, UnresolvedError.
std::filesystem::path install_file(const std::filesystem::path& source, const std::filesystem::path& target,
                                   const Lookup& lookup);

/// Makes \p path with its parents, empty if \p clean; refuses to clean the root, the home directory and what
/// holds the working directory. Throws SystemError, Error.
void make_run_path(const std::filesystem::path& path, bool clean);

}  // namespace vt::driver

// SPDX-License-Identifier: GPL-2.0-or-later
/// \file errors.hpp
/// What can be wrong with a Cartesian configuration, with the place and the line, so that a person or an
/// editor finds it.
///
/// `what()` is the complete report: `FILE:LINE:COL: MESSAGE`, the line with a caret, what was expected, and
/// one `included from FILE:LINE` for each file on the way. The parts are kept for the Python façade, whose
/// exceptions have upstream's names and attributes.
#pragma once

#include "runner/support/error.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace vt::cfg {

/// A place in a source. Line and column count from 1, columns as the language counts them
/// (characters, tabs to multiples of 8); 0 is unknown.
struct Location {
    std::string file;
    std::uint32_t line = 0;
    std::uint32_t column = 0;

    /// `file:line:column`, without the parts that are unknown.
    std::string to_string() const;
    bool operator==(const Location&) const = default;
};

/// The parts of an error report.
struct ErrorReport {
    std::string message;   ///< one sentence: what was found
    Location where;        ///< where it was found
    std::string line;      ///< the text of that line, without indentation; empty if there is none
    std::string expected;  ///< what would have been right; may be empty
    std::vector<Location> included_from;  ///< innermost first
    std::uint32_t indent = 0;             ///< columns of indentation left out of `line`
};

/// A report that shows no line.
ErrorReport report_of(std::string message, std::string file, std::uint32_t line = 0,
                      std::string expected = {});

/// The configuration is wrong: the base of all errors of this layer that name a place.
class ParserError : public Error {
  public:
    explicit ParserError(ErrorReport report);
    const ErrorReport& report() const noexcept { return report_; }

  private:
    ErrorReport report_;
};

/// A character that cannot stand where it stands.
class LexerError : public ParserError {
  public:
    using ParserError::ParserError;
};

/// An included file is missing or no regular file.
class MissingIncludeError : public ParserError {
  public:
    using ParserError::ParserError;
};

/// The text is right but a dictionary cannot be made from it: a bad regular expression, a limit that is no
/// number, a join of names where one begins the other.
class ExpansionError : public ParserError {
  public:
    using ParserError::ParserError;
};

/// A limit against hostile input was reached; the message names it.
class LimitError : public ParserError {
  public:
    using ParserError::ParserError;
};

/// A file named by the user, not by an include, cannot be read. The message holds the system's reason.
class SourceError : public Error {
  public:
    SourceError(std::string path, int error_number);
    const std::string& path() const noexcept { return path_; }
    int error_number() const noexcept { return error_number_; }

  private:
    std::string path_;
    int error_number_;
};

}  // namespace vt::cfg

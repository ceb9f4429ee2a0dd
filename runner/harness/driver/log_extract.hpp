// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// What a driver's log says: has each of some expressions matched a line, and what did the named groups hold.
///
/// A file that grows is read on from where the last look ended, however often it is asked; one that was
/// replaced or shortened is read anew.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace vt::driver {

/// A regular expression (PCRE2, which reads Python's) with Python's flags.
struct Expression {
    std::string pattern;
    bool ignore_case = false;
    bool multi_line = false;
    bool dot_all = false;
    bool verbose = false;
    bool ascii = false;  ///< \w and the like are ASCII; set for patterns of bytes
    bool bytes = false;  ///< the text is bytes rather than UTF-8
};

/// Matches lines from their beginning. One thread at a time.
class LineExtractor {
  public:
    /// Throws Error naming the place of a mistake in an expression.
    explicit LineExtractor(const std::vector<Expression>& expressions);
    LineExtractor(LineExtractor&&) noexcept;
    ~LineExtractor();

    /// \p line with its newline, if it has one.
    void feed(std::string_view line);
    /// Forgets everything.
    void reset();
    bool all_matched() const;
    /// Indices of those that no line matched.
    std::vector<std::size_t> unmatched() const;
    /// Named groups, the last match's where several lines matched; groups that took no part are left out.
    const std::map<std::string, std::string>& extracts() const;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

/// The same over a file.
class FileExtractor {
  public:
    FileExtractor(std::filesystem::path file, const std::vector<Expression>& expressions);

    /// Reads what is new; true if all have matched by now. A file that is not there has no lines. Throws
    /// SystemError.
    bool look();
    const LineExtractor& lines() const { return lines_; }
    const std::filesystem::path& file() const { return file_; }

  private:
    std::filesystem::path file_;
    LineExtractor lines_;
    std::uint64_t position_ = 0;
    std::uint64_t inode_ = 0;
};

/// The last \p count lines of a file (all of them for 0), without empty ones at its end; none if it cannot be
/// read.
std::vector<std::string> last_lines(const std::filesystem::path& file, std::size_t count);

}  // namespace vt::driver

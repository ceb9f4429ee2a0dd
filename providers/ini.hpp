// SPDX-License-Identifier: GPL-2.0-or-later
/// \file ini.hpp
/// Reads `.ini` files as Python's configparser does, for provider and asset definitions.
///
/// Keys are lower-cased, `=` and `:` both separate, a line that is indented deeper than its key goes on with
/// the value, `#` and `;` begin comment lines, `[DEFAULT]` serves all sections, `%(key)s` is replaced and
/// `%%` is a percent sign. Strict as configparser is: a section or key given twice is an error.
#pragma once

#include "runner/support/error.hpp"

#include <cstddef>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vt::providers {

/// The text is no `.ini` file; what() names file, line and reason.
class IniError : public Error {
  public:
    using Error::Error;
};

/// A parsed file.
class Ini {
  public:
    /// \param name stands for the text in messages. Throws IniError.
    static Ini parse(std::string_view text, const std::string& name);
    /// Throws IniError if \p path is no regular file, or too big; SystemError.
    static Ini read(const std::filesystem::path& path);

    bool has_section(const std::string& section) const { return sections_.contains(section); }
    /// The names of all sections but `DEFAULT`, in their order.
    std::vector<std::string> sections() const;
    /// The value with its references replaced, from the section or from `[DEFAULT]`. Throws IniError if a
    /// reference leads nowhere, or if there are more than any file needs.
    std::optional<std::string> get(const std::string& section, const std::string& key) const;

  private:
    using Values = std::map<std::string, std::string>;

    const std::string* raw(const std::string& section, const std::string& key) const;
    std::string interpolate(const std::string& section, std::string_view text, int depth,
                            std::size_t& references) const;

    std::string name_;
    std::map<std::string, Values> sections_;
    std::vector<std::string> titles_;
    Values defaults_;
};

}  // namespace vt::providers

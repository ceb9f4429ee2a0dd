// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/harness/driver/text_template.hpp"

#include "runner/support/file.hpp"
#include "runner/support/strings.hpp"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <system_error>

#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

namespace vt::driver {
namespace fs = std::filesystem;
namespace {

/// "name" or "name.other"; no digit first in any part.
bool is_dotted_name(std::string_view text) {
    bool first = true;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '.') {
            if (first) {
                return false;
            }
            first = true;
        } else if (c == '_' || std::isalpha(byte) != 0 || (!first && std::isdigit(byte) != 0)) {
            first = false;
        } else {
            return false;
        }
    }
    return !first;
}

/// Words that Jinja2 and Tempita give a meaning of their own.
bool is_keyword(std::string_view name) {
    return name == "endif" || name == "endfor" || name == "else" || name == "break" || name == "continue";
}

void check(const std::error_code& error, const std::string& what) {
    if (error) {
        throw SystemError(what, error.value());
    }
}

/// A directory below one that all may write to could be somebody else's, put there before.
void check_owners(const fs::path& path) {
    std::optional<fs::path> foreign;
    for (fs::path at = path; at != at.root_path(); at = at.parent_path()) {
        struct stat info {};
        if (::stat(at.c_str(), &info) != 0) {
            throw SystemError(fmt::format("look at {}", at.string()), errno);
        }
        if ((info.st_mode & S_ISVTX) != 0) {
            break;
        }
        if (info.st_uid != ::geteuid() && info.st_uid != 0) {
            foreign = at;
        }
        if (foreign &&
            (fs::status(at.parent_path()).permissions() & fs::perms::sticky_bit) != fs::perms::none) {
            throw Error(fmt::format("{} is another user's; name another run path", foreign->string()));
        }
    }
}

}  // namespace

std::optional<TextTemplate> TextTemplate::parse(std::string_view text) {
    if (text.find("{%") != std::string_view::npos || text.find("{#") != std::string_view::npos) {
        return std::nullopt;
    }
    TextTemplate parsed;
    std::size_t at = 0;
    for (;;) {
        const std::size_t open = text.find("{{", at);
        parsed.pieces_.push_back({std::string(text.substr(at, open - at)), false});
        if (open == std::string_view::npos) {
            return parsed;
        }
        const std::size_t close = text.find("}}", open);
        if (close == std::string_view::npos) {
            return std::nullopt;
        }
        const std::string_view name = trim(text.substr(open + 2, close - open - 2));
        if (!is_dotted_name(name) || is_keyword(name)) {
            return std::nullopt;
        }
        parsed.pieces_.push_back({std::string(name), true});
        at = close + 2;
    }
}

std::vector<std::string> TextTemplate::names() const {
    std::vector<std::string> found;
    for (const Piece& piece : pieces_) {
        if (piece.is_name) {
            found.push_back(piece.text);
        }
    }
    return found;
}

std::string TextTemplate::render(const Lookup& lookup, const std::string& what) const {
    std::string rendered;
    for (const Piece& piece : pieces_) {
        if (!piece.is_name) {
            rendered += piece.text;
            continue;
        }
        const std::optional<std::string> value = lookup(piece.text);
        if (!value) {
            throw UnresolvedError(fmt::format("'{}' in {} has no value: nothing of that name is there (yet)",
                                              piece.text, what));
        }
        rendered += *value;
    }
    return rendered;
}

std::string fill_in(std::string_view text, const Lookup& lookup) {
    const auto parsed = TextTemplate::parse(text);
    if (!parsed) {
        throw Error(fmt::format("'{}' is no text with {{{{names}}}}: expressions need Jinja2", text));
    }
    return parsed->render(lookup, fmt::format("'{}'", text));
}

fs::path install_file(const fs::path& source, const fs::path& target, const Lookup& lookup) {
    const std::string content = read_file(source);
    std::error_code error;
    fs::path file = target;
    if (fs::is_directory(target, error)) {
        file /= source.filename();
    } else if (file.has_parent_path()) {
        fs::create_directories(file.parent_path(), error);
        check(error, fmt::format("make the directory {}", file.parent_path().string()));
    }
    const bool is_text = to_valid_utf8(content) == content;
    const auto parsed = is_text ? TextTemplate::parse(content) : std::nullopt;
    if (is_text && !parsed) {
        throw Error(
            fmt::format("{} cannot be filled in: it has expressions, which need Jinja2", source.string()));
    }
    const auto mode = fs::status(source, error).permissions();
    check(error, fmt::format("look at {}", source.string()));
    write_file_atomically(file, parsed ? parsed->render(lookup, source.string()) : content,
                          static_cast<int>(mode));
    return file;
}

void make_run_path(const fs::path& path, bool clean) {
    std::error_code error;
    if (clean) {
        const fs::path real = fs::weakly_canonical(path, error);
        const fs::path here = fs::current_path(error);
        const char* home = std::getenv("HOME");
        const bool holds_here =
            std::mismatch(real.begin(), real.end(), here.begin(), here.end()).first == real.end();
        if (real == real.root_path() || holds_here || (home != nullptr && real == fs::path(home))) {
            throw Error(
                fmt::format("{} will not be emptied for a run: it is no directory for that; name "
                            "another run path, or set path_cleanup to False",
                            real.string()));
        }
        fs::remove_all(path, error);
        check(error, fmt::format("empty {}", path.string()));
    }
    make_private_directory(path.lexically_normal());
    check_owners(fs::weakly_canonical(path, error));
}

}  // namespace vt::driver

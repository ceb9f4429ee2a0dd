// SPDX-License-Identifier: GPL-2.0-or-later
#include "providers/git_uri.hpp"

#include "providers/provider.hpp"
#include "runner/support/strings.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>
#include <optional>
#include <string_view>

#include <fmt/core.h>

namespace vt::providers {

namespace fs = std::filesystem;

namespace {

constexpr std::array<std::string_view, 6> schemes = {"https", "http", "git", "ssh", "git+ssh", "ssh+git"};

std::string lower(std::string_view text) {
    std::string result(text);
    std::transform(result.begin(), result.end(), result.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return result;
}

/// The parts of `scheme://userinfo@host/rest`, as far as they matter here.
struct Parts {
    std::string_view scheme;
    std::string_view userinfo;
    std::string_view host;  ///< with the port
};

std::optional<Parts> parts_of(std::string_view uri) {
    auto colon = uri.find("://");
    if (colon == std::string_view::npos || colon == 0) {
        return std::nullopt;
    }
    Parts parts{uri.substr(0, colon), {}, {}};
    std::string_view authority = uri.substr(colon + 3);
    authority = authority.substr(0, authority.find_first_of("/?#"));
    if (auto at = authority.rfind('@'); at != std::string_view::npos) {
        parts.userinfo = authority.substr(0, at);
        authority.remove_prefix(at + 1);
    }
    parts.host = authority;
    return parts;
}

/// The part of \p parts's user information that nobody may see: for HTTP all of it, as a token may stand in
/// the user's place.
std::string_view secret_of(const Parts& parts) {
    if (lower(parts.scheme).starts_with("http")) {
        return parts.userinfo;
    }
    auto colon = parts.userinfo.find(':');
    return colon == std::string_view::npos ? std::string_view{} : parts.userinfo.substr(colon + 1);
}

/// `user@host:path`, without a scheme: the host comes before the first slash and is no option of ssh.
bool is_short_form(std::string_view uri) {
    auto colon = uri.find(':');
    if (colon == std::string_view::npos || colon < 2 || colon > uri.find('/') || colon + 1 == uri.size() ||
        uri[colon + 1] == ':') {
        return false;
    }
    std::string_view host = uri.substr(0, colon);
    host.remove_prefix(host.find('@') == std::string_view::npos ? 0 : host.find('@') + 1);
    return !host.empty() && uri.front() != '-' && host.front() != '-';
}

bool has_control_character(std::string_view text) {
    return std::any_of(text.begin(), text.end(), [](unsigned char c) { return std::iscntrl(c) != 0; });
}

}  // namespace

fs::path expand_home(const std::string& path) {
    const char* home = std::getenv("HOME");
    if (home != nullptr && (path == "~" || path.starts_with("~/"))) {
        return fs::path(home) / fs::path(path.substr(path.size() > 1 ? 2 : 1));
    }
    return path;
}

bool is_path(const std::string& uri) {
    return uri.starts_with('/') || uri == "~" || uri.starts_with("~/");
}

std::string checked_git_uri(const std::string& uri) {
    if (is_path(uri) && !has_control_character(uri)) {
        return expand_home(uri).string();
    }
    std::optional<Parts> parts = parts_of(uri);
    bool known = parts && std::find(schemes.begin(), schemes.end(), lower(parts->scheme)) != schemes.end() &&
                 !parts->host.empty() && parts->host.front() != '-';
    if ((known || (!parts && is_short_form(uri))) && !has_control_character(uri) &&
        uri.find(' ') == std::string::npos) {
        return uri;
    }
    throw ProviderError(
        fmt::format("'{}' is no place that tests can come from: expected file:///DIRECTORY, an absolute path "
                    "of a git repository, or https://, http://, git://, ssh://HOST/PATH or USER@HOST:PATH",
                    to_valid_utf8(uri_for_messages(uri).substr(0, 200))));
}

std::string uri_for_messages(const std::string& uri) {
    std::optional<Parts> parts = parts_of(uri);
    if (!parts || parts->userinfo.empty()) {
        return uri;
    }
    std::string_view secret = secret_of(*parts);
    if (secret.empty()) {
        return uri;
    }
    // The secret and the ':' or '@' that belongs to it.
    std::string result = uri;
    auto begin = static_cast<std::size_t>(secret.data() - uri.data());
    bool whole = secret.size() == parts->userinfo.size();
    return whole ? result.erase(begin, secret.size() + 1) : result.erase(begin - 1, secret.size() + 1);
}

std::string without_secrets(std::string text, const std::string& uri) {
    text = replace_all(std::move(text), uri, uri_for_messages(uri));
    std::optional<Parts> parts = parts_of(uri);
    if (!parts) {
        return text;
    }
    std::string_view secret = secret_of(*parts);
    std::string_view password =
        secret.substr(secret.find(':') == std::string_view::npos ? 0 : secret.find(':') + 1);
    for (std::string_view part : {secret, password}) {
        if (part.size() >= 4) {  // shorter ones are found in ordinary words
            text = replace_all(std::move(text), part, "***");
        }
    }
    return text;
}

}  // namespace vt::providers

// SPDX-License-Identifier: GPL-2.0-or-later
#include "providers/signature.hpp"

#include "runner/process/process.hpp"
#include "runner/support/file.hpp"
#include "runner/support/strings.hpp"

#include <array>
#include <cstdint>
#include <vector>

#include <fmt/core.h>

namespace vt::providers {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t max_key_bytes = std::size_t{4} << 20;
constexpr std::string_view armor = "-----BEGIN PGP ";
constexpr std::string_view ssh_armor = "-----BEGIN SSH SIGNATURE-----";
constexpr const char* ssh_principal = "provider";

Deadline patience() {
    return Deadline::after(Seconds{60});
}

std::string base64_decoded(std::string_view text) {
    constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string result;
    std::uint32_t bits = 0;
    int count = 0;
    for (char c : text) {
        auto value = digits.find(c);
        if (value == std::string_view::npos) {
            continue;  // line ends and padding
        }
        bits = (bits << 6U) | static_cast<std::uint32_t>(value);
        count += 6;
        if (count >= 8) {
            count -= 8;
            result += static_cast<char>((bits >> static_cast<unsigned>(count)) & 0xffU);
        }
    }
    return result;
}

bool is_ssh_key(std::string_view text) {
    for (const std::string& line : split(text, '\n')) {
        std::string_view content = trim(line);
        if (!content.empty() && content.front() != '#') {
            return content.starts_with("ssh-") || content.starts_with("ecdsa-sha2-") ||
                   content.starts_with("sk-");
        }
    }
    return false;
}

process::Completed run_tool(const process::Command& command, const char* package) {
    try {
        return process::run(command, patience());
    } catch (const process::NotFoundError&) {
        throw GitError(fmt::format("verifying a signature needs {}; install the package {}",
                                   command.argv.front(), package));
    }
}

std::string last_line(std::string_view text) {
    std::string_view content = trim(text);
    return to_valid_utf8(content.substr(content.find_last_of('\n') + 1).substr(0, 300));
}

std::string verify_openpgp(const SignedObject& object, std::string_view key, const fs::path& scratch) {
    const fs::path keyring = scratch / "keyring.gpg";
    const fs::path signature = scratch / "signature.asc";
    const fs::path payload = scratch / "payload";
    write_file_atomically(keyring, dearmored(key), 0600);
    write_file_atomically(signature, object.signature, 0600);
    write_file_atomically(payload, object.payload, 0600);
    process::Command command;
    command.argv = {"gpgv",      "--homedir",      scratch.string(),   "--status-fd",   "1",
                    "--keyring", keyring.string(), signature.string(), payload.string()};
    command.environment["LC_ALL"] = "C";
    return signer_from_status(run_tool(command, "gpgv (Fedora: gnupg2)").out, object);
}

/// The keys as `ssh-keygen -Y verify` wants them: one principal, whose name does not matter, has them all.
std::string allowed_signers(std::string_view key) {
    std::string result;
    for (const std::string& line : split(key, '\n')) {
        std::string_view content = trim(line);
        if (!content.empty() && content.front() != '#') {
            result += fmt::format("{} namespaces=\"git\" {}\n", ssh_principal, content);
        }
    }
    return result;
}

std::string verify_ssh(const SignedObject& object, std::string_view key, const fs::path& scratch) {
    const fs::path signers = scratch / "allowed_signers";
    const fs::path signature = scratch / "signature.ssh";
    write_file_atomically(signers, allowed_signers(key), 0600);
    write_file_atomically(signature, object.signature, 0600);
    process::Command command;
    command.argv = {"ssh-keygen",  "-Y", "verify", "-f", signers.string(),  "-I",
                    ssh_principal, "-n", "git",    "-s", signature.string()};
    command.environment["LC_ALL"] = "C";
    command.input = object.payload;
    process::Completed done = run_tool(command, "openssh-client (Fedora: openssh)");
    if (!done.status.ok()) {
        throw GitRefusedError(fmt::format("its signature is not by the key of the definition ({})",
                                          last_line(done.err.empty() ? done.out : done.err)));
    }
    auto fingerprint = done.out.find("SHA256:");
    return fingerprint == std::string::npos
               ? "an SSH key"
               : std::string(trim(std::string_view(done.out).substr(fingerprint)));
}

}  // namespace

std::string dearmored(std::string_view text) {
    auto begin = text.find(armor);
    if (begin == std::string_view::npos) {
        return std::string(text);
    }
    std::string result;
    while (begin != std::string_view::npos) {
        text.remove_prefix(begin);
        auto end = text.find("-----END PGP ");
        if (end == std::string_view::npos) {
            throw GitError("the key file is cut off: an armored block has no end");
        }
        // Headers such as "Version: …" end with an empty line; the checksum has a line of its own.
        std::string body;
        bool in_headers = true;
        std::vector<std::string> lines = split(text.substr(0, end), '\n');
        for (std::size_t i = 1; i < lines.size(); ++i) {
            std::string_view line = trim(lines[i]);
            if (in_headers) {
                bool header = line.find(':') != std::string_view::npos;
                in_headers = header;
                if (header || line.empty()) {
                    continue;
                }
            }
            if (!line.starts_with('=')) {
                body += line;
            }
        }
        result += base64_decoded(body);
        text.remove_prefix(end);
        begin = text.find(armor);
    }
    return result;
}

std::string signer_from_status(std::string_view status_lines, const SignedObject& object) {
    static constexpr std::array<std::pair<std::string_view, std::string_view>, 6> bad = {{
        {"BADSIG", "does not fit it: it was changed after it was signed"},
        {"ERRSIG", "is not by the key of the definition"},
        {"EXPSIG", "has expired"},
        {"EXPKEYSIG", "is by a key that has expired"},
        {"REVKEYSIG", "is by a key that was revoked"},
        {"NODATA", "is no OpenPGP signature"},
    }};
    std::string fingerprint;
    std::string user;
    for (const std::string& line : split(status_lines, '\n')) {
        std::vector<std::string> words = split_words(line);
        if (words.size() < 2 || words[0] != "[GNUPG:]") {
            continue;
        }
        for (const auto& [keyword, reason] : bad) {
            if (words[1] == keyword) {
                std::string id = words.size() > 2 && keyword != "NODATA" ? " (key " + words[2] + ")" : "";
                throw GitRefusedError(fmt::format("the signature of {} {}{}", object.what, reason, id));
            }
        }
        if (words[1] == "GOODSIG" && words.size() > 3) {
            user = join({words.begin() + 3, words.end()}, " ");
        } else if (words[1] == "VALIDSIG" && words.size() > 2) {
            fingerprint = words[2];
        }
    }
    if (fingerprint.empty() || user.empty()) {
        throw GitRefusedError(fmt::format(
            "the signature of {} could not be verified with the key of the definition", object.what));
    }
    return to_valid_utf8(fmt::format("{} ({})", fingerprint, user));
}

std::string verify_signature(const SignedObject& object, const fs::path& key_file, const fs::path& scratch) {
    std::string key = read_file(key_file, max_key_bytes);
    bool ssh_key = is_ssh_key(key);
    bool ssh_signature = object.signature.starts_with(ssh_armor);
    if (!ssh_signature && !object.signature.starts_with(armor)) {
        throw GitRefusedError(
            fmt::format("the signature of {} is neither an OpenPGP nor an SSH signature", object.what));
    }
    if (ssh_key != ssh_signature) {
        throw GitRefusedError(fmt::format("{} is signed with an {} key, but {} has an {} key", object.what,
                                          ssh_signature ? "SSH" : "OpenPGP", key_file.string(),
                                          ssh_key ? "SSH" : "OpenPGP"));
    }
    return ssh_key ? verify_ssh(object, key, scratch) : verify_openpgp(object, key, scratch);
}

}  // namespace vt::providers

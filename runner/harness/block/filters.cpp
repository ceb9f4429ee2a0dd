// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/harness/block/filters.hpp"

#include "runner/support/strings.hpp"

#include <cstddef>
#include <initializer_list>
#include <optional>

#include <fmt/format.h>

namespace vt::block {
namespace {

constexpr std::string_view digits = "0123456789";

/// How many of \p text's first characters are among \p allowed.
std::size_t run_of(std::string_view text, std::string_view allowed) {
    const auto end = text.find_first_not_of(allowed);
    return end == std::string_view::npos ? text.size() : end;
}

/// \p text with what follows each \p prefix and consists of at least \p least of \p allowed replaced.
std::string replace_after(std::string_view text, std::string_view prefix, std::string_view allowed,
                          std::size_t least, std::string_view replacement, bool keep_prefix = true) {
    std::string result;
    for (;;) {
        const auto at = text.find(prefix);
        if (at == std::string_view::npos) {
            return result.append(text);
        }
        const auto count = run_of(text.substr(at + prefix.size()), allowed);
        if (count < least) {
            result.append(text.substr(0, at + 1));
            text.remove_prefix(at + 1);
            continue;
        }
        result.append(text.substr(0, keep_prefix ? at + prefix.size() : at)).append(replacement);
        text.remove_prefix(at + prefix.size() + count);
    }
}

/// Takes words and runs of characters off the front of a text.
class Scanner {
  public:
    explicit Scanner(std::string_view text) : text_(text), left_(text) {}
    bool word(std::string_view expected) {
        if (!left_.starts_with(expected)) {
            return false;
        }
        left_.remove_prefix(expected.size());
        return true;
    }
    void any_of(std::string_view allowed) { left_.remove_prefix(run_of(left_, allowed)); }
    std::size_t taken() const { return text_.size() - left_.size(); }

  private:
    std::string_view text_;
    std::string_view left_;
};

/// The length of qemu-io's "; 00:00:01.23 (1 MiB/sec and 2 ops/sec)" at the beginning of \p text, if it is
/// there. The characters are those that QEMU's own filter allows. Times are followed by a blank that belongs
/// to the run of characters before the bracket.
std::optional<std::size_t> speed_at(std::string_view text) {
    Scanner scanner(text);
    if (!scanner.word(" ops; ")) {
        return std::nullopt;
    }
    scanner.any_of("0123456789/:. sec");
    const bool found = scanner.word("(") && (scanner.any_of("0123456789/.inf"), scanner.word(" ")) &&
                       (scanner.any_of("EPTGMKiBbytes"), scanner.word("/sec and ")) &&
                       (scanner.any_of("0123456789/.inf"), scanner.word(" ops/sec)"));
    return found ? std::optional(scanner.taken()) : std::nullopt;
}

}  // namespace

std::string file_name(std::string_view name, const Names& names) {
    return fmt::format("{}-{}", names.pid, name);
}

std::string filter_test_dir(std::string text, const Names& names) {
    return replace_all(std::move(text), names.test_dir, "TEST_DIR");
}

std::string filter_testfiles(std::string text, const Names& names) {
    text = replace_all(std::move(text), fmt::format("{}/{}-", names.test_dir, names.pid), "TEST_DIR/PID-");
    return replace_all(std::move(text), fmt::format("{}/{}-", names.sock_dir, names.pid), "SOCK_DIR/PID-");
}

std::string filter_imgfmt(std::string text, const Names& names) {
    return replace_all(std::move(text), names.format, "IMGFMT");
}

std::string filter_win32(std::string text) {
    return replace_all(std::move(text), "\r", "");
}

std::string filter_qemu_io(std::string text) {
    text = filter_win32(std::move(text));
    std::string result;
    std::string_view rest = text;
    for (auto at = rest.find(" ops; "); at != std::string_view::npos; at = rest.find(" ops; ")) {
        const auto length = speed_at(rest.substr(at));
        auto begin = at;
        while (length && begin > 0 && digits.find(rest[begin - 1]) != std::string_view::npos) {
            --begin;
        }
        result.append(rest.substr(0, length ? begin : at + 1));
        if (length) {
            result.append("X ops; XX:XX:XX.X (XXX YYY/sec and XXX ops/sec)");
        }
        rest.remove_prefix(length ? at + *length : at + 1);
    }
    return result.append(rest);
}

std::string filter_chown(std::string_view text) {
    // Two runs of digits with a colon between them.
    std::string result;
    constexpr std::string_view prefix = "chown ";
    for (auto at = text.find(prefix); at != std::string_view::npos; at = text.find(prefix)) {
        const auto numbers = text.substr(at + prefix.size());
        const auto first = run_of(numbers, digits);
        const bool colon = first > 0 && first < numbers.size() && numbers[first] == ':';
        const auto second = colon ? run_of(numbers.substr(first + 1), digits) : 0;
        result.append(text.substr(0, at + prefix.size()));
        text.remove_prefix(at + prefix.size());
        if (second > 0) {
            result.append("UID:GID");
            text.remove_prefix(first + 1 + second);
        }
    }
    return result.append(text);
}

std::string filter_virtio_scsi(std::string text) {
    text = replace_all(std::move(text), "virtio-scsi-pci", "virtio-scsi");
    return replace_all(std::move(text), "virtio-scsi-ccw", "virtio-scsi");
}

std::string filter_generated_node_ids(std::string_view text) {
    return replace_after(text, "#block", digits, 1, "NODE_NAME", false);
}

std::string filter_nbd_exports(std::string_view text) {
    std::string result(text);
    for (const auto* kind : {"min block: ", "opt block: ", "max block: "}) {
        result = replace_after(result, kind, digits, 1, "XXX");
    }
    return result;
}

std::string filter_img_info(std::string_view output, const std::string& file_name, const Names& names) {
    std::vector<std::string> lines;
    for (auto& line : split(output, '\n')) {
        if (line.find("disk size") != std::string::npos || line.find("actual-size") != std::string::npos) {
            continue;
        }
        line = file_name.empty() ? line : replace_all(line, file_name, "TEST_IMG");
        line = filter_imgfmt(filter_testfiles(std::move(line), names), names);
        line = replace_after(line, "iters: ", digits, 1, "XXX");
        line = replace_after(line, "uuid: ", "-abcdef0123456789", 1, "XXXXXXXX-XXXX-XXXX-XXXX-XXXXXXXXXXXX");
        line = replace_after(line, "cid: ", digits, 1, "XXXXXXXXXX");
        for (const auto* compression : {"zlib", "zstd"}) {
            line = !names.compression ? line
                                      : replace_all(line, std::string("compression type: ") + compression,
                                                    "compression type: COMPRESSION_TYPE");
        }
        lines.push_back(std::move(line));
    }
    return join(lines, "\n");
}

}  // namespace vt::block

// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/assets/download.hpp"

#include "runner/assets/download_module/transfer.hpp"
#include "runner/guest_build/guest_libraries.hpp"
#include "runner/support/file.hpp"
#include "runner/support/install_dirs.hpp"
#include "runner/support/log.hpp"
#include "runner/support/strings.hpp"
#include "runner/support/unique_fd.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>

#include <dlfcn.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <nlohmann/json.hpp>
#include <sys/mman.h>

namespace vt::bootstrap {

namespace fs = std::filesystem;
using module::TransferBegin;
using module::TransferRequest;
using module::TransferResult;
using nlohmann::json;

namespace {

constexpr int max_fruitless = 3;  // attempts in a row that brought not a byte

module::TransferFunction* transfer_function() {
    static module::TransferFunction* const loaded = []() -> module::TransferFunction* {
        fs::path path = InstallDirs::find().libraries() / "libvtdownload.so";
        void* handle = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
        const void* entry = handle != nullptr ? ::dlsym(handle, "vt_transfer") : nullptr;
        if (entry == nullptr) {
            const char* words = ::dlerror();
            throw DownloadError(fmt::format("downloading needs {}, which cannot be loaded: {}", path.string(),
                                            words != nullptr ? words : "it has no entry"));
        }
        return *static_cast<module::TransferFunction* const*>(entry);
    }();
    return loaded;
}

/// What TARGET.part.json says of TARGET.part.
struct PartNote {
    std::string url;
    std::string validator;
    std::string checksum;  ///< that the whole file was to have

    static PartNote load(const fs::path& path) {
        PartNote note;
        try {
            json object = json::parse(read_file(path, std::size_t{1} << 16));
            note.url = object.value("url", "");
            note.validator = object.value("validator", "");
            note.checksum = object.value("checksum", "");
        } catch (const std::exception&) {
            return {};  // none, or half written: then the part is worth nothing
        }
        return note;
    }
    void save(const fs::path& path) const {
        write_file_atomically(
            path, json{{"url", url}, {"validator", validator}, {"checksum", checksum}}.dump() + "\n", 0600);
    }
};

/// Says each tenth of a download, or each 64 MiB of one of unknown size.
class Progress {
  public:
    explicit Progress(const DownloadRequest& request) : request_(request) {}

    void begin(std::uint64_t total, std::uint64_t from) {
        total_ = total;
        step_ = std::max<std::uint64_t>(total / 10, std::uint64_t{64} << 10);
        if (total == 0) {
            step_ = std::uint64_t{64} << 20;
        }
        next_ = total > 0 ? std::min(total, from + step_) : from + step_;
        std::string size = total == 0 ? "" : " of " + size_text(total);
        say(from == 0 ? fmt::format("Downloading {}{} from {}", request_.title, size, request_.url)
                      : fmt::format("Downloading {}{} from {}, going on after {}", request_.title, size,
                                    request_.url, size_text(from)));
    }

    void at(std::uint64_t done) {
        if (done < next_) {
            return;
        }
        next_ = (done / step_ + 1) * step_;
        if (total_ > done) {
            next_ = std::min(next_, total_);
        }
        say(total_ == 0
                ? fmt::format("{}: {}", request_.title, size_text(done))
                : fmt::format("{}: {} % of {}", request_.title, done * 100 / total_, size_text(total_)));
    }

  private:
    void say(const std::string& text) const {
        if (request_.say) {
            request_.say(text);
        }
    }

    const DownloadRequest& request_;
    std::uint64_t total_ = 0;
    std::uint64_t step_ = 1;
    std::uint64_t next_ = 0;
};

/// One download over as many attempts as it takes.
class Download {
  public:
    explicit Download(const DownloadRequest& request)
        : request_(request),
          part_(request.target.string() + ".part"),
          note_path_(part_.string() + ".json"),
          checksum_(request.checksum ? request.checksum->text() : ""),
          progress_(request) {}

    void run() {
        for (int fruitless = 0; fruitless < max_fruitless;) {
            std::uint64_t before = usable_bytes();
            TransferResult result = attempt(before);
            if (result.complete) {
                if (checked(before > 0)) {
                    finish();
                    return;
                }
                continue;  // from the beginning
            }
            last_error_ = result.error;
            if (!result.again) {
                break;
            }
            if (result.status == 416) {
                forget();  // the server has less than we do: that is another file
            }
            fruitless = size_of_part() > before ? 0 : fruitless + 1;
            log::debug("{}: {}; trying again", request_.url, result.error);
        }
        throw DownloadError(fmt::format("{} cannot be downloaded from {}: {}{}", request_.title, request_.url,
                                        last_error_,
                                        size_of_part() > 0 ? "; what came is kept, and the next vt-bootstrap "
                                                             "goes on from there"
                                                           : ""));
    }

  private:
    std::uint64_t size_of_part() const {
        std::error_code error;
        std::uint64_t size = fs::file_size(part_, error);
        return error ? 0 : size;
    }

    void forget() {
        fs::remove(part_);
        fs::remove(note_path_);
    }

    /// How much of an earlier attempt is of use; what is of none is removed.
    std::uint64_t usable_bytes() {
        PartNote note = PartNote::load(note_path_);
        // Something must tell whether the bytes belong together: the server's mark, or the checksum in the
        // end.
        bool vouched = !note.validator.empty() || (!checksum_.empty() && note.checksum == checksum_);
        if (note.url != request_.url || !vouched) {
            forget();
            return 0;
        }
        validator_ = note.validator;
        return size_of_part();
    }

    TransferResult attempt(std::uint64_t from) {
        UniqueFd file(::open(part_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644));
        if (!file) {
            throw SystemError("cannot write " + part_.string(), errno);
        }
        TransferRequest transfer;
        transfer.url = request_.url;
        transfer.file = file.get();
        transfer.from = from;
        transfer.validator = from > 0 ? validator_ : std::string();
        // Without a checksum, https is all that vouches for the content.
        transfer.only_secure = !request_.checksum && request_.url.starts_with("https:");
        transfer.stall_limit = request_.stall_limit;
        transfer.begin = [&](const TransferBegin& begin) {
            std::uint64_t had = begin.whole ? 0 : from;
            check_space(begin.total, had);
            PartNote{request_.url, begin.validator, checksum_}.save(note_path_);
            progress_.begin(begin.total, had);
        };
        transfer.progress = [&](std::uint64_t done) { progress_.at(done); };
        return transfer_function()(transfer);
    }

    void check_space(std::uint64_t total, std::uint64_t had) const {
        std::error_code error;
        fs::space_info space = fs::space(request_.target.parent_path(), error);
        if (!error && total > had && space.available < total - had) {
            throw DownloadError(fmt::format("{} needs {} below {}, where {} are free", request_.title,
                                            size_text(total - had), request_.target.parent_path().string(),
                                            size_text(space.available)));
        }
    }

    /// True if the part is what is wanted; false to begin anew, as bytes of two attempts may not fit
    /// together.
    bool checked(bool resumed) {
        if (!request_.checksum) {
            return true;
        }
        std::string digest = file_digest(request_.checksum->algorithm, part_);
        if (digest == request_.checksum->hex) {
            return true;
        }
        forget();
        if (!resumed) {
            throw DownloadError(fmt::format(
                "{} from {} is not what it should be: its {} is {}, wanted was {}", request_.title,
                request_.url, request_.checksum->algorithm, digest, request_.checksum->hex));
        }
        log::info("{}: the parts of two downloads do not fit together; downloading it anew", request_.title);
        return false;
    }

    void finish() {
        fs::rename(part_, request_.target);
        fs::remove(note_path_);
    }

    const DownloadRequest& request_;
    fs::path part_;
    fs::path note_path_;
    std::string checksum_;
    std::string validator_;
    std::string last_error_;
    Progress progress_;
};

bool is_hex(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isxdigit(c) != 0; });
}

/// The checksum and the name on one line of a checksum file.
struct ChecksumLine {
    Checksum checksum;
    std::string name;
};

std::optional<ChecksumLine> parse_checksum_line(std::string_view line) {
    std::vector<std::string> words = split_words(line);
    if (words.empty()) {
        return std::nullopt;
    }
    if (auto checksum = checksum_of(words.front())) {
        std::string name = words.size() > 1 ? words.back() : std::string();
        return ChecksumLine{*checksum, name.starts_with('*') ? name.substr(1) : name};
    }
    // SHA256 (NAME) = HEX
    auto checksum = checksum_of(words.back());
    if (checksum && words.size() >= 4 && words[1].size() > 2 && words[1].front() == '(' &&
        words[1].back() == ')') {
        return ChecksumLine{*checksum, words[1].substr(1, words[1].size() - 2)};
    }
    return std::nullopt;
}

}  // namespace

std::optional<Checksum> checksum_of(std::string_view hex) {
    const char* algorithm = hex.size() == 40    ? "sha1"
                            : hex.size() == 64  ? "sha256"
                            : hex.size() == 128 ? "sha512"
                                                : nullptr;
    if (algorithm == nullptr || !is_hex(hex)) {
        return std::nullopt;
    }
    std::string text(hex);
    std::transform(text.begin(), text.end(), text.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return Checksum{algorithm, text};
}

std::optional<Checksum> find_checksum(std::string_view text, std::string_view file_name) {
    std::vector<ChecksumLine> lines;
    for (const std::string& line : split(text, '\n')) {
        if (auto parsed = parse_checksum_line(line)) {
            if (fs::path(parsed->name).filename() == file_name) {
                return parsed->checksum;
            }
            lines.push_back(*parsed);
        }
    }
    return lines.size() == 1 ? std::optional(lines.front().checksum) : std::nullopt;
}

void download(const DownloadRequest& request) {
    fs::create_directories(request.target.parent_path());
    Download(request).run();
}

std::string download_text(const std::string& url, std::size_t limit, Seconds patience) {
    UniqueFd file(::memfd_create("download", MFD_CLOEXEC));
    if (!file) {
        throw SystemError("cannot make a file in memory", errno);
    }
    TransferRequest transfer;
    transfer.url = url;
    transfer.file = file.get();
    transfer.limit = limit;
    transfer.only_secure = url.starts_with("https:");
    transfer.connect_limit = patience;
    transfer.stall_limit = patience;
    TransferResult result;
    try {
        result = transfer_function()(transfer);
    } catch (const DownloadError&) {
        throw;
    } catch (const Error& error) {
        result.error = error.what();
    }
    if (!result.complete) {
        throw DownloadError(fmt::format("{} cannot be downloaded: {}", url, result.error));
    }
    return read_file(fmt::format("/proc/self/fd/{}", file.get()), limit);
}

std::string size_text(std::uint64_t bytes) {
    static constexpr std::array<const char*, 4> units = {"KiB", "MiB", "GiB", "TiB"};
    double value = static_cast<double>(bytes) / 1024;
    std::size_t unit = 0;
    while (value >= 1024 && unit + 1 < units.size()) {
        value /= 1024;
        ++unit;
    }
    return value < 10 && unit > 0 ? fmt::format("{:.1f} {}", value, units[unit])
                                  : fmt::format("{:.0f} {}", value, units[unit]);
}

}  // namespace vt::bootstrap

// SPDX-License-Identifier: GPL-2.0-or-later
#include "cfg/cache.hpp"

#include "cfg/errors.hpp"
#include "cfg/image.hpp"
#include "cfg/source.hpp"
#include "runner/support/file.hpp"
#include "runner/support/log.hpp"
#include "runner/support/unique_fd.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

#include <dlfcn.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace vt::cfg {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view suffix = ".vtcfg";
constexpr std::size_t most_entries = 64;
constexpr std::int64_t racy_window = 2'000'000'000;  ///< nanoseconds within which a time stamp may not change
constexpr char magic[8] = {'v', 't', 'c', 'f', 'g', '0', '0', '1'};

/// Begins an entry. What follows: the key, the blob, the arrays of the image, each at a multiple of eight
/// bytes.
struct EntryHeader {
    char magic[8] = {};
    std::uint64_t digest = 0;  ///< of everything after the header
    std::uint64_t size = 0;    ///< of the whole entry
    std::int64_t written = 0;  ///< when, in nanoseconds since the epoch
    std::uint64_t key_size = 0;
    std::uint64_t blob_size = 0;
    std::uint32_t used_symbols = 0;
    std::uint32_t top = 0;
};

std::size_t aligned(std::size_t size) {
    return (size + 7) / 8 * 8;
}

std::int64_t now() {
    const auto time = std::chrono::system_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::nanoseconds>(time).count();
}

/// The program or library that holds this code: another build may compile to something else.
std::string own_identity() {
    Dl_info info = {};
    if (::dladdr(reinterpret_cast<const void*>(&own_identity), &info) == 0 || info.dli_fname == nullptr) {
        return "unknown";
    }
    const auto identity = identify_file(info.dli_fname);
    const auto shown = identity.value_or(FileIdentity{});
    return fmt::format("{}/{}/{}/{}", shown.device, shown.inode, shown.size, shown.modified);
}

/// Everything that a compiled program depends on, but for the content of files.
std::string make_key(const std::vector<Input>& inputs, const Options& options) {
    std::error_code ignored;
    const char* home = std::getenv("HOME");
    std::string key = fmt::format("{}\n{}\n{}\n", own_identity(), fs::current_path(ignored).string(),
                                  home != nullptr ? home : "");
    const auto add = [&key](std::string_view text) { key += fmt::format("{}:{}\n", text.size(), text); };
    key += fmt::format("{}{}\n", options.defaults ? 1 : 0, options.keep_suffixes ? 1 : 0);
    for (const std::string& name : options.expand_defaults) {
        add(name);
    }
    const Limits& limits = options.limits;
    key += fmt::format("{}/{}/{}/{}/{}/{}/{}/{}/{}/{}\n", limits.include_depth, limits.nesting_depth,
                       limits.line_length, limits.total_bytes, limits.statements, limits.value_length,
                       limits.dictionary_bytes, limits.join_depth, limits.regex_match_limit,
                       limits.fruitless_nodes);
    for (const Input& input : inputs) {
        key += fmt::format("{} ", static_cast<int>(input.kind));
        add(input.text);
        add(input.value);
    }
    return key;
}

/// A file mapped for reading.
class Mapping {
  public:
    Mapping(int fd, std::size_t size) : size_(size) {
        void* address = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
        if (address != MAP_FAILED) {
            data_ = static_cast<const char*>(address);
        }
    }
    ~Mapping() {
        if (data_ != nullptr) {
            ::munmap(const_cast<char*>(data_), size_);
        }
    }
    Mapping(const Mapping&) = delete;
    Mapping& operator=(const Mapping&) = delete;

    explicit operator bool() const noexcept { return data_ != nullptr; }
    std::string_view bytes() const noexcept { return {data_, size_}; }

  private:
    const char* data_ = nullptr;
    std::size_t size_ = 0;
};

/// Why an entry is not used; for the log.
struct Unusable {
    std::string reason;
};

/// Takes pieces off the front of an entry.
class Cutter {
  public:
    explicit Cutter(std::string_view bytes) : bytes_(bytes) {}

    std::string_view take(std::size_t size) {
        if (size > bytes_.size() || aligned(size) > bytes_.size()) {
            throw Unusable{"it is too short"};
        }
        const std::string_view piece = bytes_.substr(0, size);
        bytes_.remove_prefix(aligned(size));
        return piece;
    }

    template <typename Item>
    std::span<const Item> take_array() {
        std::uint64_t count = 0;
        std::memcpy(&count, take(sizeof count).data(), sizeof count);
        if (count > bytes_.size() / sizeof(Item)) {
            throw Unusable{"it is too short"};
        }
        return {reinterpret_cast<const Item*>(take(count * sizeof(Item)).data()), count};
    }

  private:
    std::string_view bytes_;
};

void append_aligned(std::string& out, const void* data, std::size_t size) {
    out.append(static_cast<const char*>(data), size);
    out.append(aligned(size) - size, '\0');
}

std::string serialize(const Image& image, const std::string& key) {
    std::string out(sizeof(EntryHeader), '\0');
    append_aligned(out, key.data(), key.size());
    append_aligned(out, image.blob.data(), image.blob.size());
    Image::for_each_array(image, [&out](const auto& array) {
        const std::uint64_t count = array.size();
        append_aligned(out, &count, sizeof count);
        append_aligned(out, array.data(), array.size_bytes());
    });
    EntryHeader header;
    std::copy(std::begin(magic), std::end(magic), header.magic);
    header.digest = digest_of(std::string_view(out).substr(sizeof header));
    header.size = out.size();
    header.written = now();
    header.key_size = key.size();
    header.blob_size = image.blob.size();
    header.used_symbols = image.used_symbols;
    header.top = image.top;
    std::memcpy(out.data(), &header, sizeof header);
    return out;
}

/// Throws Unusable if a file is not what it was when the entry was written.
void check_file(const Image& image, const File& file, std::int64_t written) {
    if (file.identity.inode == 0) {
        return;
    }
    const std::string path(image.text(file.path));
    auto current = identify_file(path);
    if (!current) {
        throw Unusable{path + " is gone"};
    }
    current->digest = file.identity.digest;
    if (*current != file.identity) {
        throw Unusable{path + " has changed"};
    }
    if (std::max(current->modified, current->changed) > written - racy_window &&
        digest_of(read_source_file(path, current->size + 1).text) != file.identity.digest) {
        throw Unusable{path + " has changed, though its time has not"};
    }
}

std::shared_ptr<const Image> read_entry(const fs::path& path, const std::string& key) {
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    struct stat status = {};
    if (fd.get() < 0 || ::fstat(fd.get(), &status) != 0) {
        if (errno == ENOENT) {
            return nullptr;
        }
        throw Unusable{errno_text(errno)};
    }
    if (!S_ISREG(status.st_mode) || status.st_uid != ::geteuid() || (status.st_mode & 022U) != 0) {
        throw Unusable{"it is not a private file of this user"};
    }
    const auto size = static_cast<std::size_t>(status.st_size);
    EntryHeader header;
    if (size < sizeof header) {
        throw Unusable{"it is too short"};
    }
    const auto mapping = std::make_shared<Mapping>(fd.get(), size);
    if (!*mapping) {
        throw Unusable{errno_text(errno)};
    }
    std::memcpy(&header, mapping->bytes().data(), sizeof header);
    if (!std::equal(std::begin(magic), std::end(magic), header.magic) || header.size != size ||
        header.digest != digest_of(mapping->bytes().substr(sizeof header))) {
        throw Unusable{"it is damaged"};
    }
    Cutter cutter(mapping->bytes().substr(sizeof header));
    if (cutter.take(header.key_size) != key) {
        throw Unusable{"it belongs to other inputs"};
    }
    auto image = std::make_shared<Image>();
    image->blob = cutter.take(header.blob_size);
    Image::for_each_array(*image, [&cutter](auto& array) {
        array = cutter.take_array<typename std::decay_t<decltype(array)>::value_type>();
    });
    image->used_symbols = header.used_symbols;
    image->top = header.top;
    image->storage = mapping;
    for (const File& file : image->files) {
        check_file(*image, file, header.written);
    }
    return image;
}

/// Whether the directory is there, private and ours.
bool prepare_directory(const fs::path& directory) {
    try {
        make_private_directory(directory);
    } catch (const Error& error) {
        log::warning("configurations are not cached: {}", error.what());
        return false;
    }
    struct stat status = {};
    if (::lstat(directory.c_str(), &status) != 0 || !S_ISDIR(status.st_mode) ||
        status.st_uid != ::geteuid() || (status.st_mode & 077U) != 0) {
        log::warning("configurations are not cached: {} is not a private directory (mode 0700) of this user",
                     directory.string());
        return false;
    }
    return true;
}

/// Removes the oldest entries beyond the number that is kept.
void prune(const fs::path& directory) {
    std::error_code error;
    std::vector<std::pair<fs::file_time_type, fs::path>> entries;
    for (const auto& entry : fs::directory_iterator(directory, error)) {
        if (entry.path().extension() == suffix) {
            std::error_code gone;
            entries.emplace_back(entry.last_write_time(gone), entry.path());
        }
    }
    if (entries.size() <= most_entries) {
        return;
    }
    std::sort(entries.begin(), entries.end());
    for (std::size_t i = 0; i + most_entries < entries.size(); ++i) {
        fs::remove(entries[i].second, error);
    }
}

}  // namespace

Program load(const std::vector<Input>& inputs, const Options& options,
             const std::optional<fs::path>& directory) {
    if (!directory || !prepare_directory(*directory)) {
        return parse(inputs, options);
    }
    const std::string key = make_key(inputs, options);
    const fs::path path =
        *directory / fmt::format("{:016x}{:016x}{}", digest_of(key), digest_of(key + "+"), suffix);
    try {
        if (auto image = read_entry(path, key)) {
            return Program(std::move(image));
        }
    } catch (const Unusable& unusable) {
        log::info("the compiled configuration {} is not used: {}", path.string(), unusable.reason);
    } catch (const Error& error) {
        log::info("the compiled configuration {} is not used: {}", path.string(), error.what());
    }
    Program program = parse(inputs, options);
    try {
        write_file_atomically(path, serialize(program.image(), key), 0600);
        prune(*directory);
    } catch (const Error& error) {
        log::warning("the compiled configuration is not kept: {}", error.what());
    }
    return program;
}

}  // namespace vt::cfg

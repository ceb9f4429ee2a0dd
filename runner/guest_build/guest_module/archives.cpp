// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/guest_build/guest_image.hpp"
#include "runner/guest_build/guest_module/libraries.hpp"
#include "runner/support/file.hpp"
#include "runner/support/unique_fd.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

namespace vt::bootstrap::module {
namespace {

namespace fs = std::filesystem;

struct ReadFree {
    void operator()(archive* a) const { archive_read_free(a); }
};
struct WriteFree {
    void operator()(archive* a) const { archive_write_free(a); }
};
struct EntryFree {
    void operator()(archive_entry* e) const { archive_entry_free(e); }
};
using Reader = std::unique_ptr<archive, ReadFree>;
using Writer = std::unique_ptr<archive, WriteFree>;
using Entry = std::unique_ptr<archive_entry, EntryFree>;

/// Throws unless \p code is a success; a warning (a wrong time stamp, say) is one.
void check(archive* a, int code, std::string_view what) {
    if (code < ARCHIVE_WARN) {
        const char* text = archive_error_string(a);
        throw GuestImageError(fmt::format("cannot {}: {}", what, text != nullptr ? text : "unknown error"));
    }
}

std::string read_data(archive* a, std::size_t limit, std::string_view what) {
    std::string data;
    std::vector<char> buffer(std::size_t{1} << 18);
    for (;;) {
        const auto count = archive_read_data(a, buffer.data(), buffer.size());
        if (count == 0) {
            return data;
        }
        check(a, static_cast<int>(std::min<la_ssize_t>(count, 0)), what);
        if (data.size() + static_cast<std::size_t>(count) > limit) {
            throw GuestImageError(fmt::format("cannot {}: it has more than {} bytes", what, limit));
        }
        data.append(buffer.data(), static_cast<std::size_t>(count));
    }
}

/// The data.tar member of the package in \p deb, compressed as it is.
std::string data_member(const fs::path& deb) {
    const auto what = fmt::format("read the package {}", deb.string());
    Reader reader(archive_read_new());
    archive_read_support_format_ar(reader.get());
    check(reader.get(), archive_read_open_filename(reader.get(), deb.c_str(), 1 << 18), what);
    archive_entry* entry = nullptr;
    for (;;) {
        const int code = archive_read_next_header(reader.get(), &entry);
        if (code == ARCHIVE_EOF) {
            throw GuestImageError(fmt::format("cannot {}: it has no data.tar", what));
        }
        check(reader.get(), code, what);
        const char* name = archive_entry_pathname(entry);
        if (name != nullptr && std::string_view(name).starts_with("data.tar")) {
            return read_data(reader.get(), std::size_t{1} << 30, what);
        }
    }
}

std::string without_dot(const char* path) {
    std::string_view name = path != nullptr ? path : "";
    while (name.starts_with("./")) {
        name.remove_prefix(2);
    }
    return std::string(name == "." ? "" : name);
}

bool leads_out(const std::string& path) {
    return path.starts_with("/") || ("/" + path + "/").find("/../") != std::string::npos;
}

/// Points the entry at its place below \p target; false to leave it out.
bool place_entry(archive_entry* entry, const fs::path& target, const PathMap& map) {
    const auto name = without_dot(archive_entry_pathname(entry));
    if (leads_out(name)) {
        throw GuestImageError(fmt::format("a package holds the path {}, which leads out of it", name));
    }
    const auto mapped = name.empty() ? std::nullopt : map(name);
    if (!mapped) {
        return false;
    }
    archive_entry_set_pathname(entry, (target / *mapped).c_str());
    if (const char* link = archive_entry_hardlink(entry); link != nullptr) {
        const auto linked = without_dot(link);
        const auto place = leads_out(linked) ? std::nullopt : map(linked);
        if (!place) {
            return false;
        }
        archive_entry_set_hardlink(entry, (target / *place).c_str());
    }
    // Nobody needs set-uid bits here, and the tree must stay removable by who builds it.
    const auto mode = archive_entry_perm(entry) & 0777;
    archive_entry_set_perm(entry, archive_entry_filetype(entry) == AE_IFDIR ? mode | 0700 : mode | 0400);
    return true;
}

void copy_entry_data(archive* from, archive* to, const std::string& what) {
    for (;;) {
        const void* block = nullptr;
        std::size_t size = 0;
        la_int64_t offset = 0;
        const int code = archive_read_data_block(from, &block, &size, &offset);
        if (code == ARCHIVE_EOF) {
            return;
        }
        check(from, code, what);
        check(to,
              static_cast<int>(std::min<la_ssize_t>(archive_write_data_block(to, block, size, offset), 0)),
              what);
    }
}

/// What an archive may hold at most; 0: whatever it says.
struct UnpackLimits {
    std::size_t files = 0;
    std::size_t bytes = 0;
};

/// Unpacks the entries that \p map has a place for.
void unpack(archive* reader, const fs::path& target, const PathMap& map, UnpackLimits limits,
            const std::string& what) {
    Writer writer(archive_write_disk_new());
    archive_write_disk_set_options(writer.get(), ARCHIVE_EXTRACT_PERM | ARCHIVE_EXTRACT_UNLINK |
                                                     ARCHIVE_EXTRACT_SECURE_NODOTDOT |
                                                     ARCHIVE_EXTRACT_SECURE_SYMLINKS);
    // The check for links looks at every component, the target's own included.
    const auto place = fs::canonical(target);
    std::size_t files = 0;
    std::size_t bytes = 0;
    archive_entry* entry = nullptr;
    for (;;) {
        const int code = archive_read_next_header(reader, &entry);
        if (code == ARCHIVE_EOF) {
            return;
        }
        check(reader, code, what);
        if (!place_entry(entry, place, map)) {
            continue;
        }
        bytes += static_cast<std::size_t>(std::max<la_int64_t>(archive_entry_size(entry), 0));
        if ((limits.files != 0 && ++files > limits.files) || (limits.bytes != 0 && bytes > limits.bytes)) {
            throw GuestImageError(fmt::format("cannot {}: it has more than {} files or {} bytes", what,
                                              limits.files, limits.bytes));
        }
        check(writer.get(), archive_write_header(writer.get(), entry), what);
        if (archive_entry_size(entry) > 0) {
            copy_entry_data(reader, writer.get(), what);
        }
        check(writer.get(), archive_write_finish_entry(writer.get()), what);
    }
}

/// The rest of the present entry to \p file, without the blocks that are all zeros.
void write_sparsely(archive* reader, int file, const fs::path& name, const std::string& what) {
    constexpr std::size_t block = std::size_t{1} << 16;
    std::vector<char> buffer(block);
    off_t offset = 0;
    for (;;) {
        std::size_t filled = 0;
        while (filled < block) {
            const auto count = archive_read_data(reader, buffer.data() + filled, block - filled);
            check(reader, static_cast<int>(std::min<la_ssize_t>(count, 0)), what);
            if (count == 0) {
                break;
            }
            filled += static_cast<std::size_t>(count);
        }
        if (filled == 0) {
            break;
        }
        const bool zeros = std::all_of(buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(filled),
                                       [](char c) { return c == 0; });
        for (std::size_t done = 0; !zeros && done < filled;) {
            const auto count =
                ::pwrite(file, buffer.data() + done, filled - done, offset + static_cast<off_t>(done));
            if (count < 0 && errno != EINTR) {
                throw SystemError("cannot write " + name.string(), errno);
            }
            done += static_cast<std::size_t>(std::max<ssize_t>(count, 0));
        }
        offset += static_cast<off_t>(filled);
    }
    if (::ftruncate(file, offset) != 0) {
        throw SystemError("cannot write " + name.string(), errno);
    }
}

struct TreeItem {
    std::string path;  ///< below the root
    struct stat status {};
};

std::vector<TreeItem> sorted_tree(const fs::path& root) {
    std::vector<TreeItem> items;
    for (const auto& entry : fs::recursive_directory_iterator(root)) {
        TreeItem item{entry.path().lexically_relative(root).string(), {}};
        if (::lstat(entry.path().c_str(), &item.status) != 0) {
            throw SystemError("cannot look at " + entry.path().string(), errno);
        }
        items.push_back(std::move(item));
    }
    std::sort(items.begin(), items.end(), [](const auto& a, const auto& b) { return a.path < b.path; });
    return items;
}

Entry cpio_entry(const std::string& path, unsigned type, unsigned permissions) {
    Entry entry(archive_entry_new());
    archive_entry_set_pathname(entry.get(), path.c_str());
    archive_entry_set_filetype(entry.get(), type);
    archive_entry_set_perm(entry.get(), permissions);
    archive_entry_set_mtime(entry.get(), 0, 0);
    archive_entry_set_size(entry.get(), 0);
    archive_entry_set_nlink(entry.get(), 1);
    return entry;
}

}  // namespace

std::string decompress(std::string_view data, std::size_t limit) {
    Reader reader(archive_read_new());
    archive_read_support_filter_all(reader.get());
    archive_read_support_format_raw(reader.get());
    const std::string what = "decompress a stream";
    check(reader.get(), archive_read_open_memory(reader.get(), data.data(), data.size()), what);
    archive_entry* entry = nullptr;
    check(reader.get(), archive_read_next_header(reader.get(), &entry), what);
    // One filter is the "none" that is always there.
    if (archive_filter_count(reader.get()) < 2) {
        throw GuestImageError("cannot decompress a stream: its format is not known");
    }
    return read_data(reader.get(), limit, what);
}

std::string lz4_blocks(std::string_view data) {
    Writer writer(archive_write_new());
    const std::string what = "compress with LZ4";
    check(writer.get(), archive_write_set_format_raw(writer.get()), what);
    check(writer.get(), archive_write_add_filter_lz4(writer.get()), what);
    check(writer.get(),
          archive_write_set_options(writer.get(),
                                    "lz4:compression-level=9,lz4:block-size=7,lz4:!stream-checksum"),
          what);
    std::string frame;
    const auto append = [](archive*, void* to, const void* bytes, std::size_t size) -> la_ssize_t {
        static_cast<std::string*>(to)->append(static_cast<const char*>(bytes), size);
        return static_cast<la_ssize_t>(size);
    };
    archive_write_set_bytes_in_last_block(writer.get(), 1);
    check(writer.get(), archive_write_open(writer.get(), &frame, nullptr, append, nullptr), what);
    const auto entry = cpio_entry("data", AE_IFREG, 0644);
    check(writer.get(), archive_write_header(writer.get(), entry.get()), what);
    if (archive_write_data(writer.get(), data.data(), data.size()) < 0) {
        check(writer.get(), ARCHIVE_FATAL, what);
    }
    check(writer.get(), archive_write_close(writer.get()), what);
    // Frame header: magic, flags, block descriptor, 8 bytes of content size if flag 3 is set, header
    // checksum.
    if (frame.size() < 15 || frame.compare(0, 4, "\x04\x22\x4d\x18") != 0 || (frame[4] & 0x10) != 0) {
        throw GuestImageError("cannot compress with LZ4: libarchive wrote an unexpected frame");
    }
    return frame.substr((frame[4] & 0x08) != 0 ? 15 : 7);
}

void unpack_deb(const fs::path& deb, const fs::path& target, const PathMap& map) {
    const auto member = data_member(deb);
    const auto what = fmt::format("unpack {}", deb.string());
    Reader reader(archive_read_new());
    archive_read_support_filter_all(reader.get());
    archive_read_support_format_tar(reader.get());
    check(reader.get(), archive_read_open_memory(reader.get(), member.data(), member.size()), what);
    unpack(reader.get(), target, map, {}, what);
}

void unpack_zip(const fs::path& zip, const fs::path& target, const PathMap& map) {
    const auto what = fmt::format("unpack {}", zip.string());
    Reader reader(archive_read_new());
    archive_read_support_format_zip(reader.get());
    check(reader.get(), archive_read_open_filename(reader.get(), zip.c_str(), 1 << 18), what);
    unpack(reader.get(), target, map, {20000, std::size_t{256} << 20}, what);
}

void decompress_file(const fs::path& archive_path, const fs::path& target) {
    const auto what = fmt::format("decompress {}", archive_path.string());
    Reader reader(archive_read_new());
    archive_read_support_filter_all(reader.get());
    archive_read_support_format_7zip(reader.get());
    archive_read_support_format_raw(reader.get());
    check(reader.get(), archive_read_open_filename(reader.get(), archive_path.c_str(), 1 << 18), what);
    archive_entry* entry = nullptr;
    check(reader.get(), archive_read_next_header(reader.get(), &entry), what);
    const bool raw = archive_format(reader.get()) == ARCHIVE_FORMAT_RAW;
    if (raw && archive_filter_count(reader.get()) < 2) {
        throw GuestImageError(
            fmt::format("cannot {}: its format is none of gz, xz, bz2, zst, lz4, 7z", what));
    }
    while (!raw && archive_entry_filetype(entry) != AE_IFREG) {
        check(reader.get(), archive_read_next_header(reader.get(), &entry), what);
    }
    const UniqueFd file(::open(target.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    if (!file) {
        throw SystemError("cannot write " + target.string(), errno);
    }
    write_sparsely(reader.get(), file.get(), target, what);
}

void write_initramfs(const fs::path& root, const std::vector<DeviceNode>& devices, const fs::path& file) {
    const auto what = fmt::format("write {}", file.string());
    Writer writer(archive_write_new());
    check(writer.get(), archive_write_set_format_cpio_newc(writer.get()), what);
    check(writer.get(), archive_write_open_filename(writer.get(), file.c_str()), what);
    for (const auto& item : sorted_tree(root)) {
        const auto path = root / item.path;
        auto entry = cpio_entry(item.path, item.status.st_mode & S_IFMT, item.status.st_mode & 07777);
        std::string content;
        if (S_ISLNK(item.status.st_mode)) {
            archive_entry_set_symlink(entry.get(), fs::read_symlink(path).c_str());
        } else if (S_ISREG(item.status.st_mode)) {
            content = read_file(path);
            archive_entry_set_size(entry.get(), static_cast<la_int64_t>(content.size()));
        }
        check(writer.get(), archive_write_header(writer.get(), entry.get()), what);
        if (!content.empty() && archive_write_data(writer.get(), content.data(), content.size()) < 0) {
            check(writer.get(), ARCHIVE_FATAL, what);
        }
    }
    for (const auto& device : devices) {
        const auto entry = cpio_entry(device.path, AE_IFCHR, 0600);
        archive_entry_set_rdevmajor(entry.get(), device.major);
        archive_entry_set_rdevminor(entry.get(), device.minor);
        check(writer.get(), archive_write_header(writer.get(), entry.get()), what);
    }
    check(writer.get(), archive_write_close(writer.get()), what);
}

}  // namespace vt::bootstrap::module

// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/storage/image.hpp"

#include "runner/process/process.hpp"
#include "runner/storage/copy_file.hpp"
#include "runner/support/file.hpp"
#include "runner/support/log.hpp"
#include "runner/support/runtime_dirs.hpp"
#include "runner/support/scratch.hpp"
#include "runner/support/strings.hpp"
#include "runner/support/unique_fd.hpp"

#include <algorithm>
#include <iterator>
#include <random>

#include <fcntl.h>
#include <fmt/core.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>
#include <unistd.h>

namespace vt {

namespace fs = std::filesystem;

namespace {

/// qemu-img's sentence without its own name before it. It may have hundreds of lines to say on a damaged
/// image: the first ones make the reason, the log has them all.
std::string words_of(const process::Completed& done) {
    constexpr std::size_t few = 3;
    auto text = std::string(trim(done.err.empty() ? done.out : done.err));
    if (const std::string prefix = "qemu-img: "; text.starts_with(prefix)) {
        text.erase(0, prefix.size());
    }
    if (text.empty()) {
        return done.status.text();
    }
    auto lines = split(text, '\n');
    std::erase_if(lines, [](const std::string& line) { return trim(line).empty(); });
    if (lines.size() <= few) {
        return join(lines, " ");
    }
    log::info("qemu-img said:\n{}", to_valid_utf8(text));
    const auto more = lines.size() - few;
    lines.resize(few);
    return fmt::format("{} (and {} lines more)", join(lines, " "), more);
}

process::Completed run_qemu_img(const Params& params, std::vector<std::string> arguments,
                                const Deadline& deadline) {
    process::Command command;
    command.argv = {Image::qemu_img(params)};
    command.argv.insert(command.argv.end(), std::make_move_iterator(arguments.begin()),
                        std::make_move_iterator(arguments.end()));
    return process::run(command, deadline);
}

/// Secrets as files that only we can read, for as long as qemu-img needs them.
class SecretsFor {
  public:
    explicit SecretsFor(const ImageRef& image) {
        const auto secrets = image.all_secrets();
        if (secrets.empty()) {
            return;
        }
        dir_.emplace(RuntimeDirs::make().journal(), "secrets-");
        for (const auto& secret : secrets) {
            write_secret(secret, dir_->path());
        }
    }
    /// Arguments that name them.
    std::vector<std::string> objects(const ImageRef& image) const {
        return qemu_img_objects(image, dir_ ? dir_->path() : fs::path());
    }

  private:
    std::optional<ScratchDirectory> dir_;
};

/// Runs qemu-img with \p words on \p image, which it is to open.
process::Completed ask_qemu_img(const Params& params, const ImageRef& image, std::vector<std::string> words,
                                const Deadline& deadline) {
    const SecretsFor secrets(image);
    for (auto& word : secrets.objects(image)) {
        words.push_back(std::move(word));
    }
    if (image.plain()) {
        words.insert(words.end(), {"-f", image.format, image.file.native()});
    } else {
        words.insert(words.end(), {"--image-opts", image_opts(image)});
    }
    return run_qemu_img(params, std::move(words), deadline);
}

/// qemu-img check ends with 1, too, if it cannot even open the image as what it should be.
bool sees_no_image(const process::Completed& done) {
    return done.err.find("Could not open") != std::string::npos;
}

std::string random_suffix() {
    static constexpr std::string_view letters =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    std::random_device device;
    std::string suffix;
    for (int i = 0; i < 4; ++i) {
        suffix += letters[device() % letters.size()];
    }
    return suffix;
}

/// `-o` options of qemu-img create for the image's parameters.
std::string create_options(const Params& params, const ImageRef& image) {
    const auto& format = image.format;
    std::string options;
    const auto add = [&](std::string_view name, std::string_view key) {
        if (const auto value = params.get(key); !value.empty()) {
            options +=
                fmt::format("{}{}={}", options.empty() ? "" : ",", name, replace_all(value, ",", ",,"));
        }
    };
    if (const auto preallocation = params.get("preallocated");
        !preallocation.empty() && preallocation != "no") {
        add("preallocation", "preallocated");
    }
    if (const auto cluster = params.get("image_cluster_size"); !cluster.empty() && cluster != "0") {
        add("cluster_size", "image_cluster_size");
    }
    if (format == "qcow2") {
        add("compat", "qcow2_compatible");
    }
    add("extent_size_hint", "image_extent_size_hint");
    const auto append = [&](std::string_view name, const std::string& value) {
        options += fmt::format("{}{}={}", options.empty() ? "" : ",", name, replace_all(value, ",", ",,"));
    };
    if (image.encryption) {
        const std::string prefix = format == "luks" ? "" : "encrypt.";
        if (format != "luks") {
            append("encrypt.format", "luks");
        }
        append(prefix + "key-secret", image.encryption->key.id);
        for (const auto& [name, value] : image.encryption->options) {
            append(prefix + name, value);
        }
    }
    if (!image.data_file.empty()) {
        append("data_file", fs::absolute(image.data_file).native());
        append("data_file_raw", image.data_file_raw ? "on" : "off");
    }
    if (auto extra = params.get("image_extra_params"); !extra.empty()) {
        options += (options.empty() ? "" : ",") + extra;  // documented as options of qemu-img, as written
    }
    return options;
}

/// Whether \p path, which has a `..`, ends outside of \p base, as it is written or by links.
bool climbs_out_of(const fs::path& base, const fs::path& path) {
    if (std::none_of(path.begin(), path.end(), [](const fs::path& part) { return part == ".."; })) {
        return false;
    }
    const auto is_below = [](const fs::path& dir, const fs::path& what) {
        const auto relative = what.lexically_relative(dir);
        return !relative.empty() && *relative.begin() != "..";
    };
    std::error_code error;
    const auto full = fs::absolute(base / path);
    return !is_below(fs::absolute(base).lexically_normal(), full.lexically_normal()) ||
           !is_below(fs::weakly_canonical(base, error), fs::weakly_canonical(full, error));
}

}  // namespace

ImageMissingError::ImageMissingError(const std::string& path, const std::string& image)
    : Error(fmt::format(
          "the file {} of image {} is missing; put it there, let \"avocado vt-bootstrap\" make or download "
          "it, or set create_image_{} = yes to have an empty one made",
          path, image, image)) {}

Image Image::from_params(const Params& params, const std::string& name, const fs::path& data_dir) {
    Image image;
    image.params_ = params;
    image.name_ = name;
    image.ref_ = ImageRef::from_params(params, name, data_dir);
    image.raw_device_ = image.ref_.raw_device;
    image.format_ = image.ref_.format;
    const fs::path base = params.get("images_base_dir", data_dir.native());
    const auto file = image.ref_.local() ? params.at("image_name") : std::string();
    image.path_ = image.ref_.text();
    image.size_ = params.get("image_size");
    image.backup_dir_ = base / params.get("backup_dir");
    image.climbs_out_ = climbs_out_of(base, file) || climbs_out_of(base, params.get("backup_dir"));
    return image;
}

fs::path Image::backup_path() const {
    return backup_dir_ / (path_.filename().native() + ".backup");
}

fs::path Image::backup_of_data() const {
    return backup_dir_ / (ref_.data_file.filename().native() + ".backup");
}

bool Image::exists() const {
    if (remote()) {
        return ask_qemu_img(params_, ref_, {"info"}, Deadline::after(Seconds{60})).status.ok();
    }
    std::error_code error;
    return fs::exists(path_, error);
}

bool Image::in_use() const {
    if (remote()) {
        return false;  // its server knows, and refuses
    }
    const UniqueFd fd(::open(path_.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd) {
        return false;
    }
    // QEMU (block/file-posix.c) marks what it does with a file by read locks on bytes from 100 on: 101 is
    // "writes".
    struct flock lock {};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    lock.l_start = 101;
    lock.l_len = 1;
    return ::fcntl(fd.get(), F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

void Image::require() const {
    if (!exists()) {
        throw ImageMissingError(path_, name_);
    }
}

ImageInfo Image::info(bool shared) const {
    require();
    std::vector<std::string> arguments = {"info", "--output=json"};
    if (shared) {
        arguments.emplace_back("-U");
    }
    const auto done = ask_qemu_img(params_, ref_, std::move(arguments), Deadline::after(Seconds{60}));
    if (!done.status.ok()) {
        throw ImageCorruptError(fmt::format(
            "the file {} of image {} is no usable {} image: {}; restore it from a backup or make it anew",
            path_.native(), name_, format_, words_of(done)));
    }
    const auto json = nlohmann::json::parse(done.out, nullptr, false);
    if (!json.is_object()) {
        throw ImageError(
            fmt::format("qemu-img info says of {} what is not JSON: {}", path_.native(), trim(done.out)));
    }
    ImageInfo info;
    info.format = json.value("format", format_);
    info.virtual_size = json.value("virtual-size", std::uint64_t{0});
    info.actual_size = json.value("actual-size", std::uint64_t{0});
    if (json.contains("full-backing-filename") && json["full-backing-filename"].is_string()) {
        info.backing_file = json["full-backing-filename"].get<std::string>();
    }
    return info;
}

namespace {

/// The directory that \p image's name was read from.
fs::path base_of(const Image& image, const Params& params) {
    fs::path base = image.path();
    for (const auto& part : fs::path(params.get("image_name"))) {
        base = part == "/" ? base : base.parent_path();
    }
    return base;
}

/// The image that \p image lies over by `image_chain`, which goes from the lowest one up.
std::optional<Image> image_below(const Image& image, const Params& params) {
    const auto chain = params.objects("image_chain");
    const auto own = std::find(chain.begin(), chain.end(), image.name());
    if (own == chain.end() || own == chain.begin()) {
        return std::nullopt;
    }
    const auto& name = *std::prev(own);
    const Params view = params.object_params(name);
    // Relative names start where the image's own does.
    const auto below = Image::from_params(view, name, base_of(image, params));
    if (below.path() == image.path()) {
        throw BadParam(
            "image_chain", params.get("image_chain"),
            fmt::format("images of different files, but {0} and {1} are both {2}; set image_name_{0}", name,
                        image.name(), image.path().native()));
    }
    return below;
}

}  // namespace

void Image::create(const Deadline& deadline) const {
    std::error_code error;
    if (!remote()) {
        fs::create_directories(path_.parent_path(), error);
    }
    if (!ref_.data_file.empty()) {
        fs::create_directories(ref_.data_file.parent_path(), error);
    }
    const SecretsFor secrets(ref_);
    std::vector<std::string> arguments = {"create", "-f", format_};
    for (auto& word : secrets.objects(ref_)) {
        arguments.push_back(std::move(word));
    }
    if (const auto options = create_options(params_, ref_); !options.empty()) {
        arguments.insert(arguments.end(), {"-o", options});
    }
    if (const auto base = params_.get("base_image"); !base.empty()) {
        throw ImageError(
            fmt::format("image {} has base_image = {}, which is not supported; name both in image_chain, the "
                        "lower one first",
                        name_, base));
    }
    const auto below = image_below(*this, params_);
    if (below) {
        if (!below->exists()) {
            throw ImageError(
                fmt::format("image {} cannot be created: {}, which is below it in image_chain, is not there",
                            name_, below->path().native()));
        }
        arguments.insert(arguments.end(), {"-b", backing_name(below->ref()), "-F", below->format()});
    }
    // An image that failed half-way must not look like one: it gets its name when it is whole.
    std::optional<ScratchFile> part;
    if (!raw_device_ && !remote()) {
        part.emplace(RuntimeDirs::make().journal(), path_.native() + ".part");
    }
    arguments.push_back(part ? part->path() : path_);
    if (size_.empty() && !below) {
        throw ImageError(fmt::format("image {} cannot be created without image_size", name_));
    }
    if (!size_.empty()) {
        arguments.push_back(size_);
    }
    const auto done = run_qemu_img(params_, std::move(arguments), deadline);
    if (!done.status.ok()) {
        throw ImageError(fmt::format("image {} could not be created as {} ({}, {}): {}", name_,
                                     path_.native(), format_, size_, words_of(done)));
    }
    if (part) {
        part->move_to(path_);
    }
    log::info("Created image {} ({}, {})", path_.native(), format_, size_);
}

void Image::check(const Deadline& deadline, bool running) const {
    require();
    if (format_ != "qcow2" && format_ != "qed") {
        log::debug("Format {} of image {} cannot be checked", format_, name_);
        return;
    }
    std::vector<std::string> arguments = {"check"};
    if (running) {
        arguments.emplace_back("-U");
    }
    const auto done = ask_qemu_img(params_, ref_, std::move(arguments), deadline);
    // qemu-img: 0 clean, 1 could not check, 2 corrupt, 3 leaked clusters, 63 the format cannot be checked.
    if (done.status.ok()) {
        return;
    }
    if (done.status.signal == 0 && done.status.code == 63) {
        log::debug("Format {} of image {} cannot be checked", format_, name_);
        return;
    }
    if (done.status.signal == 0 && done.status.code == 3) {
        if (params_.get("skip_cluster_leak_warn") == "yes") {
            return;
        }
        throw ImageError(
            fmt::format("qemu-img check finds leaked clusters in image {} ({}), which waste space but harm "
                        "no data: {}; set "
                        "skip_cluster_leak_warn = yes to bear them",
                        name_, path_.native(), words_of(done)));
    }
    if (done.status.signal == 0 && done.status.code == 1 && !sees_no_image(done)) {
        throw ImageError(
            fmt::format("qemu-img could not check image {} ({}): {}", name_, path_.native(), words_of(done)));
    }
    throw ImageCorruptError(
        fmt::format("qemu-img check finds image {} ({}) damaged: {}; restore it from {} or make it anew",
                    name_, path_.native(), words_of(done), backup_path().native()));
}

bool Image::backup(bool replace) const {
    if (remote()) {
        log::debug("Image {} ({}) is no file of this host and is not backed up", name_, path_.native());
        return false;
    }
    const fs::path target = backup_path();
    std::error_code error;
    if (!replace && fs::exists(target, error)) {
        log::debug("Backup {} is there already", target.native());
        return false;
    }
    if (!exists()) {
        log::debug("There is no {} to back up", path_.native());
        return false;
    }
    fs::create_directories(backup_dir_, error);
    const std::uintmax_t needed = fs::is_regular_file(path_, error) ? fs::file_size(path_) : 0;
    const auto space = fs::space(backup_dir_);
    if (static_cast<double>(space.available) < 1.2 * static_cast<double>(needed)) {
        log::warning("Image {} is not backed up: {} MiB are free in {}, {} MiB are wanted", path_.native(),
                     space.available >> 20, backup_dir_.native(), needed * 12 / 10 >> 20);
        return false;
    }
    log::info("Backing up {} to {}", path_.native(), target.native());
    copy_file_safely(path_, target);
    if (!ref_.data_file.empty() && fs::exists(ref_.data_file, error)) {
        copy_file_safely(ref_.data_file, backup_of_data());
    }
    return true;
}

bool Image::restore() const {
    if (remote()) {
        return false;
    }
    const fs::path source = backup_path();
    std::error_code error;
    if (!fs::exists(source, error)) {
        log::info("Image {} is not restored: there is no {}", path_.native(), source.native());
        return false;
    }
    log::info("Restoring {} from {}", path_.native(), source.native());
    copy_file_safely(source, path_);
    if (!ref_.data_file.empty() && fs::exists(backup_of_data(), error)) {
        copy_file_safely(backup_of_data(), ref_.data_file);
    }
    return true;
}

void Image::keep_damaged() const {
    if (remote()) {
        return;
    }
    const std::string suffix = random_suffix();
    const fs::path base = backup_dir_ / path_.filename();
    copy_file_safely(path_, base.native() + ".bad." + suffix);
    std::error_code error;
    if (fs::exists(backup_path(), error)) {
        copy_file_safely(backup_path(), base.native() + ".good." + suffix);
    }
    log::info("The damaged image is kept as {}.bad.{}", base.native(), suffix);
}

void Image::remove() const {
    if (raw_device_ || remote()) {
        log::debug("Image {} is no file of its own and stays", path_.native());
        return;
    }
    std::error_code error;
    if (fs::remove(path_, error)) {
        log::info("Removed image {} (remove_image)", path_.native());
        if (!ref_.data_file.empty()) {
            fs::remove(ref_.data_file, error);
        }
    } else if (error) {
        throw ImageError(fmt::format("image {} could not be removed: {}", path_.native(), error.message()));
    }
}

void Image::make_overlay(const fs::path& overlay, const Deadline& deadline) const {
    require();
    const SecretsFor secrets(ref_);
    std::vector<std::string> words = {"create", "-q", "-f", "qcow2", "-F", format_, "-b", backing_name(ref_)};
    for (auto& word : secrets.objects(ref_)) {
        words.push_back(std::move(word));
    }
    words.push_back(overlay.native());
    const auto done = run_qemu_img(params_, std::move(words), deadline);
    if (!done.status.ok()) {
        throw ImageError(fmt::format("no overlay for image {} ({}) could be made: {}", name_, path_.native(),
                                     words_of(done)));
    }
}

fs::path Image::qemu_img(const Params& params) {
    const auto wanted = params.get("qemu_img_binary", "qemu-img");
    if (auto found = process::find_program(wanted)) {
        return *found;
    }
    throw process::NotFoundError(fmt::format(
        "qemu_img_binary {} is not there; install qemu-utils (Debian) or qemu-img (Fedora)", wanted));
}

namespace {

/// Whether other users (but root) are kept out of \p path by a directory above it.
bool closed_to_others(const fs::path& path) {
    for (fs::path dir = path.parent_path();; dir = dir.parent_path()) {
        struct stat info {};
        if (::stat(dir.c_str(), &info) == 0 && info.st_uid == ::geteuid() && (info.st_mode & 0011) == 0) {
            return true;
        }
        if (dir == dir.root_path() || dir.empty()) {
            return false;
        }
    }
}

}  // namespace

fs::path ImageLock::path_for(const Image& image) {
    if (image.remote()) {
        return RuntimeDirs::host() / ("avocado-vt-image-" + content_digest(image.path().native()));
    }
    // By the resolved path, so that two names of one file meet; not by the inode, as a restored image is a
    // new file under the old name.
    std::error_code error;
    auto path = fs::weakly_canonical(image.path(), error);
    if (error) {
        path = fs::absolute(image.path());
    }
    // The same for every user and every build of this program, which std::hash is not.
    const auto digest = content_digest(path.native());
    if (closed_to_others(path)) {
        try {
            return RuntimeDirs::user_locks() / ("image-" + digest);
        } catch (const Error& problem) {  // somebody else made a directory of that name
            log::warning("image locks are open to all users: {}", problem.what());
        }
    }
    return RuntimeDirs::host() / ("avocado-vt-image-" + digest);
}

ImageLock ImageLock::take(const Image& image, FileLock::Mode mode, const std::string& holder,
                          const Deadline& deadline) {
    return ImageLock(FileLock::take(path_for(image), mode, holder, deadline,
                                    fmt::format("image {} ({})", image.name(), image.path().native())));
}

std::optional<ImageLock> ImageLock::try_take(const Image& image, FileLock::Mode mode,
                                             const std::string& holder) {
    auto lock = FileLock::try_take(path_for(image), mode, holder);
    if (!lock) {
        return std::nullopt;
    }
    return ImageLock(std::move(*lock));
}

}  // namespace vt

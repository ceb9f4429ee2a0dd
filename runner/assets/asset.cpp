// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/assets/asset.hpp"

#include "providers/ini.hpp"
#include "runner/guest_build/guest_libraries.hpp"
#include "runner/process/process.hpp"
#include "runner/support/file.hpp"
#include "runner/support/log.hpp"
#include "runner/support/strings.hpp"

#include <algorithm>

#include <fmt/core.h>

namespace vt::bootstrap {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t max_checksum_text = std::size_t{1} << 20;
constexpr Seconds checksum_patience{10};
constexpr Seconds unpack_limit{3600};
constexpr const char* work_prefix = ".unpacking-";

/// Reads one definition.
class Definition {
  public:
    Definition(const fs::path& file, std::string name, fs::path data_dir)
        : file_(file),
          name_(std::move(name)),
          data_dir_(std::move(data_dir)),
          ini_(providers::Ini::read(file)) {}

    Asset asset() const {
        Asset asset;
        asset.name = name_;
        asset.title = value("title").empty() ? name_ : value("title");
        asset.url = needed("url");
        asset.destination = path_in_data_dir("destination", needed("destination"));
        std::string unpacked = value("destination_uncompressed");
        asset.image =
            unpacked.empty() ? asset.destination : path_in_data_dir("destination_uncompressed", unpacked);
        asset.uncompress_command = value("uncompress_cmd");
        if (asset.packed() == false && !asset.uncompress_command.empty()) {
            throw wrong("uncompress_cmd needs a destination_uncompressed, to know what it makes");
        }
        for (const char* key : {"sha256_url", "sha1_url"}) {
            if (asset.checksum_url.empty()) {
                asset.checksum_url = value(key);
            }
        }
        for (const char* key : {"sha256", "sha1"}) {
            std::string hex = value(key);
            if (!hex.empty() && !asset.checksum) {
                asset.checksum = checksum_of(hex);
                if (!asset.checksum || asset.checksum->algorithm != key) {
                    throw wrong(fmt::format("{} = {} is no such digest", key, hex));
                }
            }
        }
        return asset;
    }

  private:
    AssetError wrong(const std::string& what) const {
        return AssetError(fmt::format("{}: section [{}]: {}", file_.string(), name_, what));
    }

    std::string value(const std::string& key) const { return ini_.get(name_, key).value_or(""); }

    std::string needed(const std::string& key) const {
        std::string text = value(key);
        if (text.empty()) {
            throw wrong(fmt::format("expected a key '{}'", key));
        }
        return text;
    }

    /// A definition may come from anywhere, so it writes nowhere else.
    fs::path path_in_data_dir(const std::string& key, const std::string& text) const {
        fs::path data_dir = data_dir_.lexically_normal();
        fs::path path = (data_dir / fs::path(text)).lexically_normal();
        fs::path below = path.lexically_relative(data_dir);
        bool inside = !below.empty() && *below.begin() != ".." && *below.begin() != "." &&
                      !below.filename().empty() && text.find('\0') == std::string::npos;
        if (!inside) {
            throw wrong(
                fmt::format("{} = {} leads out of the data directory {}", key, text, data_dir.string()));
        }
        static constexpr const char* places[] = {"images", "isos", "steps_data", "gpg", "downloads"};
        std::string top = below.begin()->string();
        if (std::find(std::begin(places), std::end(places), top) == std::end(places) ||
            below.begin() == std::prev(below.end())) {
            throw wrong(fmt::format("{} = {} is not below images/, isos/, steps_data/, gpg/ or downloads/",
                                    key, text));
        }
        return path;
    }

    fs::path file_;
    std::string name_;
    fs::path data_dir_;
    providers::Ini ini_;
};

/// Puts \p path aside as PATH.orig, PATH.orig2, …
void put_aside(const fs::path& path, const AssetRequest& request) {
    fs::path aside = path.string() + ".orig";
    for (int number = 2; fs::exists(aside); ++number) {
        aside = fmt::format("{}.orig{}", path.string(), number);
    }
    fs::rename(path, aside);
    request.say(fmt::format("{} is kept as {}", path.string(), aside.string()));
}

/// Makes one asset's image be there.
class Provision {
  public:
    Provision(const Asset& asset, const AssetRequest& request) : asset_(asset), request_(request) {}

    AssetResult run() {
        bool image_is_there = fs::exists(asset_.image);
        if (image_is_there && !wants_newer()) {
            return {true, request_.known_checksum};
        }
        if (!have_archive()) {
            request_.say(fmt::format("{} is not there, and downloads were forbidden", asset_.image.string()));
            return {false, {}};
        }
        if (asset_.packed()) {
            unpack(image_is_there);
        }
        request_.say(fmt::format("{} OK", asset_.image.string()));
        return {true, archive_checksum()};
    }

  private:
    /// The checksum that the archive should have; nothing if the definition names none. Throws DownloadError.
    std::optional<Checksum> expected() {
        if (!expected_ && asset_.checksum) {
            expected_ = asset_.checksum;
        }
        if (!expected_ && !asset_.checksum_url.empty()) {
            std::string text = download_text(asset_.checksum_url, max_checksum_text, checksum_patience);
            std::string file = fs::path(asset_.url.substr(0, asset_.url.find_first_of("?#"))).filename();
            expected_ = find_checksum(text, file);
            if (!expected_) {
                throw AssetError(fmt::format("{} has no checksum of {}", asset_.checksum_url, file));
            }
        }
        return expected_;
    }

    /// True if the server has another archive than the one the image came from, and the user wants it.
    bool wants_newer() {
        if (!request_.look_for_newer || request_.no_downloads) {
            return false;
        }
        try {
            std::optional<Checksum> offered = expected();
            if (!offered || offered->text() == known_checksum(*offered)) {
                return false;
            }
            if (known_checksum(*offered).empty()) {
                request_.say(fmt::format("{} is there; what archive it came from is not known",
                                         asset_.image.string()));
                return false;
            }
        } catch (const Error& error) {
            request_.say(
                fmt::format("Whether there is a newer {} is not known: {}", asset_.title, error.what()));
            return false;
        }
        request_.say(fmt::format("There is a newer {} at {}", asset_.title, asset_.url));
        return request_.ask && request_.ask(fmt::format("Replace {} by it?", asset_.image.string()));
    }

    /// Of the archive that the image came from: as noted, else that of the archive that still lies beside it.
    std::string known_checksum(const Checksum& like) const {
        if (!request_.known_checksum.empty()) {
            return request_.known_checksum;
        }
        if (!fs::is_regular_file(asset_.destination)) {
            return {};
        }
        return Checksum{like.algorithm, file_digest(like.algorithm, asset_.destination)}.text();
    }

    /// False if the archive is missing and must not be downloaded.
    bool have_archive() {
        bool there = fs::is_regular_file(asset_.destination);
        if (request_.no_downloads) {
            if (there) {
                request_.say(fmt::format("{} is taken as it is: downloads, of checksums too, were forbidden",
                                         asset_.destination.string()));
            }
            return there;
        }
        std::optional<Checksum> wanted = expected();
        if (there) {
            if (!wanted) {
                request_.say(fmt::format("{} is taken as it is: there is no checksum to hold it against",
                                         asset_.destination.string()));
                return true;
            }
            if (file_digest(wanted->algorithm, asset_.destination) == wanted->hex) {
                return true;
            }
            request_.say(fmt::format("{} has not the {} that it should have; downloading it anew",
                                     asset_.destination.string(), wanted->algorithm));
        }
        if (!wanted) {
            log::warning("{} is downloaded unchecked: its definition names no checksum", asset_.title);
        }
        if (!asset_.packed() && there) {
            put_aside(asset_.image, request_);
        }
        download({asset_.title, asset_.url, asset_.destination, wanted, request_.say});
        return true;
    }

    void unpack(bool replace) {
        request_.say(fmt::format("Unpacking {}", asset_.destination.string()));
        fs::create_directories(asset_.image.parent_path());
        remove_leftovers();
        TempDirectory work(work_prefix, asset_.image.parent_path());
        fs::path fresh = work.path() / asset_.image.filename();
        if (asset_.uncompress_command.empty()) {
            decompress_file(asset_.destination, fresh);
        } else {
            run_command(work.path());
            if (!fs::is_regular_file(fs::symlink_status(fresh))) {
                throw AssetError(fmt::format("'{} {}' made no {}", asset_.uncompress_command,
                                             asset_.destination.string(), asset_.image.filename().string()));
            }
        }
        if (replace) {
            put_aside(asset_.image, request_);
            // Restoring it would bring the old image back.
            if (fs::path backup = asset_.image.string() + ".backup"; fs::exists(backup)) {
                put_aside(backup, request_);
            }
        }
        fs::rename(fresh, asset_.image);
    }

    /// Of a run that was killed; no other one is at work, as bootstrap holds the data directory's lock.
    void remove_leftovers() const {
        std::vector<fs::path> works;
        for (const auto& entry : fs::directory_iterator(asset_.image.parent_path())) {
            if (entry.path().filename().string().starts_with(work_prefix)) {
                works.push_back(entry.path());
            }
        }
        for (const fs::path& work : works) {
            fs::remove_all(work);
        }
    }

    /// The definition's command is documented as a shell command; the archive's name is no part of its text.
    void run_command(const fs::path& dir) const {
        process::Command command;
        command.argv = {"/bin/sh", "-c", asset_.uncompress_command + " \"$1\"", "sh",
                        asset_.destination.string()};
        command.working_dir = dir;
        process::check(command, Deadline::after(unpack_limit));
    }

    std::string archive_checksum() const {
        if (expected_) {
            return expected_->text();
        }
        return fs::is_regular_file(asset_.destination)
                   ? Checksum{"sha256", file_digest("sha256", asset_.destination)}.text()
                   : std::string();
    }

    const Asset& asset_;
    const AssetRequest& request_;
    std::optional<Checksum> expected_;
};

}  // namespace

std::optional<Asset> find_asset(const fs::path& data_dir, const std::string& name) {
    fs::path file = data_dir / "downloads" / (name + ".ini");
    // The name is a guest's: it may not lead elsewhere, nor be none.
    bool plain = !name.empty() && name.find('/') == std::string::npos && !name.starts_with('.');
    if (std::error_code error; !plain || !fs::is_regular_file(file, error)) {
        return std::nullopt;
    }
    try {
        return Definition(file, name, data_dir).asset();
    } catch (const providers::IniError& error) {
        throw AssetError(error.what());
    }
}

AssetResult provide_asset(const Asset& asset, const AssetRequest& request) {
    return Provision(asset, request).run();
}

}  // namespace vt::bootstrap

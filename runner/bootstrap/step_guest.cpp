// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/assets/asset.hpp"
#include "runner/bootstrap/setup.hpp"
#include "runner/guest_build/guest_image.hpp"
#include "runner/support/log.hpp"
#include "runner/support/runtime_dirs.hpp"

#include <algorithm>
#include <set>

namespace vt::bootstrap {

namespace fs = std::filesystem;

namespace {

constexpr const char* built_guest = "JeOS.mini";

void say(const std::string& sentence) {
    log::info("{}", sentence);
}

resolver::Selection selection_of(const Setup& setup) {
    resolver::Selection selection;
    selection.type = setup.options.type;
    selection.data_dir = setup.dir.path;
    return selection;
}

/// The guests that \p guest_os matches, for the usual machine type of this host.
std::vector<resolver::Guest> guests_of(const Setup& setup, const std::string& guest_os) {
    return resolver::guests(selection_of(setup), guest_os, std::nullopt);
}

std::string default_guest(const Setup& setup) {
    return setup.notes.default_guest.empty() ? std::string(resolver::upstream_guest)
                                             : setup.notes.default_guest;
}

void problem(Setup& setup, const std::string& sentence) {
    log::error("{}", sentence);
    setup.outcome.problems.push_back(sentence);
}

/// What the image is called in asset definitions: its name without the format.
std::string asset_name(const fs::path& image) {
    static const std::set<std::string> formats = {".qcow2", ".raw", ".qed", ".vmdk", ".vdi", ".vhdx"};
    return formats.contains(image.extension().string()) ? image.stem().string() : image.filename().string();
}

/// Provides the images of \p guests that are defined as assets; true if there is one and all of them are
/// there.
bool provide_assets(Setup& setup, const std::vector<resolver::Guest>& guests, bool look_for_newer) {
    std::set<std::string> names;
    for (const resolver::Guest& guest : guests) {
        if (!guest.image.empty()) {
            names.insert(asset_name(guest.image));
        }
    }
    bool any = false;
    bool all = true;
    for (const std::string& name : names) {
        std::optional<Asset> asset = find_asset(setup.dir.path, name);
        if (!asset) {
            continue;
        }
        any = true;
        AssetRequest request{setup.options.no_downloads, look_for_newer, setup.notes.assets[name],
                             setup.options.ask, say};
        AssetResult result = provide_asset(*asset, request);
        all = all && result.there;
        setup.notes.assets[name] = result.checksum;
        setup.notes.save(setup.dir);
    }
    return any && all;
}

/// The built guest; throws GuestImageError and the like.
void build_guest(Setup& setup) {
    RuntimeDirs runtime = RuntimeDirs::make();
    GuestImageRequest request{setup.install.config_share() / "guest-image", setup.dir.path,
                              user_cache_dir(runtime), setup.options.no_downloads, say};
    GuestImage image = build_guest_image(request, Deadline::after(Seconds{1800}));
    log::info("{} OK", image.disk.string());
}

/// The guest that nobody has to name: the built one, else upstream's, downloaded.
void provide_default_guest(Setup& setup) {
    bool upstream_image = fs::exists(setup.dir.images() / ("jeos-27-" + host_machine() + ".qcow2"));
    if (upstream_image && setup.notes.default_guest.empty()) {
        log::info("The image of {} is there: it is the default guest", resolver::upstream_guest);
        return;
    }
    std::string why_not = "a guest can be built on x86_64 hosts only";
    if (host_machine() == "x86_64") {
        try {
            build_guest(setup);
            setup.notes.default_guest = built_guest;
            log::info("The default guest of this data directory is {}", built_guest);
            return;
        } catch (const Error& error) {
            why_not = error.what();
        }
        if (setup.options.no_downloads) {
            log::info("There is no default guest: {}", why_not);
            return;
        }
        log::info("The small guest cannot be built here ({}); trying {} instead", why_not,
                  resolver::upstream_guest);
    }
    std::string reason = "there is no definition of its download";
    try {
        if (provide_assets(setup, guests_of(setup, std::string(resolver::upstream_guest)), false)) {
            return;
        }
    } catch (const Error& error) {
        reason = error.what();
    }
    if (setup.options.no_downloads) {
        log::info("There is no default guest, and downloads were forbidden");
        return;
    }
    problem(setup, "There is no image of a default guest: " + why_not + "; " +
                       std::string(resolver::upstream_guest) + ": " + reason);
}

/// A guest that was asked for by name must be one; upstream ends here as well.
void provide_named_guest(Setup& setup) {
    const std::string& name = setup.options.guest_os;
    std::vector<resolver::Guest> guests = guests_of(setup, name);
    if (guests.empty()) {
        throw BootstrapError("There is no guest '" + name +
                             "' for the usual machine type of this host; see 'avocado vt-list-guests'");
    }
    if (setup.options.skip_image) {
        return;
    }
    try {
        bool built = std::any_of(guests.begin(), guests.end(), [](const resolver::Guest& guest) {
            return guest.name.find(std::string(".") + built_guest) != std::string::npos;
        });
        // Of many guests, "Linux" say, the built one is not the one that was meant.
        if (built && guests.size() <= 2) {
            build_guest(setup);
        }
        provide_assets(setup, guests, true);
    } catch (const Error& error) {
        problem(setup, error.what());
    }
}

void report_images(const Setup& setup) {
    std::string guest_os = setup.options.guest_os.empty() ? default_guest(setup) : setup.options.guest_os;
    for (const resolver::Guest& guest : guests_of(setup, guest_os)) {
        if (!guest.image.empty() && !guest.image_exists) {
            log::info("The image of {} is not there yet: {}", guest.name, guest.image.string());
        }
    }
}

}  // namespace

void provide_guest(Setup& setup) {
    if (setup.options.type == "lvsb") {
        log::info("Tests of type lvsb use no guest image");
        return;
    }
    if (!setup.options.guest_os.empty()) {
        provide_named_guest(setup);
    } else if (!setup.options.skip_image) {
        provide_default_guest(setup);
    }
    report_images(setup);
}

}  // namespace vt::bootstrap

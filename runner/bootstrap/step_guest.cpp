// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/bootstrap/guest_image.hpp"
#include "runner/bootstrap/setup.hpp"
#include "runner/support/log.hpp"
#include "runner/support/runtime_dirs.hpp"

namespace vt::bootstrap {

namespace fs = std::filesystem;

namespace {

constexpr const char* built_guest = "JeOS.mini";

bool wants_built_guest(const Setup& setup) {
    bool for_type = setup.options.type == "qemu" || setup.options.type == "libvirt";
    return for_type && host_machine() == "x86_64" &&
           (setup.options.guest_os.empty() || setup.options.guest_os.find("JeOS.mini") != std::string::npos);
}

void build_guest(Setup& setup) {
    RuntimeDirs runtime = RuntimeDirs::make();
    GuestImageRequest request{setup.install.config_share() / "guest-image", setup.dir.path,
                              user_cache_dir(runtime), setup.options.no_downloads,
                              [](const std::string& step) { log::info("{}", step); }};
    try {
        GuestImage image = build_guest_image(request, Deadline::after(Seconds{1800}));
        log::info("{} OK", image.disk.string());
        if (setup.options.guest_os.empty()) {
            setup.notes.default_guest = built_guest;
            log::info("The default guest of this data directory is {}", built_guest);
        }
    } catch (const Error& error) {
        log::error("{}", error.what());
        setup.outcome.problems.push_back(error.what());
    }
}

resolver::Selection selection_of(const Setup& setup) {
    resolver::Selection selection;
    selection.type = setup.options.type;
    selection.data_dir = setup.dir.path;
    return selection;
}

/// A guest given by name must be one; upstream ends here as well.
void check_guest_known(const Setup& setup) {
    if (setup.options.guest_os.empty() || setup.options.type == "spice") {
        return;
    }
    if (resolver::guests(selection_of(setup), setup.options.guest_os, std::nullopt).empty()) {
        throw BootstrapError("There is no guest '" + setup.options.guest_os +
                             "' for the usual machine type of this host; see 'avocado vt-list-guests'");
    }
}

void report_images(const Setup& setup) {
    if (setup.options.type == "spice") {
        return;
    }
    std::string guest_os = setup.options.guest_os;
    if (guest_os.empty()) {
        guest_os = setup.notes.default_guest.empty() ? std::string(resolver::upstream_guest)
                                                     : setup.notes.default_guest;
    }
    for (const resolver::Guest& guest : resolver::guests(selection_of(setup), guest_os, std::nullopt)) {
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
    check_guest_known(setup);
    bool upstream_image = fs::exists(setup.dir.images() / "jeos-27-x86_64.qcow2");
    if (setup.options.guest_os.empty() && upstream_image) {
        log::info("{} is there: the default guest is {}",
                  (setup.dir.images() / "jeos-27-x86_64.qcow2").string(),
                  setup.notes.default_guest.empty() ? std::string(resolver::upstream_guest)
                                                    : setup.notes.default_guest);
    } else if (wants_built_guest(setup) && !setup.options.skip_image) {
        build_guest(setup);
    }
    report_images(setup);
}

}  // namespace vt::bootstrap

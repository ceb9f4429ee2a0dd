// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Builds the guest without the rest of bootstrap, for the tests of the guest: RECIPE_DIR DATA_DIR CACHE_DIR.
#include "runner/guest_build/guest_image.hpp"

#include <cstdio>
#include <exception>

int main(int argc, char** argv) {
    if (argc != 4) {
        std::fprintf(stderr, "usage: %s RECIPE_DIR DATA_DIR CACHE_DIR\n", argv[0]);
        return 2;
    }
    try {
        vt::bootstrap::GuestImageRequest request;
        request.recipe_dir = argv[1];
        request.data_dir = argv[2];
        request.cache_dir = argv[3];
        request.progress = [](const std::string& step) { std::puts(step.c_str()); };
        const auto guest = vt::bootstrap::build_guest_image(request, vt::Deadline::after(vt::Seconds(1800)));
        std::puts(guest.disk.c_str());
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
    return 0;
}

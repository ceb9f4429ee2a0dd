// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/bootstrap/setup.hpp"
#include "runner/support/log.hpp"

namespace vt::bootstrap {

namespace fs = std::filesystem;

namespace {

std::vector<fs::path> directories(const Setup& setup) {
    return {setup.dir.images(),
            setup.dir.path / "isos",
            setup.dir.path / "steps_data",
            setup.dir.path / "gpg",
            setup.dir.path / "downloads",
            setup.dir.backend_cfg(setup.options.type),
            providers::downloads_dir(setup.dir.path),
            setup.dir.path / "test-providers.d",
            setup.dir.path / "guest-os"};
}

}  // namespace

void make_directories(const Setup& setup) {
    for (const fs::path& path : directories(setup)) {
        fs::create_directories(path);
    }
}

void verify_directories(const Setup& setup) {
    for (const fs::path& path : directories(setup)) {
        log::debug("{} OK", path.string());
    }
}

}  // namespace vt::bootstrap

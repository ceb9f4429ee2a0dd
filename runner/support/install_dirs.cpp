// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/support/install_dirs.hpp"

#include "runner/support/error.hpp"

#include <dlfcn.h>

namespace vt {
namespace fs = std::filesystem;

InstallDirs InstallDirs::find() {
    Dl_info info{};
    // For code of the main program the dynamic linker knows the name only as it was called: /proc knows
    // better.
    std::error_code failed;
    const auto program = fs::read_symlink("/proc/self/exe", failed);
    auto place = program;
    if (::dladdr(reinterpret_cast<const void*>(&InstallDirs::find), &info) != 0 &&
        info.dli_fname != nullptr &&
        fs::path(info.dli_fname).filename().string().find(".so") != std::string::npos) {
        place = fs::weakly_canonical(info.dli_fname, failed);
    }
    if (failed || place.empty()) {
        throw Error(
            "cannot tell where this program is installed: /proc/self/exe is unreadable; is /proc mounted?");
    }
    const fs::path libdir = VT_LIBDIR;
    auto prefix = place.parent_path();
    if (place == program) {
        prefix = prefix.parent_path();  // PREFIX/bin/avocado-runner-vt, BUILD/tests/x_test
    } else {
        for (auto step = libdir.begin(); step != libdir.end(); ++step) {
            prefix = prefix.parent_path();
        }
    }
    return {prefix};
}

fs::path InstallDirs::runner() const {
    return prefix / VT_BINDIR / "avocado-runner-vt";
}

fs::path InstallDirs::libraries() const {
    return prefix / VT_LIBDIR;
}

fs::path InstallDirs::config_share() const {
    return prefix / VT_DATADIR / "cfg";
}

fs::path InstallDirs::builtin_provider() const {
    return prefix / VT_DATADIR / "providers/builtin";
}

}  // namespace vt

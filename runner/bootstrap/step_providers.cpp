// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/bootstrap/setup.hpp"
#include "runner/support/file.hpp"
#include "runner/support/log.hpp"

namespace vt::bootstrap {

namespace fs = std::filesystem;
using providers::Provider;

/// Shipped definitions go where upstream has them; a user's own of the same name is left alone.
void update_providers(Setup& setup) {
    std::vector<ConfigFile> files;
    for (fs::directory_iterator entry(setup.install.config_share() / "test-providers.d"), end; entry != end;
         ++entry) {
        if (entry->path().extension() == ".ini") {
            files.push_back({providers::definition_dirs(setup.dir.path).front() / entry->path().filename(),
                             read_file(entry->path())});
        }
    }
    report_config_files(setup, install_config_files(files, false, setup.dir, setup.notes), "it is your own");
    setup.providers = providers::load_providers(setup.dir.path, setup.install.builtin_provider());
    for (const Provider& provider : setup.providers) {
        std::error_code error;
        if (fs::is_directory(provider.root, error)) {
            log::info("{} OK ({})", provider.name, provider.root.string());
        } else if (provider.in_place()) {
            log::warning("The directory of test provider {} is not there: {} (named in {})", provider.name,
                         provider.root.string(), provider.definition.string());
        } else {
            log::info("{} is not fetched ({})", provider.name, provider.uri);
        }
    }
}

}  // namespace vt::bootstrap

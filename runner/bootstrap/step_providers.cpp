// SPDX-License-Identifier: GPL-2.0-or-later
#include "providers/fetch.hpp"
#include "runner/bootstrap/setup.hpp"
#include "runner/support/file.hpp"
#include "runner/support/log.hpp"
#include "runner/support/strings.hpp"

#include <algorithm>

namespace vt::bootstrap {

namespace fs = std::filesystem;
using providers::Provider;
using providers::Section;

namespace {

/// Definitions, and the files of those that are in git.
///
/// The shipped definitions name big public repositories, which are fetched only if `--vt-update-providers`
/// asks for it and the tested type can use them. Whoever writes a definition asks by writing it: its
/// repository is fetched by the next bootstrap. After that servers are asked only by `--vt-update-providers`,
/// or when the definition was changed. One provider's trouble leaves the others as they are.
class Step {
  public:
    explicit Step(Setup& setup)
        : setup_(setup), shipped_(setup.install.config_share() / "test-providers.d") {}

    void run() {
        install_definitions();
        link_downloads();
        providers::clean_downloads(providers::downloads_dir(setup_.dir.path));
        setup_.providers = providers::load_providers(setup_.dir.path, setup_.install.builtin_provider());
        for (Provider& provider : setup_.providers) {
            if (!provider.ignored.empty()) {
                log::info("{}: sections that no type of test has are ignored: {}",
                          provider.definition.string(), join(provider.ignored, ", "));
            }
            if (!provider.in_place()) {
                fetch(provider);
            } else {
                report_directory(provider);
            }
        }
    }

  private:
    /// Shipped definitions go where upstream has them; a user's own of the same name is left alone.
    void install_definitions() {
        std::vector<ConfigFile> files;
        for (fs::directory_iterator entry(shipped_), end; entry != end; ++entry) {
            if (entry->path().extension() == ".ini") {
                files.push_back(
                    {providers::definition_dirs(setup_.dir.path).front() / entry->path().filename(),
                     read_file(entry->path())});
            }
        }
        report_config_files(setup_, install_config_files(files, false, setup_.dir, setup_.notes),
                            "it is your own");
    }

    /// The user's guide looks for checkouts beside the definitions that it has users write.
    void link_downloads() const {
        fs::path guide = setup_.dir.path / "test-providers.d" / "downloads";
        std::error_code error;
        if (fs::is_symlink(guide, error) || fs::exists(guide, error)) {
            return;
        }
        fs::create_directory_symlink("../virttest/test-providers.d/downloads", guide, error);
        if (error) {
            log::warning("Cannot make {}: {}", guide.string(), error.message());
        }
    }

    /// True if \p provider is one of the shipped, word for word or as upstream words it.
    bool is_shipped(const Provider& provider) const {
        fs::path file = shipped_ / (provider.name + ".ini");
        std::error_code error;
        return fs::is_regular_file(file, error) &&
               providers::same_definition(provider,
                                          providers::read_definition(file, provider.root.parent_path()));
    }

    bool serves_type(const Provider& provider) const {
        return std::any_of(provider.sections.begin(), provider.sections.end(), [&](const Section& section) {
            bool shared = section.type == "generic" || section.type == "multi_host_migration";
            return section.type == setup_.options.type || (shared && setup_.options.type != "lvsb");
        });
    }

    void fetch(Provider& provider) {
        const Options& options = setup_.options;
        bool wanted = is_shipped(provider) ? options.update_providers && serves_type(provider) : true;
        providers::FetchReport report = providers::provide_checkout(
            provider, wanted, {options.update_providers, options.no_downloads, options.fetch_patience});
        if (!report.problem.empty()) {
            setup_.outcome.problems.push_back(report.problem);
        }
        if (report.usable) {
            report_sections(provider);
        } else {
            provider.sections.clear();
        }
    }

    static void report_directory(const Provider& provider) {
        std::error_code error;
        if (fs::is_directory(provider.root, error)) {
            log::info("{} OK ({})", provider.name, provider.root.string());
            report_sections(provider);
        } else {
            log::warning("The directory of test provider {} is not there: {} (named in {})", provider.name,
                         provider.root.string(), provider.definition.string());
        }
    }

    static void report_sections(const Provider& provider) {
        for (const Section& section : provider.sections) {
            std::error_code error;
            if (!fs::is_directory(section.subdir, error)) {
                log::warning("{}: the folder of its section [{}] is not there: {}", provider.name,
                             section.type, section.subdir.string());
            }
        }
    }

    Setup& setup_;
    fs::path shipped_;
};

}  // namespace

void update_providers(Setup& setup) {
    Step(setup).run();
}

}  // namespace vt::bootstrap

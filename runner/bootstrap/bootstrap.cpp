// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/bootstrap/bootstrap.hpp"

#include "cfg/errors.hpp"
#include "providers/provider.hpp"
#include "resolver/data_dir.hpp"
#include "resolver/host_programs.hpp"
#include "resolver/resolver.hpp"
#include "runner/bootstrap/config_set.hpp"
#include "runner/bootstrap/generated_cfg.hpp"
#include "runner/bootstrap/guest_image.hpp"
#include "runner/bootstrap/programs.hpp"
#include "runner/support/file.hpp"
#include "runner/support/file_lock.hpp"
#include "runner/support/install_dirs.hpp"
#include "runner/support/log.hpp"
#include "runner/support/runtime_dirs.hpp"
#include "runner/support/strings.hpp"
#include "runner/vm/accelerator.hpp"

#include <algorithm>

#include <sys/utsname.h>
#include <unistd.h>

namespace vt::bootstrap {

namespace fs = std::filesystem;
using providers::Provider;
using resolver::DataDir;
using resolver::DataDirNotes;

namespace {

constexpr const char* built_guest = "JeOS.mini";

std::string machine() {
    struct utsname host = {};
    uname(&host);
    return host.machine;
}

void headline(int step, const std::string& text) {
    log::info("");
    log::info("{} - {}", step, text);
}

/// One run; each step is a member that looks at what is there.
class Run {
  public:
    explicit Run(const Options& options)
        : options_(options), dir_{options.data_dir}, install_(InstallDirs::find()) {}

    Outcome all() {
        log::info("{} test config helper", options_.type);
        make_directories();
        FileLock lock = FileLock::take(dir_.path / ".bootstrap.lock", FileLock::Mode::exclusive,
                                       "vt-bootstrap (pid " + std::to_string(getpid()) + ")",
                                       Deadline::after(Seconds{600}));
        notes_ = DataDirNotes::load(dir_);
        headline(1, "Updating all test providers");
        update_providers();
        headline(2, "Checking the mandatory programs and headers");
        check_mandatory();
        headline(3, "Checking the recommended programs");
        check_recommended();
        headline(4, "Verifying directories");
        report_directories();
        headline(5, "Generating config set");
        make_config_set();
        headline(6, "Verifying (and possibly building) guest image");
        provide_guest();
        notes_.save(dir_);
        headline(7, "Checking for modules " + join(modules(), ", "));
        check_modules();
        headline(8, "What to do next");
        next_steps();
        outcome_.usable = outcome_.problems.empty();
        return outcome_;
    }

  private:
    void make_directories() {
        for (const fs::path& path : directories()) {
            fs::create_directories(path);
        }
    }

    std::vector<fs::path> directories() const {
        return {dir_.images(),
                dir_.path / "isos",
                dir_.path / "steps_data",
                dir_.path / "gpg",
                dir_.path / "downloads",
                dir_.backend_cfg(options_.type),
                providers::downloads_dir(dir_.path),
                dir_.path / "test-providers.d",
                dir_.path / "guest-os"};
    }

    void report_directories() {
        for (const fs::path& path : directories()) {
            log::debug("{} OK", path.string());
        }
    }

    /// Shipped definitions go where upstream has them; a user's own of the same name is left alone.
    void update_providers() {
        std::vector<ConfigFile> files;
        for (fs::directory_iterator entry(install_.config_share() / "test-providers.d"), end; entry != end;
             ++entry) {
            if (entry->path().extension() == ".ini") {
                files.push_back({providers::definition_dirs(dir_.path).front() / entry->path().filename(),
                                 read_file(entry->path())});
            }
        }
        report(install_config_files(files, false, dir_, notes_), "it is your own");
        providers_ = providers::load_providers(dir_.path, install_.builtin_provider());
        for (const Provider& provider : providers_) {
            std::error_code error;
            if (fs::is_directory(provider.root, error)) {
                log::info("{} OK ({})", provider.name, provider.root.string());
            } else if (provider.in_place()) {
                log::warning("The directory of test provider {} is not there: {} (named in {})",
                             provider.name, provider.root.string(), provider.definition.string());
            } else {
                log::info("{} is not fetched ({})", provider.name, provider.uri);
            }
        }
    }

    void check_mandatory() {
        std::vector<Program> missing;
        for (const Program& program : programs_for(options_.type, machine()).mandatory) {
            if (auto path = find(program)) {
                log::info("{} OK", path->string());
            } else {
                log::error("Mandatory program {} is missing", join(program.names, " or "));
                missing.push_back(program);
            }
        }
        if (!missing.empty()) {
            throw BootstrapError("Programs that tests of type " + options_.type +
                                 " need are missing. Install them with '" + install_hint(missing) +
                                 "', then run vt-bootstrap again");
        }
    }

    void check_recommended() {
        std::vector<Program> missing;
        for (const Program& program : programs_for(options_.type, machine()).recommended) {
            if (auto path = find(program)) {
                log::info("{} OK", path->string());
            } else {
                log::info("Recommended program {} is missing", join(program.names, " or "));
                missing.push_back(program);
            }
        }
        if (!missing.empty()) {
            log::info("Some tests need them; they come with '{}'", install_hint(missing));
        }
    }

    void make_config_set() {
        report(install_config_files(config_files(install_.config_share(), options_.type, dir_, providers_),
                                    options_.update_config, dir_, notes_),
               "it was edited (--vt-update-config replaces it)");
        fs::path cfg = dir_.backend_cfg(options_.type);
        std::vector<fs::path> guest_roots = {install_.config_share() / "shared" / "guest-os",
                                             "/etc/avocado-vt/guest-os", dir_.path / "guest-os"};
        generate(cfg / "subtests.cfg", subtests_text(options_.type, providers_));
        if (options_.type != "lvsb") {
            generate(cfg / "guest-os.cfg", guest_os_text(guest_roots));
        }
        HostDescription host = describe_this_host();
        for (auto [given, member] : {std::pair(&options_.host_distro_name, &host.distro),
                                     std::pair(&options_.host_distro_version, &host.version),
                                     std::pair(&options_.host_distro_release, &host.release),
                                     std::pair(&options_.host_distro_arch, &host.arch)}) {
            if (!given->empty()) {
                *member = *given;
            }
        }
        generate(cfg / "host.cfg", host_text(host));
        // Resolving may begin now; the notes name what was installed so far, should the run be killed later.
        notes_.save(dir_);
        log::info("{} OK", cfg.string());
    }

    static void generate(const fs::path& path, const std::string& text) {
        if (write_if_changed(path, text)) {
            log::debug("Config file {} generated", path.string());
        }
    }

    void report(const ConfigSetReport& done, const char* why_kept) {
        if (done.written.size() > 5) {
            log::info("{} config files written below {}", done.written.size(), dir_.path.string());
        } else {
            for (const fs::path& path : done.written) {
                log::info("Config file {} written", path.string());
            }
        }
        for (const fs::path& path : done.kept) {
            log::info("{} differs from the new default and is kept: {}", path.string(), why_kept);
        }
    }

    bool wants_built_guest() const {
        bool for_type = options_.type == "qemu" || options_.type == "libvirt";
        return for_type && machine() == "x86_64" &&
               (options_.guest_os.empty() || options_.guest_os.find("JeOS.mini") != std::string::npos);
    }

    void provide_guest() {
        if (options_.type == "lvsb") {
            log::info("Tests of type lvsb use no guest image");
            return;
        }
        check_guest_known();
        bool upstream_image = fs::exists(dir_.images() / "jeos-27-x86_64.qcow2");
        if (options_.guest_os.empty() && upstream_image) {
            log::info(
                "{} is there: the default guest is {}", (dir_.images() / "jeos-27-x86_64.qcow2").string(),
                notes_.default_guest.empty() ? std::string(resolver::upstream_guest) : notes_.default_guest);
        } else if (wants_built_guest() && !options_.skip_image) {
            build_guest();
        }
        report_images();
    }

    void build_guest() {
        RuntimeDirs runtime = RuntimeDirs::make();
        GuestImageRequest request{install_.config_share() / "guest-image", dir_.path, user_cache_dir(runtime),
                                  options_.no_downloads,
                                  [](const std::string& step) { log::info("{}", step); }};
        try {
            GuestImage image = build_guest_image(request, Deadline::after(Seconds{1800}));
            log::info("{} OK", image.disk.string());
            if (options_.guest_os.empty()) {
                notes_.default_guest = built_guest;
                log::info("The default guest of this data directory is {}", built_guest);
            }
        } catch (const Error& error) {
            log::error("{}", error.what());
            outcome_.problems.push_back(error.what());
        }
    }

    resolver::Selection selection() const {
        resolver::Selection selection;
        selection.type = options_.type;
        selection.data_dir = dir_.path;
        return selection;
    }

    /// A guest given by name must be one; upstream ends here as well.
    void check_guest_known() {
        if (options_.guest_os.empty() || options_.type == "spice") {
            return;
        }
        if (resolver::guests(selection(), options_.guest_os, std::nullopt).empty()) {
            throw BootstrapError("There is no guest '" + options_.guest_os +
                                 "' for the usual machine type of this host; see 'avocado vt-list-guests'");
        }
    }

    void report_images() {
        if (options_.type == "spice") {
            return;
        }
        std::string guest_os = options_.guest_os;
        if (guest_os.empty()) {
            guest_os =
                notes_.default_guest.empty() ? std::string(resolver::upstream_guest) : notes_.default_guest;
        }
        for (const resolver::Guest& guest : resolver::guests(selection(), guest_os, std::nullopt)) {
            if (!guest.image.empty() && !guest.image_exists) {
                log::info("The image of {} is not there yet: {}", guest.name, guest.image.string());
            }
        }
    }

    std::vector<std::string> modules() const {
        if (options_.type == "openvswitch") {
            return {"openvswitch"};
        }
        if (machine() != "x86_64") {
            return {"kvm"};
        }
        return {"kvm", describe_this_host().cpu_vendor == "amd" ? "kvm-amd" : "kvm-intel"};
    }

    void check_modules() {
        for (const std::string& module : modules()) {
            // Built into the kernel or loaded, it has a directory.
            bool there = fs::exists("/sys/module/" + replace_all(module, "-", "_"));
            if (there) {
                log::debug("Module {} loaded", module);
            } else {
                log::info("Module {} is not loaded", module);
            }
        }
        std::string qemu = resolver::find_host_programs("", "").qemu;
        if (qemu.empty()) {
            return;
        }
        Accelerator accelerator = probe_accelerator(qemu, user_cache_dir(RuntimeDirs::make()));
        log::info("Guests run with {}: {}", accelerator.kvm() ? "KVM" : "TCG", accelerator.reason);
    }

    void next_steps() {
        for (const std::string& problem : outcome_.problems) {
            log::error("Not ready: {}", problem);
        }
        if (outcome_.problems.empty()) {
            log::info("avocado list --vt-type {}              lists the tests", options_.type);
            log::info("avocado run --vt-type {} uptime        runs one in the default guest", options_.type);
            log::info("Guests of your own are defined in {}", (dir_.path / "guest-os").string());
        }
    }

    Options options_;
    DataDir dir_;
    InstallDirs install_;
    DataDirNotes notes_;
    std::vector<Provider> providers_;
    Outcome outcome_;
};

}  // namespace

Outcome run(const Options& options) {
    const std::vector<std::string>& types = providers::known_types();
    if (std::find(types.begin(), types.end(), options.type) == types.end()) {
        throw BootstrapError("option --vt-type: '" + options.type + "' is not possible; possible are " +
                             join(types, ", "));
    }
    try {
        return Run(options).all();
    } catch (const fs::filesystem_error& error) {
        throw BootstrapError(std::string("The data directory cannot be set up: ") + error.what());
    } catch (const SystemError& error) {
        throw BootstrapError(std::string("The data directory cannot be set up: ") + error.what());
    }
}

}  // namespace vt::bootstrap

// SPDX-License-Identifier: GPL-2.0-or-later
/// \file bootstrap.hpp
/// Sets up a data directory: providers, programs, config set, guest image; `avocado vt-bootstrap`.
///
/// It says what it does through the logger, under the numbered headings of the user's guide; a command sends
/// that to the terminal. Every step looks at what is there and does only what is missing, so a run that was
/// killed is simply run again, and a run with nothing to do is quick. Files that a user edited are never
/// overwritten unasked: the digests of what was installed are kept in the data directory's state file.
#pragma once

#include "runner/support/deadline.hpp"
#include "runner/support/error.hpp"

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace vt::bootstrap {

/// Bootstrap cannot go on; what() says what to do.
class BootstrapError : public Error {
  public:
    using Error::Error;
};

/// The options of `vt-bootstrap`; names as Avocado-VT's.
struct Options {
    std::string type = "qemu";
    std::string guest_os;                 ///< empty: the built guest
    std::filesystem::path data_dir;       ///< absolute
    bool no_downloads = false;            ///< neither providers nor packages of the guest image
    bool skip_image = false;              ///< no guest image (--vt-skip-verify-download-assets)
    bool update_config = false;           ///< replace edited config files by the new ones
    bool update_providers = false;        ///< fetch the shipped providers, ask the servers of all again
    Seconds fetch_patience{60};           ///< a git server that says nothing for so long is given up
    bool selinux_setup = false;           ///< give the directories the contexts that SELinux wants of them
    std::string qemu_bin;                 ///< QEMU to test, where the settings name one
    std::filesystem::path import_config;  ///< an installed Avocado-VT or its wheel, to take more guests from
    std::string cluster_config;           ///< refused unless empty: there are no clusters here
    std::string host_distro_name;         ///< verbatim in host.cfg; empty: from /etc/os-release
    std::string host_distro_version;
    std::string host_distro_release;
    std::string host_distro_arch;
    /// Asks the user a question with a yes or no; never called if empty, which means no.
    std::function<bool(const std::string& question)> ask;
};

/// What a run found and did.
struct Outcome {
    bool usable = false;                ///< tests can be listed and run
    std::vector<std::string> problems;  ///< sentences, what is missing and what to do
};

/// Runs all steps. Throws BootstrapError where the directory would be unusable.
Outcome run(const Options& options);

}  // namespace vt::bootstrap

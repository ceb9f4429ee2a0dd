// SPDX-License-Identifier: GPL-2.0-or-later
/// \file selinux.hpp
/// SELinux contexts of the data directory, where the kernel has SELinux.
///
/// libvirt confines its guests: they reach disk images only below directories of the right type. The types
/// are those that upstream gives: virt_var_lib_t, virt_image_t, virt_content_t. A context that lasts is a
/// rule in the host's policy (semanage) that restorecon applies; without semanage only the files themselves
/// can be marked (chcon), until somebody relabels the host.
///
/// SelinuxHost is the seam for tests: nothing here asks the system but through it.
#pragma once

#include "runner/process/process.hpp"

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace vt::bootstrap {

/// What the kernel makes of SELinux.
enum class SelinuxMode { absent, permissive, enforcing };

/// How the host is asked and told.
struct SelinuxHost {
    std::filesystem::path selinuxfs = "/sys/fs/selinux";
    /// The whole context of a file, `system_u:object_r:virt_image_t:s0`; empty if it has none.
    std::function<std::string(const std::filesystem::path&)> context_of;
    std::function<std::optional<std::filesystem::path>(const std::string& program)> find_program;
    std::function<process::Completed(const process::Command&)> run;
    bool root = false;
};

/// This host.
SelinuxHost selinux_of_this_host();

/// The type that a directory must have.
struct SelinuxLabel {
    std::filesystem::path path;
    std::string type;
    bool with_content = false;  ///< what lies in it as well
};

/// What was found and done; sentences for the user.
struct SelinuxReport {
    SelinuxMode mode = SelinuxMode::absent;
    std::vector<std::string> wrong;     ///< what still has another type
    std::vector<std::string> commands;  ///< that would put it right, as one pastes them
    std::size_t relabelled = 0;         ///< directories that were put right
};

/// absent unless its file system is mounted.
SelinuxMode selinux_mode(const SelinuxHost& host);

/// Looks at the labels (of a directory and the files directly in it) and, if \p set, puts wrong ones right.
/// Throws nothing for a command that fails: what is still wrong afterwards is in the report.
SelinuxReport check_selinux(const SelinuxHost& host, const std::vector<SelinuxLabel>& labels, bool set);

}  // namespace vt::bootstrap

// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Images for block tests, and the tools that make, fill and compare them.
#pragma once

#include "runner/harness/block/settings.hpp"
#include "runner/process/exit_status.hpp"
#include "runner/support/deadline.hpp"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace vt::block {

/// Makes \p file a raw image of \p size bytes in which each sector of 512 bytes begins and ends with its
/// number (32 bits, big-endian). Throws SystemError.
void create_marked_image(const std::filesystem::path& file, std::uint64_t size);

/// The arguments of qemu-img for what a test passes: those of `create` get the run's defaults, others stay.
/// \p format and \p options (IMGOPTS) are the run's, for images of that format; \p luks_secret is the object
/// with the key, for luks images without one.
std::vector<std::string> create_arguments(const std::vector<std::string>& arguments,
                                          const std::string& format, const std::string& options,
                                          const std::string& luks_secret);

/// What a tool printed, both streams, and how it ended.
struct ToolResult {
    process::ExitStatus status;
    std::string output;
};

/// The tools of a run, with its format, cache and aio modes.
class Tools {
  public:
    explicit Tools(const Settings& settings) : settings_(settings) {}

    /// Runs qemu-img. Throws process::CommandError naming a signal that killed it, or a status other than 0
    /// unless \p check is false.
    ToolResult img(const std::vector<std::string>& arguments, const Deadline& deadline,
                   bool check = true) const;
    /// Runs qemu-io on \p image with \p commands ("write -P 1 0 64k"). Throws as img(), and Error if its
    /// output tells that a command failed (qemu-io ends well all the same).
    std::string io(const std::filesystem::path& image, const std::vector<std::string>& commands,
                   const Deadline& deadline, const std::string& format = {}) const;
    /// Makes an image of the run's format, or of \p format; \p backing: on top of that image, of \p
    /// backing_format.
    void create(const std::filesystem::path& image, std::uint64_t size, const Deadline& deadline,
                const std::string& format = {}, const std::filesystem::path& backing = {},
                const std::string& backing_format = {}) const;
    /// Whether a guest would see the same in both.
    bool same_content(const std::filesystem::path& one, const std::filesystem::path& other,
                      const Deadline& deadline, const std::string& format = {},
                      const std::string& other_format = {}) const;
    /// Throws Error with qemu-img's words if \p image is damaged; leaked clusters are no damage.
    void check(const std::filesystem::path& image, const Deadline& deadline,
               const std::string& format = {}) const;

  private:
    std::string format_or(const std::string& format) const {
        return format.empty() ? settings_.format : format;
    }
    const Settings& settings_;
};

}  // namespace vt::block

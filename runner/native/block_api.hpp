// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Block tests in C++: images, a QEMU without a guest, nodes, jobs and filters. Part of the public test API
/// (see test_api.hpp, whose rules hold here too).
///
/// The words are those of QEMU's iotests. JSON is text here, so that a test includes no JSON library:
/// `vm.qmp("blockdev-add", R"({"driver": "null-co", "node-name": "n"})")`.
#pragma once

#include "runner/native/test_api.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vt::api {

/// How a job is taken to its end.
struct JobRun {
    bool auto_finalize = true;  ///< as the job was started
    bool auto_dismiss = false;
    bool cancel = false;  ///< instead of finalizing it
    std::function<void()> before_finalize;
};

/// A QEMU that executes nothing; killed with its last copy.
class BlockVm {
  public:
    /// Runs a QMP command; \p arguments is a JSON object's text, empty for none. Returns the text of what it
    /// returns. Throws QMPCmdError; vt::Error with QEMU's last words if it ends.
    std::string qmp(std::string_view command, std::string_view arguments = {}, Seconds timeout = Seconds(60));
    /// Adds a node over \p file: an image of \p format (empty: the test's), named \p name; on top of the node
    /// \p backing if that is not empty.
    void add_node(std::string_view name, const std::filesystem::path& file, std::string_view format = {},
                  std::string_view backing = {});
    /// Gives the machine a disk on a node. What io() then does on that node goes a guest's way: through the
    /// filters of jobs, too, which let nobody else write.
    void add_disk(std::string_view node);
    /// Runs a qemu-io command on a node: "write -P 1 0 64k", "aio_write …". Throws vt::Error if it is
    /// refused.
    void io(std::string_view node, std::string_view command);
    /// Takes out the first event of that name whose data contain the object \p match (empty: any); the text
    /// of the whole event. Throws vt::TimeoutError.
    std::string await_event(std::string_view name, std::string_view match = {},
                            Seconds timeout = Seconds(60));

    /// Starts a job: \p command ("blockdev-mirror") with \p arguments and the id \p job.
    void start_job(std::string_view job, std::string_view command, std::string_view arguments);
    /// Waits until a mirror or commit has caught up with its source. Throws vt::Error if it fails.
    void await_ready(std::string_view job, Seconds timeout = Seconds(60));
    /// Takes a job to its end: completes, finalizes, dismisses. Throws vt::Error with the job's error.
    void run_job(std::string_view job, const JobRun& how = {}, Seconds timeout = Seconds(120));

    /// `quit`; throws vt::Error if QEMU does not end well.
    void quit(Seconds timeout = Seconds(60));
    /// SIGKILL: images are as a power cut leaves them.
    void power_cut();

  private:
    friend class BlockTest;
    struct Impl;
    explicit BlockVm(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
    std::shared_ptr<Impl> impl_;
};

/// What a block test works with. Parameters: `block_format` (default qcow2), `block_cache`, `qemu_binary`,
/// `qemu_img_binary`, `qemu_io_binary` (default: those on PATH).
class BlockTest {
  public:
    BlockTest(Test& test, const Params& params);

    /// Path of a file of this test; it goes with the test.
    std::filesystem::path path(std::string_view name) const;
    const std::string& format() const;
    /// Makes an image of \p size bytes of \p format (empty: the test's), and returns its path. \p backing:
    /// another image's path, of \p backing_format.
    std::filesystem::path create_image(std::string_view name, std::uint64_t size,
                                       std::string_view format = {},
                                       const std::filesystem::path& backing = {},
                                       std::string_view backing_format = {});
    /// Runs qemu-io; its output, filtered. Throws vt::Error if a command fails, also a `read -P` of other
    /// bytes.
    std::string io(const std::filesystem::path& image, const std::vector<std::string>& commands,
                   std::string_view format = {});
    /// Runs qemu-img; its output, filtered. Throws vt::Error naming the status or the signal.
    std::string img(const std::vector<std::string>& arguments);
    /// True if a guest would see the same in both.
    bool same_content(const std::filesystem::path& one, const std::filesystem::path& other,
                      std::string_view format = {}, std::string_view other_format = {});
    /// Throws vt::Error if an image is damaged; leaked clusters, which a power cut leaves, are no damage.
    void check(const std::filesystem::path& image, std::string_view format = {});
    /// \p output as two runs have it alike: TEST_DIR, IMGFMT, speeds, generated names.
    std::string filter(std::string_view output) const;

    /// Starts a QEMU, with \p arguments behind the harness's own.
    BlockVm start(const std::vector<std::string>& arguments = {});

  private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

}  // namespace vt::api

// The arguments are names of parameters, which parentheses would make something else.
// NOLINTBEGIN(bugprone-macro-parentheses)
/// Defines a block test: `VT_BLOCK_TEST(test, block) { … }`.
#define VT_BLOCK_TEST(test_name, block_name)                                   \
    static void vt_block_test_run([[maybe_unused]] ::vt::api::Test& test_name, \
                                  ::vt::api::BlockTest& block_name);           \
    VT_TEST(vt_block_test, vt_block_params, vt_block_env) {                    \
        ::vt::api::BlockTest block(vt_block_test, vt_block_params);            \
        vt_block_test_run(vt_block_test, block);                               \
    }                                                                          \
    static void vt_block_test_run([[maybe_unused]] ::vt::api::Test& test_name, \
                                  ::vt::api::BlockTest& block_name)
// NOLINTEND(bugprone-macro-parentheses)

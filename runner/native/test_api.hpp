// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The public C++ test API: what a test written in C++ includes, and all that it includes.
///
/// A test is a shared object named as its `type` (`uptime_native.so`), lying where its Python sibling would
/// lie, linked against libvtcore.so, with one VT_TEST in it. The classes are handles on the runner's own
/// objects and have no virtual functions and no inline state, so that the layers below may change without
/// recompiling tests; the words are those of the Python API, so that a person who knows one can read the
/// other. A wait takes seconds and ends in vt::TimeoutError or a child of vt::Error; nothing has to be
/// caught: what escapes becomes the test's status.
///
/// What is ugly: C++ has no stable ABI across compilers' standard libraries, so the entry carries a version
/// and the loader refuses any but its own, instead of promising what it could not keep.
#pragma once

#include "cfg/params.hpp"
#include "runner/support/deadline.hpp"

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/core.h>

namespace vt {
class Env;
class ShellSession;
class Vm;
struct TestContext;
}  // namespace vt

namespace vt::api {

/// Grows with each change that an existing test cannot be loaded with.
inline constexpr unsigned version = 1;

/// How a command in the guest ended.
struct CommandResult {
    int status;          ///< exit status of the shell command
    std::string output;  ///< standard output and standard error as the terminal showed them
};

/// A shell in the guest; closed with its last copy.
class Session {
  public:
    explicit Session(std::shared_ptr<ShellSession> impl) : impl_(std::move(impl)) {}

    /// The output of \p command. Throws ShellCmdError if its status is not 0, ShellTimeoutError,
    /// ShellProcessTerminatedError.
    std::string cmd(std::string_view command, Seconds timeout = Seconds(60));
    /// Its status and output. Throws ShellTimeoutError, ShellProcessTerminatedError, ShellStatusError.
    CommandResult cmd_status_output(std::string_view command, Seconds timeout = Seconds(60));
    /// Its output, whatever its status.
    std::string cmd_output(std::string_view command, Seconds timeout = Seconds(60));
    /// Its status.
    int cmd_status(std::string_view command, Seconds timeout = Seconds(60));
    /// Types \p text and Enter, and awaits nothing.
    void sendline(std::string_view text);
    /// Output up to the next prompt. Throws ExpectTimeoutError, ExpectProcessTerminatedError.
    std::string read_up_to_prompt(Seconds timeout = Seconds(60));
    /// True while the other end is connected.
    bool is_alive() const;
    /// True if the shell answers Enter with output within \p timeout.
    bool is_responsive(Seconds timeout = Seconds(5));
    void close();

    /// The runner's object, for what this API does not cover yet (no promise about its shape).
    const std::shared_ptr<ShellSession>& impl() const { return impl_; }

  private:
    std::shared_ptr<ShellSession> impl_;
};

/// A virtual machine of the environment.
class Vm {
  public:
    explicit Vm(std::shared_ptr<vt::Vm> impl) : impl_(std::move(impl)) {}

    const std::string& name() const;
    /// The parameters as this VM sees them.
    const Params& params() const;
    /// Starts it; throws VMCreateError with what the emulator said.
    void create();
    bool is_alive() const;
    /// Throws VMDeadError, VMDeadKernelCrashError or a MonitorError if it does not run properly.
    void verify_alive();
    /// Throws VMDeadKernelCrashError if the serial console shows a kernel crash.
    void verify_kernel_crash();
    /// A shell through the network; waits until the guest answers; \p timeout defaults to the
    /// parameter login_timeout. \p nic counts from 0.
    Session wait_for_login(std::optional<Seconds> timeout = {}, std::size_t nic = 0);
    /// The same in one attempt.
    Session login(std::optional<Seconds> timeout = {}, std::size_t nic = 0);
    /// A shell on the serial console; waits until the guest asks for a login.
    Session wait_for_serial_login(std::optional<Seconds> timeout = {});
    void pause();
    void resume();
    /// Reboots through the guest's shell and returns a new one.
    Session reboot(Seconds timeout = Seconds(240));
    /// Takes it down; gracefully: by the guest's shutdown command first.
    void destroy(bool gracefully = true);
    /// Sends a QMP command. \p arguments is a JSON object's text, empty for none.
    /// \return the text of the reply's `return` member. Throws QMPCmdError, MonitorError.
    std::string qmp(std::string_view command, std::string_view arguments = {});
    /// Writes the screen as PNG to \p path.
    void screendump(const std::filesystem::path& path);
    void copy_files_to(const std::filesystem::path& host, std::string_view guest,
                       Seconds timeout = Seconds(600));
    void copy_files_from(std::string_view guest, const std::filesystem::path& host,
                         Seconds timeout = Seconds(600));
    /// Process id of the emulator.
    std::optional<pid_t> pid() const;

    /// Plugs a disk or network card of the parameters into the running machine: one that was not there at the
    /// start (boot_drive = no, or in no list). Throws HotplugError with the emulator's words, AddressError if
    /// no place is free.
    void plug_disk(std::string_view image, Seconds timeout = Seconds(60));
    void plug_nic(std::string_view nic, Seconds timeout = Seconds(60));
    /// Unplugs a device with its back ends and awaits the end. Throws UnplugRefusedError if the guest
    /// refuses, UnplugTimeoutError if it says nothing, UnplugError, vt::Error if there is no such device.
    void unplug(std::string_view id, Seconds timeout = Seconds(30));
    /// Ids of the machine's devices and back ends.
    std::vector<std::string> device_ids() const;
    /// What differs between the model of the machine and the emulator, a sentence each; empty: nothing.
    std::vector<std::string> device_differences();

    /// The runner's object, for what this API does not cover yet (no promise about its shape).
    const std::shared_ptr<vt::Vm>& impl() const { return impl_; }

  private:
    std::shared_ptr<vt::Vm> impl_;
};

/// The environment: VMs that may outlive a test.
class Env {
  public:
    explicit Env(vt::Env& impl) : impl_(&impl) {}

    /// The VM called \p name; throws vt::Error naming those that are there if it is not (Python's returns
    /// None).
    Vm get_vm(std::string_view name);
    std::vector<Vm> get_all_vms();

    /// The runner's object, for what this API does not cover yet (no promise about its shape).
    vt::Env& impl() const { return *impl_; }

  private:
    vt::Env* impl_;
};

/// The test itself: how it ends early, logs, and where it may write.
class Test {
  public:
    explicit Test(TestContext& context) : context_(&context) {}

    /// Each ends the test with the status it is named after.
    [[noreturn]] void fail(std::string_view reason);
    [[noreturn]] void error(std::string_view reason);
    [[noreturn]] void cancel(std::string_view reason);
    [[noreturn]] void skip(std::string_view reason);
    [[noreturn]] void warn(std::string_view reason);

    /// Writes one line (or several) to the test's log.
    template <typename... Args>
    void log(fmt::format_string<Args...> format, Args&&... args) {
        log_text(fmt::format(format, std::forward<Args>(args)...));
    }
    void log_text(std::string_view text);

    /// The test's whole name.
    const std::string& name() const;
    /// Where the test's logs lie; also reachable as `debugdir` and `resultsdir` in Python.
    const std::filesystem::path& logdir() const;
    /// Files that belong to the result (logdir/data).
    const std::filesystem::path& outputdir() const;
    /// Scratch space, removed after the test.
    const std::filesystem::path& workdir() const;
    /// The data directory (images, isos, …).
    const std::filesystem::path& datadir() const;

    /// The runner's object, for what this API does not cover yet (no promise about its shape).
    TestContext& impl() const { return *context_; }

  private:
    TestContext* context_;
};

}  // namespace vt::api

/// What the loader looks up in a test's shared object under the name `vt_test_entry`.
extern "C" struct VtTestEntry {
    unsigned version;  ///< vt::api::version it was compiled with
    void (*run)(vt::api::Test& test, vt::Params& params, vt::api::Env& env);
};

// The arguments are names of parameters, which parentheses would make something else.
// NOLINTBEGIN(bugprone-macro-parentheses)
/// Defines a test: `VT_TEST(test, params, env) { … }`.
#define VT_TEST(test_name, params_name, env_name)                        \
    static void vt_test_run([[maybe_unused]] ::vt::api::Test& test_name, \
                            [[maybe_unused]] ::vt::Params& params_name,  \
                            [[maybe_unused]] ::vt::api::Env& env_name);  \
    extern "C" __attribute__((visibility("default")))                    \
    const VtTestEntry vt_test_entry{::vt::api::version, &vt_test_run};   \
    static void vt_test_run([[maybe_unused]] ::vt::api::Test& test_name, \
                            [[maybe_unused]] ::vt::Params& params_name,  \
                            [[maybe_unused]] ::vt::api::Env& env_name)
// NOLINTEND(bugprone-macro-parentheses)

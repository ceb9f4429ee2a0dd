// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/native/test_api.hpp"

#include "runner/env/env.hpp"
#include "runner/env/test_context.hpp"
#include "runner/env/test_status.hpp"
#include "runner/monitor/qmp.hpp"
#include "runner/session/shell_session.hpp"
#include "runner/support/log.hpp"
#include "runner/support/strings.hpp"
#include "runner/vm/errors.hpp"
#include "runner/vm/qemu/qemu_vm.hpp"
#include "runner/vm/qemu/verbs/devices.hpp"
#include "runner/vm/vm.hpp"

#include <nlohmann/json.hpp>

namespace vt::api {
namespace {

/// Avocado-VT's limit for monitor commands; block jobs may take long.
constexpr Seconds qmp_timeout{900};

/// The devices of \p vm. Throws VMDeviceError if its back end has no model of them.
std::shared_ptr<qemu::Devices> devices_of(vt::Vm& vm) {
    auto devices = qemu::devices_of(vm);
    if (!devices) {
        throw VMDeviceError(fmt::format("the devices of VM {} are not known to this kind of VM", vm.name()));
    }
    return devices;
}

}  // namespace

// Session

std::string Session::cmd(std::string_view command, Seconds timeout) {
    return impl_->cmd(std::string(command), {.timeout = timeout});
}

CommandResult Session::cmd_status_output(std::string_view command, Seconds timeout) {
    auto [status, output] = impl_->cmd_status_output(std::string(command), {.timeout = timeout});
    return {status, std::move(output)};
}

std::string Session::cmd_output(std::string_view command, Seconds timeout) {
    return impl_->cmd_output(std::string(command), {.timeout = timeout});
}

int Session::cmd_status(std::string_view command, Seconds timeout) {
    return impl_->cmd_status(std::string(command), {.timeout = timeout});
}

void Session::sendline(std::string_view text) {
    impl_->sendline(text);
}

std::string Session::read_up_to_prompt(Seconds timeout) {
    return impl_->read_up_to_prompt(timeout);
}

bool Session::is_alive() const {
    return impl_->is_alive();
}

bool Session::is_responsive(Seconds timeout) {
    return impl_->is_responsive(timeout);
}

void Session::close() {
    impl_->close();
}

// Vm

const std::string& Vm::name() const {
    return impl_->name();
}

const Params& Vm::params() const {
    return impl_->params();
}

void Vm::create() {
    impl_->create();
}

bool Vm::is_alive() const {
    return impl_->is_alive();
}

void Vm::verify_alive() {
    impl_->verify_alive();
}

void Vm::verify_kernel_crash() {
    impl_->verify_kernel_crash();
}

Session Vm::wait_for_login(std::optional<Seconds> timeout, std::size_t nic) {
    return Session(impl_->wait_for_login(nic, timeout));
}

Session Vm::login(std::optional<Seconds> timeout, std::size_t nic) {
    return Session(impl_->login(nic, timeout));
}

Session Vm::wait_for_serial_login(std::optional<Seconds> timeout) {
    return Session(impl_->wait_for_serial_login(timeout));
}

void Vm::pause() {
    impl_->pause();
}

void Vm::resume() {
    impl_->resume();
}

Session Vm::reboot(Seconds timeout) {
    return Session(impl_->reboot({}, "shell", 0, timeout));
}

void Vm::destroy(bool gracefully) {
    impl_->destroy(gracefully);
}

std::string Vm::qmp(std::string_view command, std::string_view arguments) {
    const auto deadline = Deadline::after(qmp_timeout);
    auto& monitor = impl_->monitor();
    const auto reply =
        arguments.empty() ? monitor.command(std::string(command), deadline)
                          : monitor.command(std::string(command), nlohmann::json::parse(arguments), deadline);
    return reply.dump();
}

void Vm::screendump(const std::filesystem::path& path) {
    impl_->screendump(path);
}

void Vm::copy_files_to(const std::filesystem::path& host, std::string_view guest, Seconds timeout) {
    impl_->copy_files_to(host, std::string(guest), 0, timeout);
}

void Vm::copy_files_from(std::string_view guest, const std::filesystem::path& host, Seconds timeout) {
    impl_->copy_files_from(std::string(guest), host, 0, timeout);
}

std::optional<pid_t> Vm::pid() const {
    const pid_t pid = impl_->get_pid();
    return pid > 0 ? std::optional(pid) : std::nullopt;
}

void Vm::plug_disk(std::string_view image, Seconds timeout) {
    const auto devices = devices_of(*impl_);
    const auto view = impl_->params().object_params(impl_->name());
    devices->plug(devices->define_disk(std::string(image), view), Deadline::after(timeout));
}

void Vm::plug_nic(std::string_view nic, Seconds timeout) {
    const auto devices = devices_of(*impl_);
    const auto view = impl_->params().object_params(impl_->name());
    devices->plug(devices->define_nic(std::string(nic), view), Deadline::after(timeout));
}

void Vm::unplug(std::string_view id, Seconds timeout) {
    const auto devices = devices_of(*impl_);
    const auto node = devices->find(std::string(id));
    if (!node) {
        throw VMDeviceError(fmt::format("VM {} has no device {}", impl_->name(), id));
    }
    devices->unplug(node, Deadline::after(timeout));
}

std::vector<std::string> Vm::device_ids() const {
    std::vector<std::string> ids;
    for (const auto& node : devices_of(*impl_)->nodes()) {
        if (node->form != qemu::Form::option && node->form != qemu::Form::plain) {
            ids.push_back(node->qid);
        }
    }
    return ids;
}

std::vector<std::string> Vm::device_differences() {
    return devices_of(*impl_)->differences(Deadline::after(qmp_timeout));
}

// Env

Vm Env::get_vm(std::string_view name) {
    if (auto vm = impl_->get_vm(std::string(name)); vm)
        return Vm(std::move(vm));
    std::vector<std::string> names;
    for (const auto& vm : impl_->get_all_vms())
        names.push_back(vm->name());
    throw Error(fmt::format("there is no VM '{}' in the environment; there {}", name,
                            names.empty() ? "are none" : "is " + join(names, ", ")));
}

std::vector<Vm> Env::get_all_vms() {
    std::vector<Vm> vms;
    for (auto& vm : impl_->get_all_vms())
        vms.emplace_back(std::move(vm));
    return vms;
}

// Test

void Test::fail(std::string_view reason) {
    throw TestFail(std::string(reason));
}

void Test::error(std::string_view reason) {
    throw TestError(std::string(reason));
}

void Test::cancel(std::string_view reason) {
    throw TestCancel(std::string(reason));
}

void Test::skip(std::string_view reason) {
    throw TestSkip(std::string(reason));
}

void Test::warn(std::string_view reason) {
    throw TestWarn(std::string(reason));
}

void Test::log_text(std::string_view text) {
    log::write(log::Level::info, "avocado.test", text);
}

const std::string& Test::name() const {
    return context_->name;
}

const std::filesystem::path& Test::logdir() const {
    return context_->logdir;
}

const std::filesystem::path& Test::outputdir() const {
    return context_->outputdir;
}

const std::filesystem::path& Test::workdir() const {
    return context_->workdir;
}

const std::filesystem::path& Test::datadir() const {
    return context_->datadir;
}

}  // namespace vt::api

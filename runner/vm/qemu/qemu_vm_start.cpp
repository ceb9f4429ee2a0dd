// SPDX-License-Identifier: GPL-2.0-or-later
// Starting a QEMU, and adopting one that runs.
#include "runner/caps/accelerator.hpp"
#include "runner/io/socket.hpp"
#include "runner/process/process.hpp"
#include "runner/storage/image.hpp"
#include "runner/support/file.hpp"
#include "runner/support/log.hpp"
#include "runner/support/strings.hpp"
#include "runner/vm/qemu/build/builder.hpp"
#include "runner/vm/qemu/companions.hpp"
#include "runner/vm/qemu/qemu_vm.hpp"
#include "runner/vm/qemu/qemu_vm_impl.hpp"
#include "runner/vm/qemu/wire/wire.hpp"

#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <fmt/core.h>
#include <nlohmann/json.hpp>

namespace vt::qemu {

namespace fs = std::filesystem;

namespace {

constexpr const char* own_monitor = "runner";  ///< made where the parameters name no QMP monitor
constexpr int port_tries = 4;
constexpr int record_version = 2;  ///< of what state() writes

bool has_qmp(const MachineSpec& machine) {
    return std::any_of(machine.monitors.begin(), machine.monitors.end(), [](const auto& m) { return m.qmp; });
}

/// What a guest's fate depends on, told by QEMU.
void pass_event(GuestWatch& watch, const QmpEvent& event) {
    const auto& data = event.data();
    const auto text = [&](const char* key) {
        const auto member = data.find(key);
        return member != data.end() && member->is_string() ? member->get<std::string>() : std::string();
    };
    if (event.name() == "GUEST_PANICKED") {
        const auto info = data.find("info");
        watch.guest_panicked(info != data.end() ? info->dump() : "");
    } else if (event.name() == "BLOCK_IO_ERROR" && text("action") == "stop") {
        watch.stopped_by_disk(
            fmt::format("it could not {} {}: {}", text("operation"), text("node-name"), text("reason")));
    } else if (event.name() == "RESUME") {
        watch.resumed();
    }
}

/// The whole command: what stands before QEMU, QEMU, the model, what the parameters add as it stands.
std::vector<std::string> argv_of_machine(const MachineSpec& spec, const Machine& model,
                                         const Capabilities& caps) {
    std::vector<std::string> words = spec.command_prefix;
    words.push_back(spec.qemu_binary);
    for (auto& word : argv(model, caps, spec.extra_params)) {
        words.push_back(std::move(word));
    }
    words.insert(words.end(), spec.extra_params.begin(), spec.extra_params.end());
    return words;
}

/// The machine of the parameters, with a monitor of our own where they name no QMP monitor.
MachineSpec spec_of(const Params& params, const std::string& name, const fs::path& data_dir) {
    auto spec = MachineSpec::from_params(params, name, data_dir);
    if (!has_qmp(spec)) {
        spec.monitors.push_back({own_monitor, true});
    }
    return spec;
}

std::string first_qmp(const MachineSpec& spec) {
    return std::find_if(spec.monitors.begin(), spec.monitors.end(), [](const auto& m) { return m.qmp; })
        ->name;
}

bool port_was_taken(std::string_view output) {
    return output.find("Could not set up host forwarding rule") != std::string_view::npos;
}

/// QEMU's last words, without its own name before each line.
std::string last_words(const fs::path& log) {
    std::string text;
    for (const auto& line : split(std::string(trim(read_tail(log, 2000))), '\n')) {
        const auto words = trim(line);
        if (!words.empty() && !words.starts_with("VNC server running on ")) {
            const auto colon = words.find(": ");
            const bool named = colon != std::string_view::npos &&
                               words.substr(0, colon).find("qemu") != std::string_view::npos &&
                               words.substr(0, colon).find(' ') == std::string_view::npos;
            text += (text.empty() ? "" : "; ") + std::string(named ? words.substr(colon + 2) : words);
        }
    }
    return text;
}

}  // namespace

std::string QemuVm::death_text() const {
    const Running& run = running();
    std::string text = fmt::format("VM {}: QEMU (pid {}) ", name_, run.process->pid());
    const auto status = const_cast<Running&>(run).process->status();
    text += !status ? "has ended" : (status->signal != 0 ? "was " : "ended with ") + status->text();
    const auto words = last_words(run.log);
    return text + (words.empty() ? ", without a word on its standard error" : "; it said: " + words);
}

void QemuVm::require_images(const MachineSpec& machine) const {
    for (const auto& drive : machine.drives) {
        std::error_code error;
        if (drive.file.empty() || fs::exists(drive.file, error)) {
            continue;
        }
        if (drive.cdrom) {
            throw VMImageMissingError(
                fmt::format("the file {} of CD {} is missing; put it there or change cdrom_{}",
                            drive.file.native(), drive.name, drive.name));
        }
        throw VMImageMissingError(ImageMissingError(drive.file, drive.name).what());
    }
    for (const auto& [file, key] :
         {std::pair{&machine.kernel, "kernel"}, std::pair{&machine.initrd, "initrd"}}) {
        std::error_code error;
        if (!file->empty() && !fs::exists(*file, error)) {
            throw VMImageMissingError(
                fmt::format("the file {} of parameter {} is missing; put it there, or let \"avocado "
                            "vt-bootstrap\" make it",
                            file->native(), key));
        }
    }
}

void QemuVm::make_instance() {
    instance_ = random_name();
    instance_dir_ = context_.job_dir / ("vm-" + instance_);
    answer_for_instance();
    make_private_directory(instance_dir_);
}

/// Overlays are large, and the job of a task that is killed may go on for long.
void QemuVm::answer_for_instance() {
    instance_entry_ = Journal::open(context_.dirs.journal())
                          ->add({Resource::Kind::directory, instance_dir_.native(), {}, false});
}

void QemuVm::place_overlays(Running& run) const {
    for (const auto& drive : run.machine.drives) {
        if (!drive.snapshot || drive.cdrom || !drive.has_medium()) {
            continue;
        }
        const fs::path overlay = instance_dir_ / ("overlay-" + drive.name + ".qcow2");
        const auto view = params_.object_params(name_).object_params(drive.name);
        Image::from_params(view, drive.name, context_.data_dir)
            .make_overlay(overlay, Deadline::after(Seconds{60}));
        run.placement.overlays[drive.name] = overlay;
        log::debug("Writes to image {} go to {}", drive.name, overlay.native());
    }
}

std::unique_ptr<Running> QemuVm::prepare(const Deadline& deadline) {
    auto run = std::make_unique<Running>();
    MachineSpec& machine = run->machine;
    machine = spec_of(params_, name_, context_.data_dir);
    require_images(machine);
    const auto qemu = process::find_program(machine.qemu_binary);
    if (!qemu) {
        throw process::NotFoundError(
            fmt::format("QEMU ({}) is not there; install qemu-system-x86 (Debian) or qemu-kvm (Fedora), or "
                        "name it by --vt-qemu-bin",
                        machine.qemu_binary));
    }
    try {
        run->caps = Capabilities::of(*qemu, user_cache_dir(context_.dirs),
                                     std::min(deadline.remaining(), Seconds{60}));
    } catch (const CapabilitiesError& error) {
        throw VMCreateError(fmt::format("VM {}: {}", name_, error.what()));
    }
    run->main_monitor = first_qmp(machine);
    for (const auto& nic : machine.nics) {
        if (nic.mac.empty() && !macs_.contains(nic.name)) {
            // The same in all tests of a job: guests name their interfaces by it.
            mac_leases_.push_back(
                MacLease::take(fmt::format("{} {} {}", context_.job_dir.native(), name_, nic.name)));
            macs_[nic.name] = mac_leases_.back().mac().text;
        }
    }
    if (uuid_.empty()) {
        uuid_ = random_uuid();
    }
    run->placement.uuid = uuid_;
    if (machine.accelerator.empty()) {
        const auto accelerator = probe_accelerator(*qemu, user_cache_dir(context_.dirs));
        run->placement.kvm = accelerator.kvm();
        log::info("Accelerator of {}: {} ({}{})", name_, accelerator.name(), accelerator.reason,
                  accelerator.cached ? ", as found earlier" : "");
    }
    return run;
}

void QemuVm::launch(Running& run, const Deadline& deadline) {
    run.placement.instance_dir = instance_dir_;
    place_network(run);
    place_overlays(run);
    place_memory(run.machine, run.placement, context_.data_dir);
    place_vsocks(run.machine, run.placement, run.leases);
    write_secrets(run.machine, instance_dir_);
    auto model = build_machine(run.machine, run.placement, run.caps);
    run.argv = argv_of_machine(run.machine, model, run.caps);
    run.devices = std::make_shared<Devices>(std::move(model), run.caps, run.machine, run.placement, name_,
                                            context_.data_dir);
    process::Command command;
    command.argv = run.argv;
    command.environment = run.machine.environment;
    command.environment["LC_ALL"] = "C";
    std::error_code error;
    fs::create_directories(context_.log_dir, error);
    run.log = context_.log_dir / ("qemu-" + name_ + ".log");
    const UniqueFd output(::open(run.log.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600));
    if (!output) {
        throw SystemError("make " + run.log.native(), errno);
    }
    run.process_name = "vm-" + instance_;
    run.companions =
        start_companions(*context_.guardian, run.process_name, companions_of(run.machine, run.placement),
                         context_.log_dir, name_, deadline);
    log::info("Running qemu command:\n{}", shell_quote(run.argv));
    process::GuardedStart start;
    start.name = run.process_name;
    start.command = command;
    start.output = output.get();
    for (const auto& tap : run.taps) {
        for (const auto& [nic, name] : run.placement.taps) {
            for (std::size_t i = 0; name == tap.name && i < tap.queues.size(); ++i) {
                start.fds.push_back({fmt::format("tap-{}-{}", nic, i), tap.queues[i].get(),
                                     run.placement.tap_fds.at(nic).at(i), false});
            }
        }
    }
    run.process = context_.guardian->start(start);
    for (auto& tap : run.taps) {
        tap.queues.clear();  // so that the tap goes with QEMU
    }
    run.log_watch = std::make_unique<LogWatch>(*context_.loop, run.log);
    log::debug("QEMU of {} has pid {}", name_, run.process->pid());
}

MonitorAddress QemuVm::monitor_address(const Running& run, const std::string& name) const {
    return {name, name_, monitor_socket(run.placement.instance_dir, name),
            context_.log_dir / fmt::format("{}-{}-pid-{}.log", name, name_, run.process->pid())};
}

fs::path QemuVm::serial_log_path(const std::string& serial) const {
    return context_.log_dir / fmt::format("serial-{}-{}.log", serial, name_);
}

void QemuVm::watch(Running& run) {
    const auto watch = run.watch;
    run.end_watch =
        std::make_unique<EndWatch>(*context_.loop, run.process->pidfd(), [watch] { watch->process_ended(); });
    for (const auto& companion : run.companions) {
        const auto what = fmt::format("{} (process {}), which VM {} needs, has ended", companion.name(),
                                      companion.pid(), name_);
        run.companion_watches.push_back(std::make_unique<EndWatch>(
            *context_.loop, companion.pidfd(), [watch, what] { watch->companion_ended(what); }));
    }
    auto& monitor = *run.qmp.at(run.main_monitor);
    monitor.on_event([watch, answers = run.answers](const QmpEvent& event) {
        if (event.name() == "RESET") {
            *answers = false;
        }
        pass_event(*watch, event);
    });
    run.devices->attach(monitor);
    monitor.on_closed([watch](const std::string& reason) { watch->monitor_lost(reason); });
}

void QemuVm::connect_consoles(Running& run, const Deadline& deadline) {
    for (const auto& serial : run.machine.serials) {
        if (!serial.is_console()) {
            continue;
        }
        const auto socket = serial_socket(run.placement.instance_dir, serial.name);
        std::shared_ptr<SerialConsole> console;
        try {
            console = std::make_shared<SerialConsole>(*context_.loop, socket, serial_log_path(serial.name),
                                                      deadline, run.watch->interrupt().get());
        } catch (const InterruptedError& ended) {
            // As a monitor that is lost at that moment, which has the right words for it.
            throw MonitorConnectError(serial.name, ended.what());
        }
        console->watch([watch = run.watch](std::string_view line) { watch->serial_line(line); });
        run.consoles[serial.name] = std::move(console);
    }
}

void QemuVm::connect(Running& run, const Deadline& deadline) {
    const auto address = monitor_address(run, run.main_monitor);
    const int pidfd = run.process->pidfd();
    if (!wait_for_socket(address.socket, pidfd, deadline)) {
        throw MonitorConnectError(address.name, "QEMU ended");
    }
    // A QEMU that ends just now leaves a socket at which nobody will ever listen again, so no attempt takes
    // long.
    for (Seconds patience{1};; patience *= 2) {
        try {
            run.qmp[run.main_monitor] =
                QmpMonitor::connect(*context_.loop, address, deadline.sooner(Deadline::after(patience)));
            break;
        } catch (const MonitorError&) {
            if (deadline.expired() || wait_for_end(pidfd, Deadline::after(Seconds{0.1}))) {
                throw;
            }
        }
    }
    watch(run);
    connect_consoles(run, deadline);
    watch_addresses(run);
    tell_ways_in(run);
}

void QemuVm::throw_create_error(const std::string& what, const std::string& output) const {
    if (output.find("failed to initialize kvm") != std::string::npos ||
        output.find("Could not access KVM") != std::string::npos) {
        throw VMKVMInitError(what + "; set disable_kvm = yes to run without KVM");
    }
    throw VMCreateError(what);
}

/// True if it runs; false if a port was taken between our look and QEMU's and there are tries left.
bool QemuVm::start_once(const Deadline& deadline, bool last_try) {
    make_instance();
    auto run = prepare(deadline);
    try {
        launch(*run, deadline);
        connect(*run, deadline);
    } catch (const MonitorError& lost) {
        if (!run->process) {
            throw;
        }
        // QEMU that refuses its command line closes its monitor first and ends right after.
        const bool ended = wait_for_end(run->process->pidfd(), Deadline::after(Seconds{2}));
        const std::string output = read_tail(run->log, 4000);
        running_ = std::move(run);
        const std::string what =
            ended ? death_text() : fmt::format("VM {}: QEMU does not answer: {}", name_, lost.what());
        running_->watch->expect_end();
        clean_up();
        if (ended && port_was_taken(output) && !last_try) {
            log::info("A port that was free is taken; trying others ({})", what);
            return false;
        }
        throw_create_error(what, output);
    } catch (...) {
        std::error_code error;
        forget_ways_in();
        leave_networks(*run);
        run.reset();
        fs::remove_all(instance_dir_, error);
        instance_entry_ = {};
        throw;
    }
    running_ = std::move(run);
    return true;
}

void QemuVm::create(const Deadline& deadline) {
    if (!is_dead()) {
        destroy(false);
    }
    clean_up();
    for (int left = port_tries - 1; !start_once(deadline, left == 0); --left) {
    }
    Running& run = running();
    const Params view = params_.object_params(name_);
    if (run.machine.start_paused && view.get("paused_after_start_vm") != "yes") {
        try {
            monitor().command("cont", deadline);
        } catch (const MonitorSocketError&) {
            wait_for_end(run.process->pidfd(), Deadline::after(Seconds{2}));
            const auto what = death_text();
            clean_up();
            throw VMCreateError(what);
        }
    }
}

std::string QemuVm::state() const {
    const Running& run = running();
    nlohmann::json json = {{"instance", instance_},
                           {"instance_dir", instance_dir_.native()},
                           {"process", run.process_name},
                           {"log", run.log.native()},
                           {"kvm", run.placement.kvm},
                           {"command_line", run.argv},
                           {"version", record_version},
                           {"machine", run.devices->machine().to_json()},
                           {"uuid", uuid_},
                           {"macs", macs_},
                           {"forwarded", run.placement.forwarded},
                           {"taps", run.placement.taps},
                           {"tap_fds", run.placement.tap_fds},
                           {"let_us_in", run.let_us_in},
                           {"firmware_code", run.placement.firmware_code.native()},
                           {"firmware_vars", run.placement.firmware_vars.native()},
                           {"vsocks", run.placement.vsock_cids}};
    auto& tpms = json["tpms"] = nlohmann::json::object();
    for (const auto& [tpm, dir] : run.placement.tpm_state) {
        tpms[tpm] = dir.native();
    }
    auto& overlays = json["overlays"] = nlohmann::json::object();
    for (const auto& [drive, file] : run.placement.overlays) {
        overlays[drive] = file.native();
    }
    auto& params = json["params"] = nlohmann::json::array();
    params_.for_each([&](std::string_view key, std::string_view value) {
        params.push_back({to_valid_utf8(key), to_valid_utf8(value)});
    });
    return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

bool QemuVm::needs_restart(const Params& params) {
    if (!running_) {
        return true;
    }
    const Running& run = running();
    try {
        const auto spec = spec_of(params, name_, context_.data_dir);
        for (const auto& nic : spec.nics) {
            if (run.placement.taps.contains(nic.name)) {
                continue;
            }
            const auto ports = run.placement.forwarded.find(nic.name);
            for (const auto& [redir, port] : nic.redirs) {
                if (ports == run.placement.forwarded.end() || !ports->second.contains(redir)) {
                    log::debug("VM {} must start anew: port {} of {} is not forwarded", name_, port,
                               nic.name);
                    return true;
                }
            }
        }
        const auto wanted = build_machine(spec, run.placement, run.caps);
        auto difference = run.devices->machine().difference(wanted);
        if (!difference && (spec.qemu_binary != run.machine.qemu_binary ||
                            spec.command_prefix != run.machine.command_prefix ||
                            spec.extra_params != run.machine.extra_params)) {
            difference = "the program or its extra arguments would be others";
        }
        if (difference) {
            log::debug("VM {} must start anew: {}", name_, *difference);
        }
        return difference.has_value();
    } catch (const Error& error) {
        log::debug("VM {} must start anew: {}", name_, error.what());
        return true;
    }
}

bool QemuVm::adopt(const nlohmann::json& state) {
    if (state.value("version", 0) != record_version) {
        throw VMError(fmt::format("VM {} was left by another version of this program", name_));
    }
    auto process = context_.guardian->adopt(state.at("process").get<std::string>());
    if (!process) {
        return false;
    }
    auto run = std::make_unique<Running>();
    run->process = std::move(process);
    run->companions = run->process->take_companions();
    run->process_name = state.at("process").get<std::string>();
    run->log = state.at("log").get<std::string>();
    run->log_watch = std::make_unique<LogWatch>(*context_.loop, run->log);
    instance_ = state.at("instance").get<std::string>();
    instance_dir_ = state.at("instance_dir").get<std::string>();
    uuid_ = state.at("uuid").get<std::string>();
    macs_ = state.at("macs").get<std::map<std::string, std::string>>();
    std::vector<std::pair<std::string, std::string>> pairs;
    for (const auto& pair : state.at("params")) {
        pairs.emplace_back(pair.at(0).get<std::string>(), pair.at(1).get<std::string>());
    }
    params_ = Params(pairs);
    run->machine = spec_of(params_, name_, context_.data_dir);
    run->main_monitor = first_qmp(run->machine);
    run->caps = Capabilities::of(run->machine.qemu_binary, user_cache_dir(context_.dirs));
    Placement& placement = run->placement;
    placement.instance_dir = instance_dir_;
    placement.kvm = state.at("kvm").get<bool>();
    placement.uuid = uuid_;
    for (const auto& nic : run->machine.nics) {
        if (const auto mac = macs_.find(nic.name); mac != macs_.end()) {
            placement.macs[nic.name] = mac->second;
        }
    }
    placement.taps = state.at("taps").get<decltype(placement.taps)>();
    placement.tap_fds = state.at("tap_fds").get<decltype(placement.tap_fds)>();
    placement.forwarded = state.at("forwarded").get<decltype(placement.forwarded)>();
    placement.firmware_code = state.at("firmware_code").get<std::string>();
    placement.firmware_vars = state.at("firmware_vars").get<std::string>();
    placement.vsock_cids = state.at("vsocks").get<decltype(placement.vsock_cids)>();
    for (const auto& [tpm, dir] : state.at("tpms").items()) {
        placement.tpm_state[tpm] = dir.get<std::string>();
    }
    for (const auto& [drive, file] : state.at("overlays").items()) {
        placement.overlays[drive] = file.get<std::string>();
    }
    run->argv = state.at("command_line").get<std::vector<std::string>>();
    run->let_us_in = state.at("let_us_in").get<bool>();
    *run->answers = run->let_us_in;
    run->devices = std::make_shared<Devices>(Machine::from_json(state.at("machine"), run->caps), run->caps,
                                             run->machine, placement, name_, context_.data_dir);
    connect(*run, Deadline::after(Seconds{10}));
    const auto differences = run->devices->differences(Deadline::after(Seconds{20}));
    if (!differences.empty()) {
        throw VMError(fmt::format("it is not the machine that was left: {}", join(differences, "; ")));
    }
    running_ = std::move(run);
    answer_for_instance();
    log::info("VM {} (pid {}), left by an earlier test of this job, goes on", name_, get_pid());
    return true;
}

std::shared_ptr<Vm> make_vm(const std::string& name, const Params& params, const VmContext& context) {
    return std::make_shared<QemuVm>(name, params, context);
}

std::shared_ptr<Devices> devices_of(Vm& vm) {
    auto* machine = dynamic_cast<QemuVm*>(&vm);
    return machine == nullptr ? nullptr : machine->devices();
}

std::shared_ptr<Vm> adopt_vm(const std::string& name, const Params& params, const std::string& state,
                             const VmContext& context) {
    auto vm = std::make_shared<QemuVm>(name, params, context);
    try {
        if (vm->adopt(nlohmann::json::parse(state))) {
            return vm;
        }
        log::debug("VM {} of an earlier test is gone", name);
    } catch (const std::exception& error) {
        log::warning("VM {} of an earlier test cannot be taken over: {}", name, error.what());
    }
    return nullptr;
}

}  // namespace vt::qemu

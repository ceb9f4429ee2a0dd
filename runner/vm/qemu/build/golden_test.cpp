// SPDX-License-Identifier: GPL-2.0-or-later
// The machine in QEMU's eyes. golden/NAME.args are command lines as they were written before there was a
// model; what is built from golden/NAME.params must be the same machine: the same devices at the same PCI
// addresses, the same disks. Then the model is held against the QEMU that it made.
#include "runner/caps/capabilities.hpp"
#include "runner/io/io_loop.hpp"
#include "runner/monitor/qmp.hpp"
#include "runner/process/process.hpp"
#include "runner/support/file.hpp"
#include "runner/support/log.hpp"
#include "runner/support/strings.hpp"
#include "runner/vm/qemu/build/builder.hpp"
#include "runner/vm/qemu/launch.hpp"
#include "runner/vm/qemu/verbs/compare.hpp"
#include "runner/vm/qemu/wire/wire.hpp"

#include <map>
#include <set>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

namespace vt::qemu {

namespace {

using nlohmann::json;
namespace fs = std::filesystem;

const fs::path golden = VT_GOLDEN;

/// A QEMU with stopped processors.
class Started {
  public:
    Started(std::vector<std::string> argv, const fs::path& dir, const std::string& name) {
        const auto socket = dir / (name + ".qmp");
        argv.insert(argv.end(), {"-qmp", "unix:" + socket.native() + ",server=on,wait=off"});
        process::Command command;
        command.argv = std::move(argv);
        child_ = std::make_unique<process::Child>(
            command, [this](std::string_view line) { words_ += std::string(line) + "\n"; });
        const auto deadline = Deadline::after(Seconds{60});
        if (!wait_for_socket(socket, child_->pidfd(), deadline)) {
            child_->wait(deadline);
            FAIL(words_);
        }
        try {
            monitor_ = QmpMonitor::connect(loop_, {"golden", name, socket, {}, {}}, deadline);
        } catch (const Error& error) {
            child_->wait(Deadline::after(Seconds{5}));
            FAIL(error.what() << ": " << words_);
        }
    }

    json ask(const std::string& command, const json& arguments = json::object()) {
        return monitor_->command(command, arguments, Deadline::after(Seconds{60}));
    }
    QmpMonitor& monitor() { return *monitor_; }

  private:
    std::string words_;
    IoLoop loop_;
    std::unique_ptr<process::Child> child_;
    std::unique_ptr<QmpMonitor> monitor_;
};

/// "BUS.SLOT.FUNCTION ID CLASS" of everything on PCI.
std::set<std::string> pci_of(Started& qemu) {
    std::set<std::string> lines;
    for (const auto& bus : qemu.ask("query-pci")) {
        for (const auto& device : bus.at("devices")) {
            auto id = device.value("qdev_id", "");
            // What had no id has one now.
            if (id.starts_with("sound") || id.starts_with("watchdog")) {
                id.clear();
            }
            lines.insert(std::to_string(device.value("slot", -1)) + "." +
                         std::to_string(device.value("function", -1)) + " " + id + " " +
                         device.at("id").dump());
        }
    }
    return lines;
}

/// How many devices of each type there are.
std::map<std::string, int> types_of(Started& qemu) {
    std::map<std::string, int> types;
    for (const char* path : {"/machine/peripheral", "/machine/peripheral-anon"}) {
        for (const auto& entry : qemu.ask("qom-list", {{"path", path}})) {
            if (entry.at("type").get<std::string>().starts_with("child<")) {
                ++types[entry.at("type")];
            }
        }
    }
    return types;
}

/// Disks by device, with their images and caches.
std::set<std::string> disks_of(Started& qemu) {
    std::set<std::string> lines;
    for (const auto& disk : qemu.ask("query-block")) {
        const auto inserted = disk.value("inserted", json::object());
        lines.insert(disk.value("qdev", "") + " " + inserted.value("node-name", "") + " " +
                     inserted.value("file", "") + " " + inserted.value("cache", json()).dump() + " " +
                     std::to_string(inserted.value("ro", false)));
    }
    return lines;
}

/// Where everything of USB, SCSI and so on sits, as "info qtree" has it: type, id and bus of each device.
std::set<std::string> tree_of(Started& qemu) {
    std::set<std::string> lines;
    std::vector<std::pair<std::size_t, std::string>> way;
    const auto text = qemu.ask("human-monitor-command", {{"command-line", "info qtree"}}).get<std::string>();
    for (const auto& line : split(text, '\n')) {
        const auto indent = line.find_first_not_of(' ');
        const auto word = std::string(trim(line));
        if (!word.starts_with("bus: ") && !word.starts_with("dev: ")) {
            continue;
        }
        while (!way.empty() && way.back().first >= indent) {
            way.pop_back();
        }
        way.emplace_back(indent, word);
        std::string path;
        for (const auto& [depth, step] : way) {
            // Ids that there were not before, and numbers of buses that have no owner with an id.
            const bool named = step.find("\"sound") != std::string::npos ||
                               step.find("\"watchdog") != std::string::npos ||
                               step.find("\"isa-debug") != std::string::npos ||
                               step.find("\"vmcoreinfo") != std::string::npos ||
                               step.find("\"debugcon") != std::string::npos || step.starts_with("bus: hda") ||
                               step.starts_with("bus: sound");
            path += (named ? step.substr(0, step.starts_with("bus") ? 4 : step.find(',')) : step) + "/";
        }
        // How a device says that it has no id.
        lines.insert(replace_all(path, ", id \"\"", ""));
    }
    return lines;
}

Params read_params(const fs::path& file) {
    Params params;
    for (const auto& line : split(read_file(file), '\n')) {
        if (const auto equals = line.find('='); equals != std::string::npos) {
            params.set(line.substr(0, equals), line.substr(equals + 1));
        }
    }
    return params;
}

void make_images(const fs::path& dir) {
    for (const char* name : {"image1", "stg", "a", "b", "c", "d", "e", "f", "g"}) {
        process::Command command;
        command.argv = {
            "qemu-img", "create", "-q", "-f", "qcow2", (dir / (std::string(name) + ".qcow2")).native(), "1M"};
        process::check(command, Deadline::after(Seconds{60}));
    }
    write_file_atomically(dir / "cd.iso", std::string(65536, '\0'));
}

}  // namespace

TEST_CASE("the same machines as before there was a model, in QEMU's eyes") {
    if (!process::find_program("qemu-system-x86_64") || !process::find_program("qemu-img")) {
        MESSAGE("qemu-system-x86_64 or qemu-img is not installed; its tests are skipped");
        return;
    }
    log::set_sink([](auto, auto, auto) {});
    const TempDirectory dir("vt-golden-");
    make_images(dir.path());
    const auto caps = Capabilities::of("qemu-system-x86_64", dir.path());
    for (const std::string name : {"virtio", "disks", "companions", "q35"}) {
        CAPTURE(name);
        auto params = read_params(golden / (name + ".params"));
        // The bridge for cards to be plugged is new on machines with PCI Express.
        auto spec = MachineSpec::from_params(params, "vm1", dir.path());
        spec.pci_bridge = false;
        Placement placement;
        placement.instance_dir = dir.path();
        const auto machine = build_machine(spec, placement, caps);
        auto words = argv(machine, caps);
        words.insert(words.begin(), "qemu-system-x86_64");
        std::vector<std::string> old;
        const auto text = replace_all(read_file(golden / (name + ".args")), "/DIR", dir.path().native());
        for (const auto& line : split(text, '\n')) {
            if (!line.empty()) {
                old.push_back(line);
            }
        }
        std::set<std::string> pci, disks, tree;
        std::map<std::string, int> types;
        {
            Started before(old, dir.path(), name + "-old");
            pci = pci_of(before);
            disks = disks_of(before);
            types = types_of(before);
            tree = tree_of(before);
        }
        Started now(words, dir.path(), name + "-new");
        CHECK(pci_of(now) == pci);
        CHECK(disks_of(now) == disks);
        CHECK(types_of(now) == types);
        CHECK(tree_of(now) == tree);
        const auto differences = compare_with_qemu(machine, now.monitor(), Deadline::after(Seconds{60}));
        CHECK(join(differences, "\n") == "");
        // The stored model is the same machine, too.
        const auto again = Machine::from_json(json::parse(machine.to_json().dump()), caps);
        CHECK(!machine.difference(again));
        CHECK(argv(again, caps) == argv(machine, caps));
    }
    log::set_sink({});
}

}  // namespace vt::qemu

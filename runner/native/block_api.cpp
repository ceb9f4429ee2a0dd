// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/native/block_api.hpp"

#include "runner/harness/block/filters.hpp"
#include "runner/harness/block/image.hpp"
#include "runner/harness/block/machine.hpp"
#include "runner/io/io_loop.hpp"
#include "runner/support/error.hpp"
#include "runner/support/runtime_dirs.hpp"
#include "runner/support/strings.hpp"

#include <set>
#include <string>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

namespace vt::api {
namespace fs = std::filesystem;
namespace {

using Json = nlohmann::json;

constexpr Seconds tool_time{300};
constexpr Seconds start_time{60};
constexpr Seconds command_time{60};

Json json_of(std::string_view what, std::string_view text) {
    if (text.empty()) {
        return {};
    }
    try {
        return Json::parse(text);
    } catch (const Json::exception& error) {
        throw Error(fmt::format("{}: the arguments are no JSON: {}", what, error.what()));
    }
}

std::string disk_of(std::string_view node) {
    return fmt::format("disk-{}", node);
}

/// Where a virtio disk has its image, as the monitor's command names it.
std::string back_end_of(std::string_view node) {
    return fmt::format("-d /machine/peripheral/{}/virtio-backend", disk_of(node));
}

block::Settings settings_of(const Params& params) {
    block::Settings settings;
    settings.format = params.get("block_format", "qcow2");
    if (const auto mode = params.get("block_cache", ""); !mode.empty()) {
        settings.cache_mode = mode;
    }
    settings.programs.qemu = params.get("qemu_binary", "");
    settings.programs.qemu_img = params.get("qemu_img_binary", "");
    settings.programs.qemu_io = params.get("qemu_io_binary", "");
    settings.programs.complete();
    return settings;
}

}  // namespace

struct BlockVm::Impl {
    block::Machine machine;
    std::string format;
    std::set<std::string> disks;  ///< nodes that have one
};

struct BlockTest::Impl {
    Impl(Test& test, const Params& params)
        : settings(settings_of(params)),
          dirs(RuntimeDirs::make()),
          facts(block::Facts::of(settings.programs, user_cache_dir(dirs))),
          tools(settings),
          dir(test.workdir()),
          logs(test.logdir()) {
        names = {dir.string(), dir.string(), settings.format, ::getpid(), true};
        if (!facts.has_image_format(settings.format)) {
            test.cancel(fmt::format("{} has no image format {}", settings.programs.qemu_img.string(),
                                    settings.format));
        }
    }

    block::Settings settings;
    RuntimeDirs dirs;
    block::Facts facts;
    block::Tools tools;
    fs::path dir;
    fs::path logs;
    block::Names names;
    IoLoop loop;
    int machines = 0;
};

std::string BlockVm::qmp(std::string_view command, std::string_view arguments, Seconds timeout) {
    return impl_->machine.command(std::string(command), json_of(command, arguments), Deadline::after(timeout))
        .dump();
}

void BlockVm::add_node(std::string_view name, const fs::path& file, std::string_view format,
                       std::string_view backing) {
    Json node{{"node-name", name},
              {"driver", format.empty() ? impl_->format : std::string(format)},
              {"file", {{"driver", "file"}, {"filename", file.string()}}}};
    if (!backing.empty()) {
        node["backing"] = backing;
    }
    impl_->machine.command("blockdev-add", node, Deadline::after(command_time));
}

void BlockVm::io(std::string_view node, std::string_view command) {
    const bool has_disk = impl_->disks.count(std::string(node)) > 0;
    const auto line =
        fmt::format("qemu-io {} \"{}\"", has_disk ? back_end_of(node) : std::string(node), command);
    const auto said = impl_->machine.command("human-monitor-command", {{"command-line", line}},
                                             Deadline::after(command_time));
    // What a command prints itself goes to QEMU's output; here is what the monitor says against it.
    const auto text = said.is_string() ? said.get<std::string>() : said.dump();
    if (!trim(text).empty()) {
        throw Error(fmt::format("{} on node {}: {}", command, node, trim(text)));
    }
}

void BlockVm::add_disk(std::string_view node) {
    impl_->machine.command("device_add",
                           {{"driver", "virtio-blk-pci"}, {"drive", node}, {"id", disk_of(node)}},
                           Deadline::after(command_time));
    impl_->disks.emplace(node);
}

std::string BlockVm::await_event(std::string_view name, std::string_view match, Seconds timeout) {
    return impl_->machine.await_event(std::string(name), json_of(name, match), Deadline::after(timeout))
        .object()
        .dump();
}

void BlockVm::start_job(std::string_view job, std::string_view command, std::string_view arguments) {
    auto given = json_of(command, arguments);
    given["job-id"] = job;
    given["auto-dismiss"] = given.value("auto-dismiss", false);
    impl_->machine.command(std::string(command), given, Deadline::after(command_time));
}

void BlockVm::await_ready(std::string_view job, Seconds timeout) {
    impl_->machine.await_ready(std::string(job), Deadline::after(timeout));
}

void BlockVm::run_job(std::string_view job, const JobRun& how, Seconds timeout) {
    impl_->machine.run_job(std::string(job),
                           {how.auto_finalize, how.auto_dismiss, how.cancel, how.before_finalize},
                           Deadline::after(timeout));
}

void BlockVm::quit(Seconds timeout) {
    impl_->machine.quit(Deadline::after(timeout));
}

void BlockVm::power_cut() {
    impl_->machine.power_cut();
}

BlockTest::BlockTest(Test& test, const Params& params) : impl_(std::make_shared<Impl>(test, params)) {}

fs::path BlockTest::path(std::string_view name) const {
    return impl_->dir / name;
}

const std::string& BlockTest::format() const {
    return impl_->settings.format;
}

fs::path BlockTest::create_image(std::string_view name, std::uint64_t size, std::string_view format,
                                 const fs::path& backing, std::string_view backing_format) {
    const auto image = path(name);
    impl_->tools.create(image, size, Deadline::after(tool_time), std::string(format), backing,
                        std::string(backing_format));
    return image;
}

std::string BlockTest::io(const fs::path& image, const std::vector<std::string>& commands,
                          std::string_view format) {
    return filter(impl_->tools.io(image, commands, Deadline::after(tool_time), std::string(format)));
}

std::string BlockTest::img(const std::vector<std::string>& arguments) {
    return filter(impl_->tools.img(arguments, Deadline::after(tool_time)).output);
}

bool BlockTest::same_content(const fs::path& one, const fs::path& other, std::string_view format,
                             std::string_view other_format) {
    return impl_->tools.same_content(one, other, Deadline::after(tool_time), std::string(format),
                                     std::string(other_format));
}

void BlockTest::check(const fs::path& image, std::string_view format) {
    impl_->tools.check(image, Deadline::after(tool_time), std::string(format));
}

std::string BlockTest::filter(std::string_view output) const {
    auto text = block::filter_qemu_io(std::string(output));
    text = block::filter_test_dir(std::move(text), impl_->names);
    return block::filter_generated_node_ids(block::filter_imgfmt(std::move(text), impl_->names));
}

BlockVm BlockTest::start(const std::vector<std::string>& arguments) {
    const auto dir = impl_->logs / fmt::format("block-vm-{}", ++impl_->machines);
    fs::create_directories(dir);
    // The loop is this test's, and must outlive the machine.
    auto made = std::shared_ptr<BlockVm::Impl>(
        new BlockVm::Impl{block::Machine(impl_->loop, impl_->settings, impl_->facts, dir, arguments,
                                         Deadline::after(start_time)),
                          impl_->settings.format,
                          {}},
        [owner = impl_](BlockVm::Impl* vm) { delete vm; });
    return BlockVm(std::move(made));
}

}  // namespace vt::api

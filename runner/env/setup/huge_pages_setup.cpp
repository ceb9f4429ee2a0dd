// SPDX-License-Identifier: GPL-2.0-or-later
// `setup_hugepages`: huge pages for the machines of a test, and the file system that QEMU takes them from.
#include "runner/env/setup/host_changes.hpp"
#include "runner/env/setup/setup_params.hpp"
#include "runner/support/file.hpp"
#include "runner/support/kernel_setting.hpp"
#include "runner/support/log.hpp"
#include "runner/support/strings.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <utility>

namespace vt {

namespace fs = std::filesystem;

namespace {

constexpr const char* default_pool = "/proc/sys/vm/nr_hugepages";
constexpr const char* overcommit_file = "/proc/sys/vm/nr_overcommit_hugepages";

std::int64_t to_number(std::string_view text) {
    std::int64_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

/// MiB of "512M", "1G", "512".
double mebibytes(const std::string& text) {
    const auto number = static_cast<double>(to_number(text));
    const char unit = text.empty() ? 'M' : text.back();
    return unit == 'G' ? number * 1024 : unit == 'K' ? number / 1024 : number;
}

class HugePagesSetup : public Setup {
  public:
    explicit HugePagesSetup(const SetupScope& scope)
        : params_(scope.test.params), changes_(scope.test.vm.dirs.journal(), scope.test.host_root) {}

    std::string_view name() const override { return "huge pages"; }

    void set_up() override {
        if (yes(params_, "hugepage")) {
            params_.set("setup_hugepages", "yes");
        }
        if (!yes(params_, "setup_hugepages")) {
            return;
        }
        if (!fs::exists(changes_.at(pool()))) {
            throw TestSkip(fmt::format("this kernel has no huge pages: there is no {}", pool().native()));
        }
        check_support();
        size_ = page_size();
        surplus_ = meminfo("HugePages_Surp");
        honour("setup_hugepages = yes", [&] { reserve(); });
        const fs::path place = params_.get("vm_hugepage_mountpoint", "/mnt/kvm_hugepage");
        if (!is_mounted(place)) {
            honour("setup_hugepages = yes",
                   [&] { changes_.mount("none", place, "hugetlbfs", fmt::format("pagesize={}K", size_)); });
        }
        if (params_.get("hugepage_path").empty()) {
            params_.set("hugepage_path", place.native());
        }
    }

    void clean_up() override {
        if (changes_.empty()) {
            return;
        }
        if (!yes(params_, "hugepages_deallocate", "yes")) {
            changes_.leave();
            return;
        }
        changes_.undo();
        if (const auto now = meminfo("HugePages_Surp"); now > surplus_) {
            throw TestError(fmt::format("{} huge pages leaked", now - surplus_));
        }
    }

  private:
    fs::path pool() const { return params_.get("kernel_hp_file", default_pool); }

    std::int64_t meminfo(const std::string& key) const {
        for (const auto& line : split(read_file(changes_.at("/proc/meminfo")), '\n')) {
            if (const auto words = split_words(line); words.size() > 1 && words[0] == key + ":") {
                return to_number(words[1]);
            }
        }
        return 0;
    }

    /// In KiB; a pool of its own has it in its name ("…/hugepages-1048576kB/nr_hugepages").
    std::int64_t page_size() const {
        std::int64_t size = meminfo("Hugepagesize");
        if (pool() != default_pool) {
            const auto directory = pool().parent_path().filename().native();
            size = to_number(std::string_view(directory).substr(directory.rfind('-') + 1));
        } else if (const auto wanted = params_.get_numeric("expected_hugepage_size", 0);
                   wanted != 0 && wanted != size) {
            throw TestSkip(
                fmt::format("the test wants huge pages of {} KiB (expected_hugepage_size), "
                            "this host's have {} KiB",
                            wanted, size));
        }
        if (size <= 0) {
            throw TestCancel(
                fmt::format("how large the huge pages of {} are cannot be told", pool().native()));
        }
        return size;
    }

    void check_support() const {
        const auto flag = params_.get("hugepage_cpu_flag");
        const auto option = params_.get("hugepage_match_str");
        if (flag.empty() || option.empty()) {
            return;
        }
        const auto words = split_words(read_file(changes_.at("/proc/cpuinfo")));
        if (std::find(words.begin(), words.end(), flag) == words.end()) {
            throw TestSkip(fmt::format("this host's processor has no {} (hugepage_cpu_flag)", flag));
        }
        if (read_file(changes_.at("/proc/cmdline")).find(option) == std::string::npos) {
            throw TestSkip(
                fmt::format("the host's kernel was not started with {} (hugepage_match_str)", option));
        }
    }

    std::int64_t machines() const {
        return std::max<std::int64_t>(static_cast<std::int64_t>(params_.objects("vms").size()),
                                      params_.get_numeric("max_vms", 0));
    }

    std::int64_t overhead() const { return params_.get_numeric("hugepages_qemu_overhead", 128); }

    std::int64_t target() const {
        if (params_.contains("target_hugepages")) {
            return params_.get_numeric("target_hugepages");
        }
        return machines() * (params_.get_numeric("mem", 1024) + overhead()) * 1024 / size_;
    }

    void reserve() {
        const auto overcommit = params_.get_numeric("overcommit_hugepages", 0);
        if (fs::exists(changes_.at(overcommit_file)) &&
            to_number(changes_.read(overcommit_file)) != overcommit) {
            changes_.set(overcommit_file, std::to_string(overcommit));
        }
        const auto wanted = std::max<std::int64_t>(target() + surplus_ - overcommit, 0);
        if (const auto nodes = split_words(params_.get("target_nodes")); !nodes.empty()) {
            reserve_on_nodes(nodes, wanted);
            return;
        }
        if (to_number(changes_.read(pool())) >= wanted) {
            changes_.guard(pool());
            return;
        }
        if (const auto got = fill(pool(), wanted); got < wanted) {
            make_do_with(got, wanted);
        }
    }

    void reserve_on_nodes(const std::vector<std::string>& nodes, std::int64_t wanted) {
        const auto share = wanted / static_cast<std::int64_t>(nodes.size());
        std::int64_t odd = wanted % static_cast<std::int64_t>(nodes.size());
        for (const auto& node : nodes) {
            const auto count =
                params_.object_params("node" + node).get_numeric("target_num", share + std::exchange(odd, 0));
            const fs::path file = fmt::format(
                "/sys/devices/system/node/node{}/hugepages/hugepages-{}kB/nr_hugepages", node, size_);
            if (const auto got = fill(file, count); got < count) {
                throw Error(fmt::format("node {} has room for {} huge pages of {} KiB, not for {}", node, got,
                                        size_, count));
            }
        }
    }

    /// Asks for \p wanted pages and returns how many there are; memory is made free where there are too few.
    std::int64_t fill(const fs::path& file, std::int64_t wanted) {
        changes_.set(file, std::to_string(wanted));
        for (const auto& [helper, word] :
             {std::pair{"/proc/sys/vm/compact_memory", "1"}, std::pair{"/proc/sys/vm/drop_caches", "3"}}) {
            if (to_number(changes_.read(file)) >= wanted || !fs::exists(changes_.at(helper))) {
                continue;
            }
            kernel_setting::write(changes_.at(helper), word);
            kernel_setting::write(changes_.at(file), std::to_string(wanted));
        }
        return to_number(changes_.read(file));
    }

    /// Too few: the machines get less memory, if that is still enough.
    void make_do_with(std::int64_t got, std::int64_t wanted) {
        const auto problem =
            fmt::format("the kernel can make {} huge pages of {} KiB, {} are needed", got, size_, wanted);
        if (yes(params_, "hugepage_force_allocate") || machines() == 0 ||
            params_.contains("target_hugepages")) {
            throw Error(problem);
        }
        const auto memory = got * size_ / machines() / 1024 - overhead();
        const auto least = params_.get("vm_mem_minimum", "512M");
        if (static_cast<double>(memory) < mebibytes(least)) {
            throw Error(fmt::format("{}: that leaves {} MiB for a machine, less than {} (vm_mem_minimum)",
                                    problem, memory, least));
        }
        log::warning("{}: each machine gets {} MiB", problem, memory);
        params_.set("mem", std::to_string(memory));
    }

    bool is_mounted(const fs::path& place) const {
        for (const auto& line : split(read_file("/proc/self/mounts"), '\n')) {
            if (const auto words = split_words(line); words.size() > 2 && words[1] == place.native()) {
                return true;
            }
        }
        return false;
    }

    Params& params_;
    HostChanges changes_;
    std::int64_t size_ = 0;     ///< of a page, KiB
    std::int64_t surplus_ = 0;  ///< pages beyond the pool before the test
};

}  // namespace

std::unique_ptr<Setup> make_huge_pages_setup(const SetupScope& scope) {
    return std::make_unique<HugePagesSetup>(scope);
}

}  // namespace vt

// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/sharing/host_memory.hpp"

#include "runner/support/file.hpp"

#include <cstdlib>

#include <doctest/doctest.h>

namespace fs = std::filesystem;

namespace {

void put(const fs::path& path, const std::string& text) {
    fs::create_directories(path.parent_path());
    vt::write_file_atomically(path, text);
}

}  // namespace

TEST_CASE("what is available: the kernel's word and the tightest control group of version 2") {
    const vt::TempDirectory dir("vt-test-");
    const auto& root = dir.path();
    put(root / "proc/meminfo", "MemTotal:  16000000 kB\nMemFree: 5 kB\nMemAvailable:  8388608 kB\n");
    put(root / "proc/self/cgroup", "0::/user.slice/job\n");
    CHECK(vt::available_memory(root) == vt::MemoryPools{{"host", 8192}});
    const auto groups = root / "sys/fs/cgroup";
    put(groups / "user.slice/memory.max", "2147483648\n");
    put(groups / "user.slice/memory.current", "1073741824\n");
    put(groups / "user.slice/memory.stat", "anon 1\ninactive_file 536870912\n");
    put(groups / "user.slice/job/memory.max", "max\n");
    put(groups / "user.slice/job/memory.current", "0\n");
    CHECK(vt::available_memory(root) == vt::MemoryPools{{"host", 8192}, {"control group /user.slice", 1536}});
}

TEST_CASE("control groups of version 1, and figures that are not there") {
    const vt::TempDirectory dir("vt-test-");
    const auto& root = dir.path();
    CHECK(vt::available_memory(root).empty());
    put(root / "proc/self/cgroup", "4:memory:/a\n0::/\n");
    put(root / "sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    put(root / "sys/fs/cgroup/memory/memory.usage_in_bytes", "12345\n");
    put(root / "sys/fs/cgroup/memory/a/memory.limit_in_bytes", "1048576\n");
    put(root / "sys/fs/cgroup/memory/a/memory.usage_in_bytes", "2097152\n");
    CHECK(vt::available_memory(root) == vt::MemoryPools{{"control group /a", 0}});
}

TEST_CASE("the figure of the user's") {
    const vt::TempDirectory dir("vt-test-");
    put(dir.path() / "proc/meminfo", "MemAvailable:  8388608 kB\n");
    ::setenv("AVOCADO_VT_MEMORY", "300", 1);
    CHECK(vt::available_memory(dir.path()) == vt::MemoryPools{{"host", 300}});
    ::setenv("AVOCADO_VT_MEMORY", "lots", 1);
    CHECK(vt::available_memory(dir.path()) == vt::MemoryPools{{"host", 8192}});
    ::unsetenv("AVOCADO_VT_MEMORY");
}

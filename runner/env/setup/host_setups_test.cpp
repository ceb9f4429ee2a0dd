// SPDX-License-Identifier: GPL-2.0-or-later
// Setups that change the host, on a small host of files.
#include "runner/env/setup/kernel_log.hpp"
#include "runner/env/setup/small_host_for_test.hpp"
#include "runner/support/file.hpp"

#include <cstdlib>

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace vt {

namespace fs = std::filesystem;

namespace {

void give_ksm(const SmallHost& host) {
    host.put("sys/kernel/mm/ksm/run", "0\n");
    host.put("sys/kernel/mm/ksm/pages_to_scan", "100\n");
    host.put("sys/kernel/mm/ksm/sleep_millisecs", "20\n");
}

}  // namespace

TEST_CASE("setup_ksm: set for the test, and as before after it") {
    SmallHost host({{"setup_ksm", "yes"}, {"ksm_run", "yes"}, {"ksm_pages_to_scan", "7"}});
    give_ksm(host);
    CHECK(host.run([&](TestContext&, Env&) {
                  CHECK(host.get("sys/kernel/mm/ksm/run") == "1");
                  CHECK(host.get("sys/kernel/mm/ksm/pages_to_scan") == "7");
                  CHECK(host.get("sys/kernel/mm/ksm/sleep_millisecs") == "50");
              })
              .passed());
    CHECK(host.get("sys/kernel/mm/ksm/run") == "0");
    CHECK(host.get("sys/kernel/mm/ksm/pages_to_scan") == "100");
    CHECK(host.get("sys/kernel/mm/ksm/sleep_millisecs") == "20");

    SmallHost without({{"setup_ksm", "yes"}});
    const auto verdict = without.run();
    CHECK(verdict.status == TestStatus::cancel);
    CHECK(verdict.reason.find("has no KSM") != std::string::npos);
}

TEST_CASE("what a killed test changed of the host is taken back by whoever reaps") {
    SmallHost host({{"setup_ksm", "yes"}});
    give_ksm(host);
    const pid_t child = ::fork();
    if (child == 0) {
        host.run([](TestContext&, Env&) { ::raise(SIGKILL); });
        ::_exit(1);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    REQUIRE(WIFSIGNALED(status));
    CHECK(host.get("sys/kernel/mm/ksm/run") == "1");
    Journal::reap(host.context.vm.dirs.journal());
    CHECK(host.get("sys/kernel/mm/ksm/run") == "0");
    CHECK(host.get("sys/kernel/mm/ksm/sleep_millisecs") == "20");
}

TEST_CASE("setup_thp: test_config is written, and what the test itself changed comes back too") {
    SmallHost host(
        {{"setup_thp", "yes"}, {"test_config", "/sys/kernel/mm/transparent_hugepage/enabled:always"}});
    host.put("sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n");
    host.put("sys/kernel/mm/transparent_hugepage/khugepaged/defrag", "1\n");
    CHECK(host.run([&](TestContext&, Env&) {
                  CHECK(host.get("sys/kernel/mm/transparent_hugepage/enabled") == "always");
                  host.put("sys/kernel/mm/transparent_hugepage/khugepaged/defrag", "0");
              })
              .passed());
    CHECK(host.get("sys/kernel/mm/transparent_hugepage/enabled") == "madvise");
    CHECK(host.get("sys/kernel/mm/transparent_hugepage/khugepaged/defrag") == "1");
    CHECK(SmallHost({{"setup_thp", "yes"}}).run().status == TestStatus::cancel);
}

TEST_CASE("setup_hugepages: reserved, mounted, given back") {
    if (::geteuid() != 0) {
        MESSAGE("mounting takes root; skipped");
        return;
    }
    SmallHost host(
        {{"hugepage", "yes"}, {"mem", "256"}, {"max_vms", "2"}, {"hugepages_qemu_overhead", "64"}});
    const auto place = host.job.dir() / "huge";
    host.context.params.set("vm_hugepage_mountpoint", place.native());
    host.put("proc/sys/vm/nr_hugepages", "3\n");
    host.put("proc/sys/vm/nr_overcommit_hugepages", "0\n");
    host.put("proc/meminfo", "MemTotal: 1 kB\nHugePages_Surp:        0\nHugepagesize:       2048 kB\n");
    const auto verdict = host.run([&](TestContext& test, Env&) {
        CHECK(host.get("proc/sys/vm/nr_hugepages") == "320");  // 2 × (256 + 64) MiB in pages of 2 MiB
        CHECK(test.params.get("hugepage_path") == place.native());
        CHECK(read_file("/proc/self/mounts").find(place.native() + " hugetlbfs") != std::string::npos);
    });
    INFO(verdict.reason);
    CHECK(verdict.passed());
    CHECK(host.get("proc/sys/vm/nr_hugepages") == "3");
    CHECK(!fs::exists(place));

    host.context.params.set("expected_hugepage_size", "1048576");
    CHECK(host.run().status == TestStatus::skip);
    CHECK(SmallHost({{"setup_hugepages", "yes"}}).run().status == TestStatus::skip);
}

TEST_CASE("setup_hugepages: on nodes, by their own numbers or equal shares") {
    SmallHost host({{"setup_hugepages", "yes"},
                    {"target_hugepages", "7"},
                    {"target_nodes", "0 1 2"},
                    {"target_num_node2", "9"},
                    {"vm_hugepage_mountpoint", "/proc"},  // mounted already
                    {"hugepages_deallocate", "no"}});
    host.put("proc/sys/vm/nr_hugepages", "0\n");
    host.put("proc/meminfo", "Hugepagesize:       2048 kB\n");
    const auto file = [](int node) {
        return fmt::format("sys/devices/system/node/node{}/hugepages/hugepages-2048kB/nr_hugepages", node);
    };
    for (const int node : {0, 1, 2}) {
        host.put(file(node), "0\n");
    }
    const auto verdict = host.run();
    INFO(verdict.reason);
    CHECK(verdict.passed());
    CHECK(host.get(file(0)) == "3");
    CHECK(host.get(file(1)) == "2");
    CHECK(host.get(file(2)) == "9");  // and they stay, since they were not to be given back
}

TEST_CASE("vt_ulimit_*: of the test and of what it starts") {
    rlimit before{};
    ::getrlimit(RLIMIT_NOFILE, &before);
    SmallHost host({{"vt_ulimit_nofile", "300"}, {"pre_command", "ulimit -n > limit"}});
    const pid_t child = ::fork();  // a hard limit does not come back
    if (child == 0) {
        const bool well = host.run([&](TestContext& test, Env&) {
                                  rlimit now{};
                                  ::getrlimit(RLIMIT_NOFILE, &now);
                                  if (now.rlim_cur != 300 || read_file(host.job.dir() / "limit") != "300\n" ||
                                      test.params.get("qemu_command_prefix") != "prlimit --nofile=300:300") {
                                      throw Error("not set");
                                  }
                              })
                              .passed();
        ::_exit(well ? 0 : 1);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    CHECK(WEXITSTATUS(status) == 0);
    CHECK(SmallHost({{"vt_ulimit_core", "much"}}).run().status == TestStatus::error);
}

TEST_CASE("verify_host_dmesg: what the kernel says during the test, and only then") {
    SmallHost host({{"expected_host_dmesg", "'harmless.*', \"known, too\""}});
    host.put("dev/kmsg", "2,1,5000000,-;an old complaint\n");
    const auto complain = [&](TestContext&, Env&) {
        host.say("6,2,6000000,-;just so\n2,3,7000000,-;harmless thing\n2,4,7000000,-;this is known, too\n");
        host.say("1,5,8000001,-;the roof is on fire\n SUBSYSTEM=roof\n");
    };
    CHECK(host.run().passed());
    const auto verdict = host.run(complain);
    CHECK(verdict.status == TestStatus::error);
    CHECK(verdict.reason.find("the roof is on fire (host_dmesg_level = 3") != std::string::npos);
    const auto log = read_file(host.context.logdir / "host_dmesg.log");
    CHECK(log.find("alert [8.000001] the roof is on fire\n") != std::string::npos);
    CHECK(log.find("info [6.000000] just so\n") != std::string::npos);
    CHECK(log.find("old") == std::string::npos);

    for (const auto& [key, value] :
         {std::pair{"host_dmesg_ignore", "yes"}, std::pair{"host_dmesg_level", "1"},
          std::pair{"verify_host_dmesg", "no"}}) {
        SmallHost mild({{key, value}});
        CHECK(
            mild.run([&](TestContext&, Env&) { mild.say("1,5,8000001,-;the roof is on fire\n"); }).passed());
    }
}

TEST_CASE("raw output of dmesg") {
    const auto messages =
        parse_raw_dmesg("<6>[    0.000000] Linux\nrubbish\n<2>[   12.345678] bad\n<11>odd\n");
    REQUIRE(messages.size() == 3);
    CHECK(to_text(unexpected_messages(messages, 3, "")) == "crit [12.345678] bad\n");
    CHECK(messages[2].level == 3);
    CHECK(unexpected_messages(messages, 3, "'b.d'").empty());
}

TEST_CASE("abort_on_error: an error of the job's, after everything was taken down") {
    SmallHost host({{"abort_on_error", "yes"}, {"post_command", "touch after"}});
    CHECK(host.run([](TestContext&, Env&) { throw TestFail("why"); }) ==
          TestVerdict{TestStatus::error, "abort requested (why)", "JobError", {}});
    CHECK(fs::exists(host.job.dir() / "after"));
    CHECK(host.run().passed());
}

}  // namespace vt

// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/bootstrap/selinux.hpp"

#include "runner/support/file.hpp"

#include <algorithm>
#include <map>
#include <set>

#include <doctest/doctest.h>

using namespace vt;
using namespace vt::bootstrap;
namespace fs = std::filesystem;

namespace {

/// A host with SELinux, in memory: semanage makes rules, restorecon and chcon set contexts.
struct FakeHost {
    TempDirectory temp{"selinux"};
    fs::path images = temp.path() / "data+1/images";
    std::set<std::string> programs = {"semanage", "restorecon", "chcon"};
    std::map<fs::path, std::string> types;
    std::map<std::string, std::string> rules;
    std::vector<std::string> ran;
    bool root = true;

    FakeHost() {
        fs::create_directories(images);
        fs::create_directories(temp.path() / "fs");
        write_file_atomically(temp.path() / "fs/enforce", "1");
        write_file_atomically(images / "disk.qcow2", "");
    }

    void mark(const fs::path& path, const std::string& type, bool all) {
        types[path] = type;
        if (all) {
            for (const auto& entry : fs::directory_iterator(path)) {
                types[entry.path()] = type;
            }
        }
    }

    process::Completed run(const process::Command& command) {
        const auto& argv = command.argv;
        ran.push_back(command.text());
        process::Completed done;
        if (programs.count(argv[0]) == 0) {
            throw process::NotFoundError(argv[0]);
        }
        bool all = std::find(argv.begin(), argv.end(), "-R") != argv.end();
        if (argv[0] == "semanage") {
            bool known = rules.count(argv.back()) > 0;
            if (known != (argv[2] == "--modify")) {
                done.status.code = 1;
                return done;
            }
            rules[argv.back()] = argv[4];
        } else if (argv[0] == "restorecon") {
            for (const auto& [rule, type] : rules) {
                mark(argv.back(), type, all);
            }
        } else {
            mark(argv.back(), argv[2], all);
        }
        return done;
    }

    SelinuxHost host() {
        SelinuxHost result;
        result.selinuxfs = temp.path() / "fs";
        result.root = root;
        result.context_of = [this](const fs::path& path) {
            auto found = types.find(path);
            return found == types.end() ? std::string() : "system_u:object_r:" + found->second + ":s0";
        };
        result.find_program = [this](const std::string& name) -> std::optional<fs::path> {
            return programs.count(name) > 0 ? std::optional<fs::path>(name) : std::nullopt;
        };
        result.run = [this](const process::Command& command) { return run(command); };
        return result;
    }

    SelinuxReport check(bool set) { return check_selinux(host(), {{images, "virt_image_t", true}}, set); }
};

}  // namespace

TEST_CASE("selinux: a host without it is left alone") {
    FakeHost fake;
    fs::remove_all(fake.temp.path() / "fs");
    SelinuxReport report = fake.check(true);
    CHECK(report.mode == SelinuxMode::absent);
    CHECK(report.wrong.empty());
    CHECK(fake.ran.empty());
}

TEST_CASE("selinux: what is wrong is named, and nothing is changed unasked") {
    FakeHost fake;
    SelinuxReport report = fake.check(false);
    CHECK(report.mode == SelinuxMode::enforcing);
    REQUIRE(report.wrong.size() == 1);
    CHECK(report.wrong[0].find("(none)") != std::string::npos);
    REQUIRE(report.commands.size() == 2);
    CHECK(report.commands[0].find("data\\+1/images(/.*)?") != std::string::npos);
    CHECK(fake.ran.empty());
}

TEST_CASE("selinux: asked to, it makes a rule and applies it") {
    FakeHost fake;
    SelinuxReport report = fake.check(true);
    CHECK(report.wrong.empty());
    CHECK(report.relabelled == 1);
    REQUIRE(fake.ran.size() == 2);
    CHECK(fake.ran[0].starts_with("semanage fcontext --add -t virt_image_t"));
    CHECK(fake.ran[1].starts_with("restorecon -F -R"));
    // Then there is nothing to do, until a file of another type comes.
    CHECK(fake.check(true).relabelled == 0);
    CHECK(fake.ran.size() == 2);
    fake.types[fake.images / "disk.qcow2"] = "user_home_t";
    CHECK(fake.check(false).wrong.at(0).find(
              "disk.qcow2 has the SELinux context system_u:object_r:user_home_t:s0") != std::string::npos);
    CHECK(fake.check(true).relabelled == 1);
}

TEST_CASE("selinux: a rule that is there is changed") {
    FakeHost fake;
    fake.check(true);
    for (auto& [rule, type] : fake.rules) {
        type = "user_home_t";
    }
    fake.types.clear();
    CHECK(fake.check(true).relabelled == 1);
    CHECK(fake.rules.begin()->second == "virt_image_t");
}

TEST_CASE("selinux: without semanage, or without root, the files themselves are marked") {
    FakeHost fake;
    SUBCASE("no semanage") {
        fake.programs.erase("semanage");
    }
    SUBCASE("not root") {
        fake.root = false;
    }
    CHECK(fake.check(true).relabelled == 1);
    REQUIRE(fake.ran.size() == 1);
    CHECK(fake.ran[0].starts_with("chcon -t virt_image_t -R "));
}

TEST_CASE("selinux: where nothing helps, it says so") {
    FakeHost fake;
    fake.programs.clear();
    write_file_atomically(fake.temp.path() / "fs/enforce", "0\n");
    SelinuxReport report = fake.check(true);
    CHECK(report.mode == SelinuxMode::permissive);
    CHECK(report.wrong.size() == 1);
    CHECK(report.relabelled == 0);
}

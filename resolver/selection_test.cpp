// SPDX-License-Identifier: GPL-2.0-or-later
#include "resolver/selection.hpp"

#include "resolver/data_dir.hpp"
#include "resolver/runnable_kwargs.hpp"
#include "runner/support/file.hpp"
#include "runner/support/journal.hpp"

#include <cstdlib>
#include <filesystem>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

using namespace vt;
using namespace vt::resolver;
using nlohmann::json;
namespace fs = std::filesystem;
using Kind = cfg::Input::Kind;

namespace {

std::vector<std::string> texts(const std::vector<cfg::Input>& inputs, Kind kind) {
    std::vector<std::string> result;
    for (const cfg::Input& input : inputs) {
        if (input.kind == kind) {
            result.push_back(kind == Kind::assign ? input.text + "=" + input.value : input.text);
        }
    }
    return result;
}

bool has(const std::vector<std::string>& list, const std::string& text) {
    return std::find(list.begin(), list.end(), text) != list.end();
}

Selection on_x86(const std::filesystem::path& data_dir) {
    Selection selection;
    selection.data_dir = data_dir;
    selection.machine_type = "i440fx";
    return selection;
}

}  // namespace

TEST_CASE("settings become a selection, and its JSON has what differs from the defaults") {
    json settings = {{"vt.type", "libvirt"},
                     {"vt.guest_os", "Fedora"},
                     {"vt.extra_params", {"a=b=c", " mem = 512"}},
                     {"vt.qemu.smp", 4},
                     {"vt.setup.keep_guest_running", true},
                     {"vt.common.mem", nullptr},
                     {"run.references", "x"}};
    Selection selection = selection_from_settings(settings, "/d/avocado-vt");
    CHECK(selection.type == "libvirt");
    CHECK(selection.smp == "4");
    CHECK(selection.keep_guest_running);
    REQUIRE(selection.extra_params.size() == 2);
    CHECK(selection.extra_params[0] == std::pair<std::string, std::string>("a", "b=c"));
    CHECK(selection.extra_params[1].first == "mem");
    CHECK(selection_from_json(to_json(selection)) == selection);

    Selection plain = selection_from_settings(json::object(), "/d/avocado-vt");
    CHECK(to_json(plain).dump() == R"({"data_dir":"/d/avocado-vt"})");
    CHECK(selection_from_settings({{"vt.common.data_dir", "/other"}}, "/d").data_dir == "/other");
}

TEST_CASE("values that cannot be are refused with the possible ones") {
    auto message = [](const json& settings) -> std::string {
        try {
            validate(selection_from_settings(settings, "/d"));
        } catch (const SelectionError& error) {
            return error.what();
        }
        return {};
    };
    CHECK(message(json::object()) == "");
    CHECK(message({{"vt.type", "xen"}}) ==
          "option --vt-type (setting vt.type): 'xen' is not possible; possible are qemu, libvirt, "
          "libguestfs, openvswitch, "
          "v2v, lvsb, spice, virttools");
    CHECK(message({{"vt.extra_params", {"x"}}}).find("expected KEY=VALUE") != std::string::npos);
    CHECK(message({{"vt.extra_params", {"=x"}}}).find("expected KEY=VALUE") != std::string::npos);
    CHECK(message({{"vt.extra_params", {"a=1\nonly b"}}}).find("one line") != std::string::npos);
    CHECK(message({{"vt.qemu.qemu_bin", "/no/such"}}).find("expected a file") != std::string::npos);
    CHECK(message({{"vt.config", "/no/such"}}).find("expected a file") != std::string::npos);
    CHECK(message({{"vt.qemu.smp", "many"}}) != "");
    CHECK(message({{"vt.qemu.disk_bus", "floppy"}}).find("virtio_blk, ide") != std::string::npos);
    CHECK(message({{"vt.qemu.vhost", "on"}, {"vt.common.nettype", "user"}}).find("needs a bridge") !=
          std::string::npos);
    CHECK(message({{"vt.guest_os", "a\nvariants:"}}).find("one line") != std::string::npos);
    CHECK(message({{"vt.type", json::array()}}).find("expected a text") != std::string::npos);
    CHECK(message({{"vt.qemu.accel", "hvf"}}).find("possible are kvm, tcg") != std::string::npos);
    CHECK(message({{"vt.qemu.monitor", "tcp"}}).find("possible are nothing, qmp, human") !=
          std::string::npos);
    CHECK(message({{"vt.qemu.vhost", "maybe"}}).find("possible are off, on, force") != std::string::npos);
    CHECK(message({{"vt.qemu.sandbox", "maybe"}}).find("possible are on, off") != std::string::npos);
    CHECK(message({{"vt.common.nettype", "tap"}}).find("possible are nothing, bridge, user") !=
          std::string::npos);
    CHECK(message({{"vt.setup.keep_guest_running", "maybe"}}).find("expected yes or no") !=
          std::string::npos);
    CHECK(message({{"vt.qemu.malloc_perturb", "maybe"}}).find("possible are yes, no") != std::string::npos);
    CHECK(message({{"vt.qemu.defconfig", ""}}).find("possible are yes, no") != std::string::npos);
    CHECK(message({{"vt.qemu.nic_model", " "}}).find("a name that QEMU knows") != std::string::npos);
    CHECK(message({{"vt.qemu.smp", "00"}}).find("number of processors") != std::string::npos);
    CHECK(message({{"vt.common.mem", "2G"}}).find("number of MiB") != std::string::npos);
    CHECK(message({{"vt.common.type_specific_only", "perhaps"}}).find("expected yes or no") !=
          std::string::npos);
    CHECK(message({{"vt.only_filter", "boot a:b"}}).find("'a:b' is not possible; it is no filter") !=
          std::string::npos);
    CHECK(message({{"vt.common.arch", "(x"}}).find("option --vt-arch") == 0);
    CHECK(
        message({{"vt.filter.default_filters", "smallpages,hugepages"}}).find("possible are no_9p_export") !=
        std::string::npos);
}

TEST_CASE("the statements for qemu are upstream's, in upstream's order") {
    TempDirectory dir("selection");
    Selection selection = on_x86(dir.path());
    selection.guest_os = "JeOS.27";
    selection.only_filter = "raw  a,b";
    selection.no_filter = "x y";
    selection.extra_params = {{"mem", "1"}, {"key", "two words"}};
    std::vector<cfg::Input> all = inputs(selection);
    CHECK(all.front() == cfg::Input::file((dir.path() / "backends/qemu/cfg/tests.cfg").string()));
    CHECK(texts(all, Kind::only) == std::vector<std::string>{"JeOS.27", "i440fx", "raw", "a,b", "smp2",
                                                             "qcow2", "virtio_net", "virtio_blk"});
    CHECK(texts(all, Kind::no) == std::vector<std::string>{"x", "y"});
    std::vector<std::string> set = texts(all, Kind::assign);
    CHECK(set[0] == "kill_vm=yes");
    CHECK(set[1] == "backup_image_before_testing=yes");
    CHECK(set[2] == "restore_image_after_testing=yes");
    CHECK(has(set, "malloc_perturb=yes"));
    CHECK(set[set.size() - 2] == "mem=1");
    CHECK(set.back() == "key=two words");
}

TEST_CASE("settings change the statements") {
    TempDirectory dir("selection");
    Selection selection = on_x86(dir.path());
    selection.smp = "8";
    selection.image_type = "luks";
    selection.nic_model = "igb";
    selection.accel = "tcg";
    selection.monitor = "human";
    selection.sandbox = "off";
    selection.nettype = "bridge";
    selection.vhost = "force";
    selection.mem = "2048";
    selection.keep_guest_running = true;
    selection.backup_image_before_test = false;
    selection.arch = "x86_64";
    std::vector<cfg::Input> all = inputs(selection);
    CHECK(texts(all, Kind::only) ==
          std::vector<std::string>{"JeOS.27", "x86_64", "i440fx", "up", "raw", "nic_custom", "virtio_blk"});
    std::vector<std::string> set = texts(all, Kind::assign);
    CHECK_FALSE(has(set, "kill_vm=yes"));
    CHECK_FALSE(has(set, "backup_image_before_testing=yes"));
    for (const char* wanted : {"mem=2048", "nettype=bridge", "netdst=virbr0", "disable_kvm=yes",
                               "monitor_type=human", "smp=8", "image_format=luks", "nic_model=igb",
                               "netdev_extra_params=\",vhostforce=on\"", "vhost=on", "qemu_sandbox=off"}) {
        CHECK_MESSAGE(has(set, wanted), wanted);
    }
}

TEST_CASE("settings that upstream documents and passes over do what they say") {
    TempDirectory dir("selection");
    Selection selection = on_x86(dir.path());
    selection.type_specific_only = true;
    selection.defconfig = "no";
    selection.smp = "08";
    std::vector<cfg::Input> all = inputs(selection);
    CHECK(has(texts(all, Kind::only), "(subtest=type_specific)"));
    CHECK(has(texts(all, Kind::assign), "defconfig=no"));
    CHECK(has(texts(all, Kind::assign), "smp=8"));
    CHECK(selection_from_json(to_json(selection)) == selection);
    selection.config = dir.path() / "my.cfg";
    write_file_atomically(selection.config, "a = b\n");
    all = inputs(selection);
    CHECK(texts(all, Kind::only).empty());
    CHECK_FALSE(has(texts(all, Kind::assign), "defconfig=no"));
}

TEST_CASE("default filters are left out by blanks, commas, and options used several times") {
    TempDirectory dir("selection");
    for (const json& value : {json("smallpages, multihost"), json::array({"smallpages", "multihost"})}) {
        Selection selection = selection_from_settings({{"vt.filter.default_filters", value}}, dir.path());
        std::vector<cfg::Input> all = inputs(selection);
        CHECK(all.front() == cfg::Input::file((dir.path() / "backends/qemu/cfg/tests-shared.cfg").string()));
        CHECK_FALSE(has(texts(all, Kind::only), "smallpages"));
        CHECK(has(texts(all, Kind::only), "(image_backend=filesystem)"));
        CHECK(texts(all, Kind::no).empty());
    }
}

TEST_CASE("programs are absolute in a selection, since the task may run elsewhere") {
    Selection selection = selection_from_settings({{"vt.qemu.qemu_bin", "some/../qemu"}}, "/d");
    CHECK(selection.qemu_bin == (std::filesystem::current_path() / "some/../qemu").string());
    CHECK(selection_from_settings({{"vt.qemu.qemu_bin", "/a/../qemu"}}, "/d").qemu_bin == "/a/../qemu");
}

TEST_CASE("with a config file of the user's own, only what cannot break it is added") {
    TempDirectory dir("selection");
    Selection selection = on_x86(dir.path());
    selection.config = dir.path() / "my.cfg";
    selection.no_filter = "x";
    write_file_atomically(selection.config, "a = b\n");
    std::vector<cfg::Input> all = inputs(selection);
    CHECK(all.front() == cfg::Input::file(selection.config.string()));
    CHECK(texts(all, Kind::only).empty());
    CHECK(texts(all, Kind::no) == std::vector<std::string>{"x"});
    CHECK_FALSE(has(texts(all, Kind::assign), "kill_vm=yes"));
    CHECK(has(texts(all, Kind::assign), "malloc_perturb=yes"));
}

TEST_CASE("the other types") {
    TempDirectory dir("selection");
    Selection selection = on_x86(dir.path());
    selection.type = "lvsb";
    selection.extra_params = {{"a", "b"}};
    CHECK(inputs(selection).size() == 2);
    selection.type = "libvirt";
    CHECK(texts(inputs(selection), Kind::only) == std::vector<std::string>{"JeOS.27", "i440fx", "qemu"});
    selection.connect_uri = "lxc:///";
    CHECK(texts(inputs(selection), Kind::only) == std::vector<std::string>{"JeOS.27", "i440fx", "lxc"});
    selection.connect_uri = "esx://x";
    CHECK_THROWS_AS(inputs(selection), SelectionError);
    selection = on_x86(dir.path());
    selection.type = "spice";
    CHECK(texts(inputs(selection), Kind::only) == std::vector<std::string>{"i440fx"});
    selection = on_x86(dir.path());
    selection.default_filters = {"smallpages", "image_backend"};
    {
        std::vector<std::string> only = texts(inputs(selection), Kind::only);
        CHECK(has(only, "no_9p_export"));
        CHECK_FALSE(has(only, "smallpages"));
        CHECK_FALSE(has(only, "(image_backend=filesystem)"));
        CHECK(texts(inputs(selection), Kind::no) == std::vector<std::string>{"multihost"});
    }
}

TEST_CASE("the guest: the option's, else the one noted in the data directory, else upstream's") {
    TempDirectory dir("selection");
    Selection selection = on_x86(dir.path());
    CHECK(effective_guest_os(selection) == "JeOS.27");
    DataDirNotes notes;
    notes.default_guest = "JeOS.mini";
    notes.save({dir.path()});
    CHECK(effective_guest_os(selection) == "JeOS.mini");
    selection.guest_os = "Fedora";
    CHECK(effective_guest_os(selection) == "Fedora");
    write_file_atomically(DataDir{dir.path()}.notes_file(), "{broken");
    selection.guest_os = "";
    CHECK(effective_guest_os(selection) == "JeOS.27");
}

TEST_CASE("small and fat runnables are told apart") {
    CHECK_FALSE(small_runnable({{"vm_type", "qemu"}}).has_value());
    json kwargs = {{"selection", {{"data_dir", "/d"}, {"type", "v2v"}}}, {"full_name", "a.b"}};
    auto small = small_runnable(kwargs);
    REQUIRE(small.has_value());
    CHECK(small->selection.type == "v2v");
    CHECK(small->full_name == "a.b");
    CHECK_THROWS_AS(small_runnable({{"selection", "x"}}), SelectionError);
    CHECK_THROWS_WITH_AS(small_runnable({{"selection", {{"data_dir", std::string("/d\0e", 4)}}}}),
                         doctest::Contains("NUL"), SelectionError);
    CHECK_THROWS_AS(small_runnable({{"selection", json::object()}}), SelectionError);
    CHECK_THROWS_AS(small_runnable({{"selection", {{"data_dir", "/d"}}}, {"full_name", 1}}), SelectionError);
}

TEST_CASE("a selection in a file is believed only from one that is nobody else's") {
    const TempDirectory runtime("vt-test-");
    ::setenv("AVOCADO_VT_RUNTIME_DIR", runtime.path().c_str(), 1);
    const json selection{{"data_dir", "/d"}, {"extra_params", {"password=secret"}}};
    const auto file = write_selection_file(selection, ProcessId::of(::getpid()));
    CHECK((fs::status(file).permissions() & fs::perms::mask) == fs::perms(0600));
    CHECK((fs::status(file.parent_path()).permissions() & fs::perms::mask) == fs::perms(0700));
    const json kwargs{{"selection_file", file.native()}, {"full_name", "x"}};
    const auto small = small_runnable(kwargs);
    REQUIRE(small);
    CHECK(small->selection.extra_params.at(0).second == "secret");
    CHECK(small->full_name == "x");
    fs::permissions(file, fs::perms(0640));
    CHECK_THROWS_WITH_AS(small_runnable(kwargs), doctest::Contains("mode 640"), SelectionError);
    fs::permissions(file, fs::perms(0600));
    const auto link = runtime.path() / "link";
    fs::create_symlink(file, link);
    CHECK_THROWS_AS(small_runnable({{"selection_file", link.native()}}), SelectionError);
    CHECK_THROWS_AS(small_runnable({{"selection_file", 1}}), SelectionError);
    CHECK_THROWS_AS(remove_selection_file("/etc/passwd"), Error);
    remove_selection_file(file);
    CHECK_THROWS_WITH_AS(small_runnable(kwargs), doctest::Contains("goes with its job"), SelectionError);
    // Nothing of it is left.
    CHECK(fs::is_empty(file.parent_path()));
    ::unsetenv("AVOCADO_VT_RUNTIME_DIR");
}

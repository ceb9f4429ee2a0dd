// SPDX-License-Identifier: GPL-2.0-or-later
// `storage_type = lvm`, `nfs`, `iscsi`: where a test's images are, made for the test. The test has the host
// for itself by then (host_change.cpp), so the images' new places are locked without waiting for anybody.
#include "runner/env/setup/host_changes.hpp"
#include "runner/env/setup/setup_params.hpp"
#include "runner/support/log.hpp"
#include "runner/support/strings.hpp"

#include <cctype>

namespace vt {

namespace fs = std::filesystem;

namespace {

constexpr Seconds patience{120};

class StorageSetup : public Setup {
  public:
    explicit StorageSetup(const SetupScope& scope)
        : scope_(scope),
          params_(scope.test.params),
          changes_(scope.test.vm.dirs.journal(), scope.test.host_root) {}

    std::string_view name() const override { return "storage"; }

    void set_up() override {
        const auto type = params_.get("storage_type");
        if (type != "lvm" && type != "nfs" && type != "iscsi") {
            return;
        }
        const auto wish = "storage_type = " + type;
        honour(wish, [&] {
            if (type == "lvm") {
                use_device(make_volume(wish));
            } else if (type == "iscsi") {
                use_device(log_in(wish));
            } else {
                mount_share(wish);
            }
        });
        scope_.images.clear();
        scope_.images = plan_images(scope_.test, scope_.env);
        lock_images(scope_.images, scope_.env, scope_.test.vm.holder);
    }

    void clean_up() override { changes_.undo(); }

  private:
    static std::string run(const std::vector<std::string>& argv) {
        return std::string(trim(process::check({argv, {}, {}, {}, true}, Deadline::after(patience)).out));
    }

    static bool works(const std::vector<std::string>& argv) {
        return process::run({argv, {}, {}, {}, true}, Deadline::after(patience)).status.ok();
    }

    void use_device(const std::string& device) {
        log::info("The images are on {}", device);
        params_.set("image_name", device);
        params_.set("image_raw_device", "yes");
    }

    /// The image's name as a part of another.
    std::string id() const {
        auto text = fs::path(params_.get("image_name", "image")).filename().native();
        for (auto& letter : text) {
            letter = std::isalnum(static_cast<unsigned char>(letter)) != 0 ? letter : '_';
        }
        return text;
    }

    /// A logical volume; on devices of the user's, or in a file that is a device for the time of the test.
    std::string make_volume(std::string_view wish) {
        need_program(wish, "lvcreate");
        auto group = params_.get("vg_name", "vg_" + id());
        auto volume = params_.get("lv_name", "lv_" + id());
        if (volume.starts_with("/dev/")) {  // "/dev/vg/lv"
            group = fs::path(volume).parent_path().filename().native();
            volume = fs::path(volume).filename().native();
        }
        const auto size = params_.get("lv_size", params_.get("image_size", "10G"));
        if (!works({"vgs", group})) {
            auto devices = split_words(params_.get("pv_name"));
            if (devices.empty()) {
                devices.push_back(emulate_device(size));
            }
            changes_.undo_by({"vgremove", "-f", "-y", group});
            std::vector<std::string> argv{"vgcreate", "-y", group};
            argv.insert(argv.end(), devices.begin(), devices.end());
            run(argv);
        }
        const auto path = fmt::format("/dev/{}/{}", group, volume);
        if (!works({"lvs", group + "/" + volume})) {
            changes_.undo_by({"lvremove", "-f", "-y", group + "/" + volume});
            std::vector<std::string> argv{"lvcreate", "-y", "-W", "n", "-L", size, "-n", volume};
            const auto more = split_words(params_.get("lv_extra_options"));
            argv.insert(argv.end(), more.begin(), more.end());
            argv.push_back(group);
            run(argv);
        }
        return path;
    }

    std::string emulate_device(const std::string& volume_size) {
        need_program("storage_type = lvm without pv_name", "losetup");
        const auto file = scope_.test.datadir / params_.get("emulated_image", "images/lvm-" + id() + ".img");
        fs::create_directories(file.parent_path());
        if (!fs::exists(file)) {
            changes_.makes(Resource::Kind::file, file.native());
        }
        run({"truncate", "-s", params_.get("emulated_image_size", volume_size), file.native()});
        run({"truncate", "-s", "+64M", file.native()});  // what LVM writes about it
        const auto device = run({"losetup", "--find"});
        changes_.undo_by({"losetup", "--detach", device});
        run({"losetup", device, file.native()});
        return device;
    }

    /// A target that is there already: none is made.
    std::string log_in(std::string_view wish) {
        need_program(wish, "iscsiadm");
        if (!params_.get("emulated_image").empty() && params_.get("portal_ip").empty()) {
            throw Error("it makes no iSCSI target of emulated_image; name one by portal_ip and target");
        }
        const auto portal = params_.get("portal_ip", "127.0.0.1");
        const auto target = params_.at("target");
        run({"iscsiadm", "-m", "discovery", "-t", "sendtargets", "-p", portal});
        if (run({"iscsiadm", "-m", "session", "-P", "0"}).find(target) == std::string::npos) {
            changes_.undo_by({"iscsiadm", "-m", "node", "-T", target, "-p", portal, "--logout"});
            run({"iscsiadm", "-m", "node", "-T", target, "-p", portal, "--login"});
        }
        const auto seconds = params_.get("iscsi_init_timeout", "10");
        static_cast<void>(works({"udevadm", "settle", "--timeout=" + seconds}));
        const auto end = fmt::format("-iscsi-{}-lun-{}", target, params_.get("lun", "0"));
        std::error_code error;
        for (const auto& entry : fs::directory_iterator("/dev/disk/by-path", error)) {
            if (entry.path().native().ends_with(end)) {
                return entry.path().native();
            }
        }
        throw Error(fmt::format("no disk of the target {} has come within {} s (iscsi_init_timeout)", target,
                                seconds));
    }

    void mount_share(std::string_view wish) {
        need_program(wish, "mount.nfs");
        const auto place = params_.at("nfs_mount_dir");
        const auto source = params_.at("nfs_mount_src");
        if (yes(params_, "setup_remote_nfs")) {
            throw Error("it sets up no NFS server on another host (setup_remote_nfs)");
        }
        if (yes(params_, "setup_local_nfs")) {
            need_program("setup_local_nfs = yes", "exportfs");
            const auto directory = params_.get("export_dir", source.substr(source.find(':') + 1));
            const auto client = params_.get("export_ip", "*") + ":" + directory;
            fs::create_directories(directory);
            changes_.undo_by({"exportfs", "-u", client});
            run({"exportfs", "-o", params_.get("export_options", "rw,no_root_squash"), client});
        }
        if (!fs::exists(place)) {
            changes_.undo_by({"rmdir", place});  // never with what is on it, should it stay mounted
            fs::create_directories(place);
        }
        changes_.makes(Resource::Kind::mount, place);
        std::vector<std::string> argv{"mount", "-t", "nfs", source, place};
        if (const auto options = params_.get("nfs_mount_options"); !options.empty()) {
            argv.insert(argv.end(), {"-o", options});
        }
        run(argv);
        for (const auto& image : params_.objects("images")) {
            const auto name = params_.object_params(image).get("image_name");
            params_.set("image_name_" + image, (fs::path(place) / fs::path(name).filename()).native());
        }
        params_.set("image_name",
                    (fs::path(place) / fs::path(params_.get("image_name")).filename()).native());
    }

    SetupScope scope_;
    Params& params_;
    HostChanges changes_;
};

}  // namespace

std::unique_ptr<Setup> make_storage_setup(const SetupScope& scope) {
    return std::make_unique<StorageSetup>(scope);
}

}  // namespace vt

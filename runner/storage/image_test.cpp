// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/storage/image.hpp"

#include "runner/process/process.hpp"
#include "runner/support/file.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>

namespace vt {

namespace fs = std::filesystem;

namespace {

/// A data directory with one image made by qemu-img.
struct DataDir {
    TempDirectory dir{"image_test"};
    Params params{{"image_name", "images/a"},
                  {"image_format", "qcow2"},
                  {"image_size", "8M"},
                  {"backup_dir", "images/"}};

    Image image() const { return Image::from_params(params, "image1", dir.path()); }
    static Deadline soon() { return Deadline::after(Seconds{60}); }
};

bool have_qemu_img() {
    if (process::find_program("qemu-img")) {
        return true;
    }
    MESSAGE("qemu-img is not installed; its tests are skipped");
    return false;
}

}  // namespace

TEST_CASE("names of files come from the parameters") {
    const auto of = [](const Params& params) { return Image::from_params(params, "i", "/data"); };
    CHECK(of({{"image_name", "images/a"}}).path() == "/data/images/a.qcow2");
    CHECK(of({{"image_name", "a"}, {"image_format", "raw"}}).path() == "/data/a.raw");
    CHECK(of({{"image_name", "/dev/sdz"}, {"image_raw_device", "yes"}}).path() == "/dev/sdz");
    CHECK(of({{"image_name", "a"}, {"images_base_dir", "/b"}}).path() == "/b/a.qcow2");
    CHECK(of({{"image_name", "x/a"}, {"backup_dir", "images/"}}).backup_path() ==
          "/data/images/a.qcow2.backup");
    CHECK_THROWS_AS(of({}), MissingParam);
}

TEST_CASE("a name that climbs out of its directory is told from one that only looks so") {
    const DataDir data;
    const auto out = [&](const std::string& name, const std::string& base = {},
                         const std::string& backup = {}) {
        Params params{{"image_name", name}, {"backup_dir", backup}};
        if (!base.empty()) {
            params.set("images_base_dir", base);
        }
        return Image::from_params(params, "i", data.dir.path()).climbs_out();
    };
    CHECK(!out("images/a"));
    CHECK(!out("images/../a"));
    CHECK(!out("images/..a"));
    CHECK(!out("/elsewhere/a"));
    CHECK(!out(data.dir.path().native() + "/x/../a"));
    CHECK(!out("a", "/elsewhere/x/.."));
    CHECK(out("../a"));
    CHECK(out("images/../../a"));
    CHECK(out("/elsewhere/../etc/a"));
    CHECK(out("../a", "/elsewhere"));
    CHECK(out("a", "", "../backups"));
    // By a link, ".." is another directory than it looks like.
    fs::create_directory(data.dir.path() / "images");
    fs::create_directory_symlink("/usr/lib", data.dir.path() / "images/link");
    CHECK(out("images/link/../a"));
    CHECK(!out("images/link/a"));
}

TEST_CASE("a lock's name is the same for all users, builds and times") {
    const TempDirectory host("vt-test-");
    ::setenv("AVOCADO_VT_HOST_DIR", host.path().c_str(), 1);
    const auto image = Image::from_params({{"image_name", "/no/such/place/a"}}, "i", "/");
    CHECK(ImageLock::path_for(image).filename() == "avocado-vt-image-bb2ce50adbc2ef03");
    ::unsetenv("AVOCADO_VT_HOST_DIR");
}

TEST_CASE("a missing image is named, with what to do") {
    const DataDir data;
    CHECK_THROWS_WITH_AS(data.image().require(),
                         doctest::Contains("images/a.qcow2 of image image1 is missing"), ImageMissingError);
    CHECK(!data.image().backup());
    CHECK(!data.image().restore());
}

TEST_CASE("create, back up, damage, check, restore, remove") {
    if (!have_qemu_img()) {
        return;
    }
    DataDir data;
    const Image image = data.image();
    image.create(DataDir::soon());
    CHECK(image.info().virtual_size == 8 << 20);
    CHECK(!fs::exists(image.path().native() + ".part"));
    CHECK(image.backup());
    CHECK(!image.backup());  // an older one is kept
    write_file_atomically(image.path(), "this is no image");
    CHECK_THROWS_WITH_AS(image.check(DataDir::soon()), doctest::Contains("not in qcow2 format"),
                         ImageCorruptError);
    CHECK_THROWS_AS(image.info(), ImageCorruptError);
    image.keep_damaged();
    CHECK(image.restore());
    image.check(DataDir::soon());
    image.remove();
    CHECK(!image.exists());
    image.remove();  // nothing there is nothing to complain of
    int kept = 0;
    for (const auto& entry : fs::directory_iterator(image.path().parent_path())) {
        const auto name = entry.path().filename().native();
        kept += name.starts_with("a.qcow2.bad.") || name.starts_with("a.qcow2.good.") ? 1 : 0;
    }
    CHECK(kept == 2);
}

TEST_CASE("an image of a chain lies over the one before it") {
    if (!have_qemu_img()) {
        return;
    }
    DataDir data;
    data.params = Params{{"image_name_base", "images/base"},
                         {"image_size_base", "8M"},
                         {"image_name_top", "images/top"},
                         {"image_format", "qcow2"},
                         {"image_chain", "base top"}};
    const auto image = [&](const char* name) {
        return Image::from_params(data.params.object_params(name), name, data.dir.path());
    };
    CHECK_THROWS_WITH_AS(image("top").create(DataDir::soon()), doctest::Contains("images/base.qcow2"),
                         ImageError);
    image("base").create(DataDir::soon());
    image("top").create(DataDir::soon());
    CHECK(image("top").info().backing_file == image("base").path().native());
    CHECK(image("top").info().virtual_size == std::uint64_t{8} << 20);
    data.params.set("image_name_top", "images/base");
    CHECK_THROWS_WITH_AS(image("top").create(DataDir::soon()), doctest::Contains("image_name_base"),
                         BadParam);
}

TEST_CASE("copies stay sparse and keep the mode") {
    DataDir data;
    data.params.set("image_format", "raw");
    const Image image = data.image();
    fs::create_directories(image.path().parent_path());
    write_file_atomically(image.path(), "begin", 0640);
    fs::resize_file(image.path(), 64 << 20);
    CHECK(image.backup());
    struct stat info {};
    REQUIRE(::stat(image.backup_path().c_str(), &info) == 0);
    CHECK(info.st_size == 64 << 20);
    CHECK(info.st_blocks * 512 < 1 << 20);
    CHECK((info.st_mode & 0777) == 0640);
}

TEST_CASE("a failed creation leaves nothing behind and says why") {
    if (!have_qemu_img()) {
        return;
    }
    DataDir data;
    data.params.set("image_size", "8 Mangos");
    CHECK_THROWS_WITH_AS(data.image().create(DataDir::soon()), doctest::Contains("8 Mangos"), ImageError);
    CHECK(!fs::exists(data.image().path()));
    data.params.set("qemu_img_binary", "/no/such/qemu-img");
    CHECK_THROWS_AS(data.image().create(DataDir::soon()), process::NotFoundError);
}

TEST_CASE("one image has one lock, whatever way leads to it") {
    const DataDir data;
    fs::create_directories(data.dir.path() / "images");
    write_file_atomically(data.image().path(), "x");
    fs::create_symlink("a.qcow2", data.dir.path() / "images/b.qcow2");
    Params other = data.params;
    other.set("image_name", "images/b");
    const TempDirectory host("vt-test-");
    ::setenv("AVOCADO_VT_HOST_DIR", host.path().c_str(), 1);
    for (const mode_t mode : {0700, 0755}) {
        CAPTURE(mode);
        REQUIRE(::chmod(data.dir.path().c_str(), mode) == 0);
        const auto second = Image::from_params(other, "image1", data.dir.path());
        {
            const auto held = ImageLock::try_take(data.image(), FileLock::Mode::exclusive, "one");
            REQUIRE(held);
            CHECK(fs::exists(ImageLock::path_for(second)));
            CHECK(!ImageLock::try_take(second, FileLock::Mode::exclusive, "two"));
            CHECK_THROWS_WITH_AS(ImageLock::take(data.image(), FileLock::Mode::shared, "three",
                                                 Deadline::after(Seconds{0.05})),
                                 doctest::Contains("for image image1"), TimeoutError);
        }
        CHECK(!fs::exists(ImageLock::path_for(second)));
    }
    ::unsetenv("AVOCADO_VT_HOST_DIR");
}

TEST_CASE("the lock of an image that others can reach lies where they see it") {
    const DataDir data;
    const TempDirectory host("vt-test-");
    ::setenv("AVOCADO_VT_HOST_DIR", host.path().c_str(), 1);
    CHECK(ImageLock::path_for(data.image()).parent_path().filename() == "locks");
    REQUIRE(::chmod(data.dir.path().c_str(), 0755) == 0);
    CHECK(ImageLock::path_for(data.image()).parent_path() == host.path());
    ::unsetenv("AVOCADO_VT_HOST_DIR");
}

}  // namespace vt

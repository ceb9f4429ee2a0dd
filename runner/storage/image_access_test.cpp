// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/storage/image_access.hpp"

#include "runner/support/file.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

namespace vt {

namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

ImageRef ref(const Params& params) {
    return ImageRef::from_params(params, "img", "/data");
}

}  // namespace

TEST_CASE("files: format, device, data file, slices") {
    const auto plain = ref({{"image_name", "images/a"}});
    CHECK(plain.plain());
    CHECK(plain.text() == "/data/images/a.qcow2");
    CHECK(plain.driver == "file");
    CHECK(ref({{"image_name", "/dev/null"}, {"image_raw_device", "yes"}}).driver == "host_device");
    CHECK(ref({{"image_name", "/dev/not-there-yet"}, {"image_raw_device", "yes"}}).driver == "host_device");
    CHECK(ref({{"image_name", "/etc/passwd"}, {"image_raw_device", "yes"}}).driver == "file");
    CHECK(ref({{"image_name", "images/a"}, {"enable_data_file", "yes"}}).data_file ==
          "/data/images/a.data_file");
    CHECK_THROWS_AS(ref({{"image_name", "a"}, {"image_format", "raw"}, {"enable_data_file", "yes"}}),
                    BadParam);
    const auto slice = ref({{"image_name", "a"},
                            {"image_format", "raw"},
                            {"image_slices", "part"},
                            {"image_slice_offset_part", "512"},
                            {"image_slice_size_part", "10M"}});
    CHECK(slice.slice_size == "10485760");
    CHECK(!slice.plain());
    CHECK_THROWS_AS(ref({{"image_name", "a"}, {"image_slices", "s"}}), BadParam);
    CHECK_THROWS_AS(ref({}), MissingParam);
}

TEST_CASE("servers, by QEMU's names for their options") {
    const auto nbd = ref({{"image_name", "a"},
                          {"enable_nbd", "yes"},
                          {"nbd_server", "::1"},
                          {"nbd_export_name", "disk"},
                          {"nbd_client_tls_creds", "/etc/tls"}});
    CHECK(nbd.options == Pairs{{"server.type", "inet"},
                               {"server.host", "::1"},
                               {"server.port", "10809"},
                               {"export", "disk"},
                               {"tls-creds", "img_tls_creds"}});
    CHECK(nbd.text() == "nbd://[::1]:10809/disk");
    CHECK(nbd.all_tls().at(0).dir == "/etc/tls");
    CHECK(ref({{"image_name", "a"}, {"enable_nbd", "yes"}, {"nbd_unix_socket", "/s"}}).text() ==
          "nbd+unix:///?socket=/s");
    const auto own = ref({{"image_name", "a"}, {"enable_nbd", "yes"}});
    CHECK(own.own_server);
    CHECK(own.file == "/data/a.qcow2");

    const auto iscsi = ref({{"image_name", "a"},
                            {"enable_iscsi", "yes"},
                            {"storage_type", "iscsi-direct"},
                            {"portal_ip", "127.0.0.1:3260"},
                            {"target", "iqn.x"},
                            {"lun", "2"},
                            {"chap_user", "u"},
                            {"chap_passwd", "secret"}});
    CHECK(iscsi.text() == "iscsi://127.0.0.1:3260/iqn.x/2");
    CHECK(iscsi.secrets.at(0).data == "secret");
    CHECK(iscsi.options.back() ==
          std::pair<std::string, std::string>{"password-secret", "img_access_secret0"});

    const auto ssh = ref({{"image_name", "a"},
                          {"enable_ssh", "yes"},
                          {"image_ssh_host", "h"},
                          {"image_ssh_path", "/p/a.qcow2"},
                          {"image_ssh_host_key_check", "sha1:77"}});
    CHECK(ssh.text() == "ssh://h:22/p/a.qcow2");
    CHECK(ssh.options.back() == std::pair<std::string, std::string>{"host-key-check.hash", "77"});

    const auto https = ref({{"image_name", "a"},
                            {"enable_curl", "yes"},
                            {"curl_protocol", "https"},
                            {"curl_server", "h:8443"},
                            {"curl_path", "a.iso"},
                            {"curl_password", "p"},
                            {"curl_cookie_secret", "c"}});
    CHECK(https.text() == "https://h:8443/a.iso");
    CHECK(https.secrets.size() == 2);

    CHECK(ref({{"image_name", "a"}, {"enable_nvme", "yes"}, {"nvme_pci_address", "0000:01:00.0"}}).options ==
          Pairs{{"device", "0000:01:00.0"}, {"namespace", "1"}});
    const auto gluster = ref({{"image_name", "x/a"},
                              {"enable_gluster", "yes"},
                              {"gluster_volume_name", "vol"},
                              {"gluster_server", "g1"},
                              {"gluster_peers", R"([{"host": "g2", "port": 24008}, {"path": "/run/g"}])"}});
    CHECK(gluster.text() == "gluster://g1:24007/vol/a.qcow2");
    CHECK(gluster.options.back() == std::pair<std::string, std::string>{"server.2.path", "/run/g"});
    const auto rbd = ref({{"image_name", "x/a"},
                          {"image_format", "raw"},
                          {"enable_ceph", "yes"},
                          {"rbd_pool_name", "pool"},
                          {"ceph_monitor", "m1:1234,[fe80::1]:99"},
                          {"ceph_key", "Zm9v"}});
    CHECK(rbd.text() == "rbd://m1:1234/pool/a.raw");
    CHECK(rbd.secrets.at(0).base64);
    CHECK_THROWS_WITH_AS(ref({{"image_name", "a"}, {"enable_ssh", "yes"}}),
                         doctest::Contains("image_ssh_host_img"), BadParam);
    CHECK_THROWS_AS(ref({{"image_name", "a"},
                         {"enable_gluster", "yes"},
                         {"gluster_volume_name", "v"},
                         {"gluster_server", "g"},
                         {"gluster_peers", "{}"}}),
                    BadParam);
}

TEST_CASE("keys: who needs one, and that it stands in a private file only") {
    const Params luks{{"image_name", "a"}, {"image_format", "luks"}, {"image_secret", "k,ey"}};
    const auto image = ref(luks);
    CHECK(image_opts(image) ==
          "driver=luks,key-secret=img_encrypt0,file.driver=file,file.filename=/data/a.luks");
    CHECK(
        backing_name(image) ==
        R"(json:{"driver":"luks","file":{"driver":"file","filename":"/data/a.luks"},"key-secret":"img_encrypt0"})");
    const TempDirectory dir("image-access");
    const auto words = qemu_img_objects(image, dir.path());
    REQUIRE(words.size() == 2);
    CHECK(words[1].find("k,ey") == std::string::npos);
    write_secret(image.all_secrets().at(0), dir.path());
    const auto file = image.encryption->key.file_in(dir.path());
    CHECK(read_file(file) == "k,ey");
    CHECK((std::filesystem::status(file).permissions() & std::filesystem::perms(077)) ==
          std::filesystem::perms::none);
    CHECK_THROWS_AS(ref({{"image_name", "a"}, {"image_format", "luks"}}), BadParam);
    CHECK_THROWS_AS(ref({{"image_name", "a"}, {"image_format", "vdi"}, {"image_encryption", "luks"}}),
                    BadParam);
    // What lies below by image_chain needs its key, too.
    const auto top = ref({{"image_name", "t"},
                          {"image_chain", "base img"},
                          {"image_name_base", "b"},
                          {"image_format_base", "luks"},
                          {"image_secret_base", "low"}});
    REQUIRE(top.below.size() == 1);
    CHECK(top.all_secrets().at(0).id == "base_encrypt0");
}

}  // namespace vt

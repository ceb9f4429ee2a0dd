// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/storage/image_access.hpp"

#include "runner/support/error.hpp"
#include "runner/support/file.hpp"
#include "runner/support/strings.hpp"
#include "runner/support/unique_fd.hpp"

#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <fmt/core.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>
#include <unistd.h>

namespace vt {

namespace fs = std::filesystem;

namespace {

bool yes(const Params& params, std::string_view key) {
    return params.get(key) == "yes";
}

/// The part of a URL that says which machine.
std::string host_and_port(const std::string& host, const std::string& port) {
    const auto name = host.find(':') != std::string::npos && !host.starts_with('[') ? "[" + host + "]" : host;
    return port.empty() ? name : name + ":" + port;
}

/// Reads "host", "host:port", "[::1]:port".
std::pair<std::string, std::string> split_host(std::string_view text, std::string_view default_port) {
    if (text.starts_with('[')) {
        const auto end = text.find(']');
        const auto port = end == std::string_view::npos ? end : text.find(':', end);
        return {std::string(text.substr(1, end == std::string_view::npos ? end : end - 1)),
                std::string(port == std::string_view::npos ? default_port : text.substr(port + 1))};
    }
    const auto colon = text.find(':');
    if (colon == std::string_view::npos || text.find(':', colon + 1) != std::string_view::npos) {
        return {std::string(text), std::string(default_port)};
    }
    return {std::string(text.substr(0, colon)), std::string(text.substr(colon + 1))};
}

class Reader {
  public:
    Reader(ImageRef& image, const Params& view) : image_(image), view_(view) {}

    void read(const fs::path& data_dir) {
        image_.raw_device = yes(view_, "image_raw_device");
        image_.format = image_.raw_device && view_.get("image_format") != "luks"
                            ? "raw"
                            : view_.get("image_format", "qcow2");
        if (yes(view_, "enable_nbd")) {
            nbd(data_dir);
        } else if (yes(view_, "enable_iscsi") && view_.get("storage_type") == "iscsi-direct") {
            iscsi();
        } else if (yes(view_, "enable_ssh")) {
            ssh();
        } else if (yes(view_, "enable_curl")) {
            curl();
        } else if (yes(view_, "enable_nvme")) {
            image_.driver = "nvme";
            set("device", required("nvme_pci_address"));
            set("namespace", view_.get("nvme_namespace", "1"));
        } else if (yes(view_, "enable_gluster")) {
            gluster();
        } else if (yes(view_, "enable_ceph")) {
            rbd();
        } else {
            file(data_dir);
        }
        encryption();
    }

  private:
    std::string required(const std::string& key) const {
        auto value = view_.get(key);
        if (value.empty()) {
            throw BadParam(
                fmt::format("{}_{}", key, image_.name), value,
                fmt::format("a value, as the storage of image {} cannot be reached without", image_.name));
        }
        return value;
    }

    void set(const std::string& option, const std::string& value) {
        if (!value.empty()) {
            image_.options.emplace_back(option, value);
        }
    }

    void secret(const std::string& option, const std::string& id, const std::string& data,
                const std::string& format) {
        if (!data.empty()) {
            image_.secrets.push_back({id, data, format == "base64"});
            set(option, id);
        }
    }

    /// NAME.FORMAT, as a file would be called.
    std::string remote_file() const {
        const auto name = fs::path(required("image_name")).filename().native();
        return image_.raw_device ? name : name + "." + image_.format;
    }

    void file(const fs::path& data_dir) {
        const fs::path base = view_.get("images_base_dir", data_dir.native());
        const auto name = view_.at("image_name");
        if (name.empty()) {
            throw BadParam("image_name_" + image_.name, name,
                           "the name of an image file, without the format at its end");
        }
        image_.file = base / (image_.raw_device ? name : name + "." + image_.format);
        // QEMU insists on the driver that fits; what is not there yet goes by its name.
        std::error_code error;
        const auto kind = fs::status(image_.file, error).type();
        if (kind == fs::file_type::block || kind == fs::file_type::character ||
            (kind == fs::file_type::not_found && image_.file.native().starts_with("/dev/"))) {
            image_.driver = "host_device";
        }
        if (view_.get("enable_data_file") == "yes") {
            if (image_.format != "qcow2") {
                throw BadParam("enable_data_file_" + image_.name, "yes",
                               fmt::format("no, as format {} has no external data file", image_.format));
            }
            const auto path = view_.get("image_data_file_path");
            image_.data_file = path.empty()
                                   ? base / "images" / (fs::path(name).filename().native() + ".data_file")
                                   : base / path;
            image_.data_file_raw = view_.get("image_data_file_raw") == "on";
        }
    }

    void nbd(const fs::path& data_dir) {
        const auto socket = view_.get("nbd_unix_socket");
        const auto server = view_.get("nbd_server");
        if (socket.empty() && server.empty()) {
            image_.own_server = true;
            file(data_dir);
        }
        image_.driver = "nbd";
        if (!socket.empty()) {
            set("server.type", "unix");
            set("server.path", socket);
        } else if (!server.empty()) {
            set("server.type", "inet");
            set("server.host", server);
            set("server.port", view_.get("nbd_port", "10809"));
        }
        if (!image_.own_server) {
            set("export", view_.get("nbd_export_name"));
        }
        set("reconnect-delay", view_.get("nbd_reconnect_delay"));
        if (const auto dir = view_.get("nbd_client_tls_creds"); !dir.empty() && !image_.own_server) {
            image_.tls = TlsCredentials{image_.name + "_tls_creds", dir};
            set("tls-creds", image_.tls->id);
        }
    }

    void iscsi() {
        image_.driver = "iscsi";
        set("transport", "tcp");
        set("portal", required("portal_ip"));
        set("target", required("target"));
        set("lun", view_.get("lun", "0"));
        set("user", view_.get("chap_user"));
        secret("password-secret", image_.name + "_access_secret0", view_.get("chap_passwd"),
               view_.get("data_format", "raw"));
        set("initiator-name", view_.get("initiator"));
    }

    void ssh() {
        image_.driver = "ssh";
        set("server.host", required("image_ssh_host"));
        set("server.port", view_.get("image_ssh_port", "22"));
        set("path", required("image_ssh_path"));
        set("user", view_.get("image_ssh_user"));
        const auto check = view_.get("image_ssh_host_key_check");
        if (check == "no") {
            set("host-key-check.mode", "none");
        } else if (check == "yes") {
            set("host-key-check.mode", "known_hosts");
        } else if (const auto colon = check.find(':'); colon != std::string::npos) {
            set("host-key-check.mode", "hash");
            set("host-key-check.type", check.substr(0, colon));
            set("host-key-check.hash", check.substr(colon + 1));
        } else if (!check.empty()) {
            throw BadParam("image_ssh_host_key_check_" + image_.name, check,
                           "yes, no, md5:HASH or sha1:HASH");
        }
    }

    void curl() {
        image_.driver = required("curl_protocol");
        if (image_.driver != "http" && image_.driver != "https" && image_.driver != "ftp" &&
            image_.driver != "ftps") {
            throw BadParam("curl_protocol_" + image_.name, image_.driver, "http, https, ftp or ftps");
        }
        set("url", fmt::format("{}://{}/{}", image_.driver, required("curl_server"), required("curl_path")));
        set("username", view_.get("curl_username"));
        secret("password-secret", image_.name + "_access_secret0", view_.get("curl_password"),
               view_.get("curl_password_format", "raw"));
        secret("cookie-secret", image_.name + "_cookie_secret", view_.get("curl_cookie_secret"),
               view_.get("curl_cookie_secret_format", "raw"));
        set("sslverify", view_.get("curl_sslverify"));
        set("readahead", view_.get("curl_readahead"));
        set("timeout", view_.get("curl_timeout"));
    }

    void gluster() {
        image_.driver = "gluster";
        set("volume", required("gluster_volume_name"));
        set("path", remote_file());
        int number = 0;
        const auto server = [&](const std::string& key, const std::string& value) {
            set(fmt::format("server.{}.{}", number, key), value);
        };
        if (const auto socket = view_.get("gluster_unix_socket"); !socket.empty()) {
            server("type", "unix");
            server("path", socket);
        } else {
            server("type", "inet");
            server("host", required("gluster_server"));
            server("port", view_.get("gluster_port", "24007"));
        }
        // Further servers, as a list of objects.
        const auto text = view_.get("gluster_peers", "[]");
        const auto peers = nlohmann::json::parse(text, nullptr, false);
        for (const auto& peer : peers.is_array() ? peers : nlohmann::json::array({nullptr})) {
            if (!peer.is_object()) {
                throw BadParam("gluster_peers_" + image_.name, text,
                               R"(a list of servers, [{"host": "a", "port": "24007"}])");
            }
            ++number;
            const auto word = [&](const char* key, const char* fallback) {
                const auto member = peer.find(key);
                return member == peer.end()  ? std::string(fallback)
                       : member->is_string() ? member->get<std::string>()
                                             : member->dump();
            };
            if (peer.contains("path")) {
                server("type", "unix");
                server("path", word("path", ""));
            } else {
                server("type", word("type", "inet"));
                server("host", word("host", ""));
                server("port", word("port", "24007"));
            }
        }
        set("debug", view_.get("gluster_debug"));
        set("logfile", view_.get("gluster_logfile"));
    }

    void rbd() {
        image_.driver = "rbd";
        set("pool", required("rbd_pool_name"));
        set("namespace", view_.get("rbd_namespace_name"));
        set("image", remote_file());
        set("conf", view_.get("ceph_conf"));
        int number = 0;
        for (const auto& monitor : split(view_.get("ceph_monitor"), ',')) {
            if (const auto word = trim(monitor); !word.empty()) {
                const auto [host, port] = split_host(word, "6789");
                set(fmt::format("server.{}.host", number), host);
                set(fmt::format("server.{}.port", number), port);
                ++number;
            }
        }
        secret("key-secret", image_.name + "_access_secret0", view_.get("ceph_key"),
               view_.get("data_format", "base64"));
    }

    void encryption() {
        const auto kind = view_.get("image_encryption", "off");
        const bool luks = image_.format == "luks";
        if (!luks && (kind.empty() || kind == "off" || kind == "no")) {
            return;
        }
        if (!luks && (image_.format != "qcow2" || kind != "luks")) {
            throw BadParam("image_encryption_" + image_.name, kind,
                           fmt::format("luks with image_format qcow2, or image_format luks; the format is {}",
                                       image_.format));
        }
        ImageEncryption found;
        found.key = {image_.name + "_encrypt0", required("image_secret"), false};
        for (const auto& [option, key] : {std::pair{"cipher-alg", "image_cipher_alg"},
                                          {"cipher-mode", "image_cipher_mode"},
                                          {"ivgen-alg", "image_ivgen_alg"},
                                          {"ivgen-hash-alg", "image_ivgen_hash_alg"},
                                          {"hash-alg", "image_hash_alg"},
                                          {"iter-time", "image_iter_time"}}) {
            if (auto value = view_.get(key); !value.empty()) {
                found.options.emplace_back(option, std::move(value));
            }
        }
        image_.encryption = std::move(found);
    }

    ImageRef& image_;
    const Params& view_;
};

/// "10M" in bytes, as qemu-img reads it; other text as it stands.
std::string bytes_of(const std::string& text) {
    const auto units = std::string_view("BKMGT");
    const auto digits = text.find_first_not_of("0123456789");
    const auto unit = digits == std::string::npos || digits == 0 || digits + 1 != text.size()
                          ? std::string_view::npos
                          : units.find(static_cast<char>(std::toupper(text[digits])));
    if (unit == std::string_view::npos || digits > 12) {
        return text;
    }
    return std::to_string(std::stoull(text) << (10 * unit));
}

void read_slice(ImageRef& image, const Params& view) {
    const auto slices = view.objects("image_slices");
    if (slices.empty()) {
        return;
    }
    const Params slice = view.object_params(slices.front());
    image.slice_offset = bytes_of(slice.get("image_slice_offset"));
    image.slice_size = bytes_of(slice.get("image_slice_size"));
    if (image.format != "raw") {
        throw BadParam("image_slices_" + image.name, view.get("image_slices"),
                       "nothing, as only a raw image has slices");
    }
}

/// Those below \p image that its opening needs to know of.
void read_chain(ImageRef& image, const Params& view, const fs::path& data_dir) {
    const auto chain = view.objects("image_chain");
    auto own = std::find(chain.begin(), chain.end(), image.name);
    if (own == chain.end()) {
        return;
    }
    while (own != chain.begin()) {
        --own;
        Params lower = view.object_params(*own);
        lower.set("image_chain", "");
        auto ref = ImageRef::from_params(lower, *own, data_dir);
        if (!ref.plain()) {
            image.below.push_back(std::move(ref));
        }
    }
}

std::string option_pair(const std::string& name, const std::string& value) {
    return fmt::format("{}={}", name, replace_all(value, ",", ",,"));
}

/// "server.host" into an object within the object.
void nest(nlohmann::json& into, const std::string& name, const std::string& value) {
    const auto dot = name.find('.');
    if (dot == std::string::npos) {
        into[name] = value;
        return;
    }
    const auto head = name.substr(0, dot);
    const auto rest = name.substr(dot + 1);
    if (std::isdigit(static_cast<unsigned char>(rest[0])) != 0) {
        auto& list = into[head];
        const auto index = static_cast<std::size_t>(rest[0] - '0');
        while (list.size() <= index) {
            list.push_back(nlohmann::json::object());
        }
        nest(list[index], rest.substr(2), value);
        return;
    }
    nest(into[head], rest, value);
}

}  // namespace

fs::path ImageSecret::file_in(const fs::path& dir) const {
    return dir / ("secret-" + replace_all(id, "/", "_"));
}

ImageRef ImageRef::from_params(const Params& view, const std::string& name, const fs::path& data_dir) {
    ImageRef image;
    image.name = name;
    Reader(image, view).read(data_dir);
    read_slice(image, view);
    read_chain(image, view, data_dir);
    return image;
}

bool ImageRef::plain() const {
    return local() && !own_server && !encryption && slice_offset.empty() && slice_size.empty();
}

std::string ImageRef::text() const {
    if (local()) {
        return file.native();
    }
    const auto option = [&](std::string_view wanted) {
        const auto found = std::find_if(options.begin(), options.end(),
                                        [&](const auto& one) { return one.first == wanted; });
        return found == options.end() ? std::string() : found->second;
    };
    if (const auto url = option("url"); !url.empty()) {
        return url;
    }
    std::string path;
    for (const auto* part :
         {"volume", "pool", "namespace", "target", "lun", "export", "path", "image", "device"}) {
        if (auto value = option(part); !value.empty()) {
            path += (path.empty() && part == std::string_view("path") ? "" : "/") + value;
        }
    }
    if (const auto socket = option("server.path"); !socket.empty()) {
        return fmt::format("{}+unix://{}?socket={}", driver, path.empty() ? "/" : path, socket);
    }
    auto host = option("portal");
    for (const std::string prefix : {"server.", "server.0."}) {
        if (host.empty()) {
            host = host_and_port(option(prefix + "host"), option(prefix + "port"));
        }
    }
    return fmt::format("{}://{}{}", driver, host, path);
}

std::vector<ImageSecret> ImageRef::all_secrets() const {
    auto all = secrets;
    if (encryption) {
        all.push_back(encryption->key);
    }
    for (const auto& lower : below) {
        for (auto& secret : lower.all_secrets()) {
            all.push_back(std::move(secret));
        }
    }
    return all;
}

std::vector<TlsCredentials> ImageRef::all_tls() const {
    std::vector<TlsCredentials> all;
    if (tls) {
        all.push_back(*tls);
    }
    for (const auto& lower : below) {
        for (auto& credentials : lower.all_tls()) {
            all.push_back(std::move(credentials));
        }
    }
    return all;
}

std::vector<std::pair<std::string, std::string>> ImageRef::open_options() const {
    std::vector<std::pair<std::string, std::string>> all{{"driver", format}};
    if (encryption && format == "luks") {
        all.emplace_back("key-secret", encryption->key.id);
    } else if (encryption) {
        all.emplace_back("encrypt.format", "luks");
        all.emplace_back("encrypt.key-secret", encryption->key.id);
    }
    if (local()) {
        all.emplace_back("file.driver", own_server ? "file" : driver);
        all.emplace_back("file.filename", fs::absolute(file).native());
        return all;
    }
    all.emplace_back("file.driver", driver);
    for (const auto& [option, value] : options) {
        all.emplace_back("file." + option, value);
    }
    return all;
}

fs::path nbd_socket(const fs::path& instance_dir, const std::string& image) {
    return instance_dir / ("nbd-" + image);
}

void write_secret(const ImageSecret& secret, const fs::path& dir) {
    write_file_atomically(secret.file_in(dir), secret.data, 0600);
}

std::vector<std::string> qemu_img_objects(const ImageRef& image, const fs::path& dir) {
    std::vector<std::string> words;
    for (const auto& secret : image.all_secrets()) {
        words.emplace_back("--object");
        words.push_back(
            join({"secret", option_pair("id", secret.id), option_pair("file", secret.file_in(dir).native()),
                  option_pair("format", secret.base64 ? "base64" : "raw")},
                 ","));
    }
    for (const auto& credentials : image.all_tls()) {
        words.emplace_back("--object");
        words.push_back(join({"tls-creds-x509", option_pair("id", credentials.id), "endpoint=client",
                              option_pair("dir", credentials.dir.native())},
                             ","));
    }
    return words;
}

std::string image_opts(const ImageRef& image) {
    std::vector<std::string> pairs;
    for (const auto& [option, value] : image.open_options()) {
        pairs.push_back(option_pair(option, value));
    }
    return join(pairs, ",");
}

std::string backing_name(const ImageRef& image) {
    if (image.plain()) {
        return fs::absolute(image.file).native();
    }
    auto json = nlohmann::json::object();
    for (const auto& [option, value] : image.open_options()) {
        nest(json, option, value);
    }
    return "json:" + json.dump();
}

}  // namespace vt

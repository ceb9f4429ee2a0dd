// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/guest_build/guest_libraries.hpp"

#include "runner/guest_build/guest_image.hpp"
#include "runner/guest_build/guest_module/libraries.hpp"
#include "runner/support/install_dirs.hpp"

#include <dlfcn.h>
#include <fmt/core.h>

namespace vt::bootstrap {
namespace {

const module::Functions& functions() {
    static const module::Functions& loaded = []() -> const module::Functions& {
        const auto path = InstallDirs::find().libraries() / "libvtguest.so";
        void* handle = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
        const void* table = handle != nullptr ? ::dlsym(handle, "vt_guest_libraries") : nullptr;
        if (table == nullptr) {
            const char* words = ::dlerror();
            throw GuestImageError(fmt::format("archives and digests need {}, which cannot be loaded: {}",
                                              path.string(), words != nullptr ? words : "it has no entry"));
        }
        return *static_cast<const module::Functions*>(table);
    }();
    return loaded;
}

}  // namespace

std::string decompress(std::string_view data, std::size_t limit) {
    return functions().decompress(data, limit);
}

std::string lz4_blocks(std::string_view data) {
    return functions().lz4_blocks(data);
}

void unpack_deb(const std::filesystem::path& deb, const std::filesystem::path& target, const PathMap& map) {
    functions().unpack_deb(deb, target, map);
}

void unpack_zip(const std::filesystem::path& zip, const std::filesystem::path& target, const PathMap& map) {
    functions().unpack_zip(zip, target, map);
}

void decompress_file(const std::filesystem::path& archive, const std::filesystem::path& target) {
    functions().decompress_file(archive, target);
}

void write_initramfs(const std::filesystem::path& root, const std::vector<DeviceNode>& devices,
                     const std::filesystem::path& file) {
    functions().write_initramfs(root, devices, file);
}

std::string sha256_text(std::string_view data) {
    return functions().sha256_text(data);
}

std::string sha256_file(const std::filesystem::path& path) {
    return functions().sha256_file(path);
}

std::string file_digest(const std::string& algorithm, const std::filesystem::path& path) {
    return functions().file_digest(algorithm, path);
}

std::string hash_password(const std::string& password) {
    return functions().hash_password(password);
}

}  // namespace vt::bootstrap

// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/native/loader.hpp"

#include "runner/env/env.hpp"
#include "runner/env/test_context.hpp"
#include "runner/native/test_api.hpp"
#include "runner/support/error.hpp"

#include <dlfcn.h>

namespace vt::native {
namespace {

std::string linker_words() {
    const char* text = ::dlerror();
    return text != nullptr ? text : "the dynamic linker gives no reason";
}

const VtTestEntry& find_entry(const std::filesystem::path& path) {
    // Every symbol at once: a missing one is a wrong build, to be told now and not in the middle of the test.
    // Local, so that two tests of one job may use the same names.
    void* handle = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr)
        throw Error(fmt::format("the test {} cannot be loaded: {}", path.native(), linker_words()));
    const auto* entry = static_cast<const VtTestEntry*>(::dlsym(handle, "vt_test_entry"));
    if (entry == nullptr) {
        throw Error(fmt::format(
            "{} is a shared object but no test: it has no vt_test_entry; define the test with VT_TEST "
            "of runner/native/test_api.hpp",
            path.native()));
    }
    return *entry;
}

}  // namespace

TestFunction load_test(const std::filesystem::path& shared_object) {
    std::error_code ignored;
    if (!std::filesystem::is_regular_file(shared_object, ignored))
        throw Error(fmt::format("the test {} is not there (or is no file)", shared_object.native()));
    // A name without a slash would be sought on the linker's path.
    const VtTestEntry& entry = find_entry(std::filesystem::absolute(shared_object));
    if (entry.version != api::version) {
        throw Error(
            fmt::format("the test {} was built for version {} of the test API, this runner has version {}: "
                        "build the test again with this runner's headers",
                        shared_object.native(), entry.version, api::version));
    }
    return [run = entry.run](TestContext& context, Env& env) {
        api::Test test(context);
        api::Env api_env(env);
        run(test, context.params, api_env);
    };
}

}  // namespace vt::native

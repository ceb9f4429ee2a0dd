// SPDX-License-Identifier: GPL-2.0-or-later
// `vt_ulimit_core`, `vt_ulimit_nofile`, `vt_ulimit_memlock`: of the test, what it starts, and QEMU. QEMU is
// the guardian's child, so its limits are set by prlimit(1), which becomes QEMU.
#include "runner/env/setup/setup_params.hpp"
#include "runner/support/log.hpp"
#include "runner/support/strings.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <utility>
#include <vector>

#include <sys/resource.h>

namespace vt {

namespace {

struct Kind {
    const char* name;
    __rlimit_resource resource;
};

constexpr std::array<Kind, 3> kinds{
    {{"core", RLIMIT_CORE}, {"nofile", RLIMIT_NOFILE}, {"memlock", RLIMIT_MEMLOCK}}};

rlim_t parse(const std::string& key, const std::string& text) {
    // "ulimited" is how Avocado-VT spells it.
    if (text == "unlimited" || text == "ulimited") {
        return RLIM_INFINITY;
    }
    rlim_t value = 0;
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (failed != std::errc() || end != text.data() + text.size()) {
        throw TestError(
            fmt::format("the parameter '{} = {}' should be a number or \"unlimited\"", key, text));
    }
    return value;
}

class UlimitsSetup : public Setup {
  public:
    explicit UlimitsSetup(const SetupScope& scope) : params_(scope.test.params) {}

    std::string_view name() const override { return "ulimits"; }

    void set_up() override {
        std::vector<std::string> options;
        for (const auto& kind : kinds) {
            const auto key = fmt::format("vt_ulimit_{}", kind.name);
            const auto text = params_.get(key);
            if (text.empty()) {
                continue;
            }
            const rlim_t value = parse(key, text);
            apply(key, text, kind, value);
            options.push_back(value == RLIM_INFINITY ? fmt::format("--{}=unlimited:unlimited", kind.name)
                                                     : fmt::format("--{0}={1}:{1}", kind.name, value));
        }
        if (!options.empty()) {
            need_program("vt_ulimit_*", "prlimit");
            const auto former = params_.get("qemu_command_prefix");
            params_.set("qemu_command_prefix",
                        "prlimit " + join(options, " ") + (former.empty() ? "" : " " + former));
        }
    }

    void clean_up() override {
        for (const auto& [kind, former] : former_) {
            // What was lowered below the hard limit comes back only as far as the kernel lets this user.
            rlimit back = former;
            rlimit now{};
            ::getrlimit(kind.resource, &now);
            if (::setrlimit(kind.resource, &former) != 0) {
                back.rlim_max = now.rlim_max;
                back.rlim_cur = std::min(back.rlim_cur, back.rlim_max);
                ::setrlimit(kind.resource, &back);
            }
        }
        former_.clear();
    }

  private:
    void apply(const std::string& key, const std::string& text, const Kind& kind, rlim_t value) {
        rlimit former{};
        ::getrlimit(kind.resource, &former);
        const rlimit wanted{value, value};
        if (::setrlimit(kind.resource, &wanted) != 0) {
            throw TestCancel(fmt::format(
                "{} = {} cannot be honoured on this host: {}; the limit is {} and this user may not raise it",
                key, text, SystemError("setrlimit", errno).what(),
                former.rlim_max == RLIM_INFINITY ? "unlimited" : std::to_string(former.rlim_max)));
        }
        log::info("ulimit {}: {}", kind.name, text);
        former_.emplace_back(kind, former);
    }

    Params& params_;
    std::vector<std::pair<Kind, rlimit>> former_;
};

}  // namespace

std::unique_ptr<Setup> make_ulimits_setup(const SetupScope& scope) {
    return std::make_unique<UlimitsSetup>(scope);
}

}  // namespace vt

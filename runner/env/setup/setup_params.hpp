// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// How setups read their parameters and say that a host cannot do what is asked.
#pragma once

#include "cfg/params.hpp"
#include "runner/env/setup.hpp"
#include "runner/process/process.hpp"

#include <exception>
#include <string>
#include <string_view>

#include <fmt/core.h>

namespace vt {

/// On with "yes", off with anything else.
inline bool yes(const Params& params, std::string_view key, std::string_view fallback = "no") {
    return params.get(key, fallback) == "yes";
}

/// Runs \p step; what it throws becomes a TestCancel: this host cannot do what \p wish ("setup_ksm = yes")
/// asks for.
template <typename Step>
void honour(std::string_view wish, Step&& step) {
    try {
        step();
    } catch (const TestException&) {
        throw;
    } catch (const std::exception& error) {
        throw TestCancel(fmt::format("{} cannot be honoured on this host: {}", wish, error.what()));
    }
}

/// Throws TestCancel if \p program is not installed.
inline void need_program(std::string_view wish, std::string_view program) {
    if (!process::find_program(program)) {
        throw TestCancel(fmt::format("{} cannot be honoured on this host: the program {} is not installed",
                                     wish, program));
    }
}

}  // namespace vt

// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// What libvtcore looks up in libvtpython.so. Both are built together, so C++ types may cross.
#pragma once

#include "runner/python/python_loader.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace vt::python {

/// Where the embedded interpreter finds its world.
struct Startup {
    std::filesystem::path executable;   ///< python3 of the virtual environment, or Debian's
    std::filesystem::path module_path;  ///< our packages (virttest, aexpect, _vt)
};

/// The functions of libvtpython.so.
struct EmbeddedPython {
    TestFunction (*load_test)(const Startup& startup, const PythonTest& test);
    void (*run_harness)(const Startup& startup, const HarnessTest& test);
    int (*run_script)(const Startup& startup, const std::vector<std::string>& argv);
};

}  // namespace vt::python

extern "C" {
extern __attribute__((visibility("default"))) const vt::python::EmbeddedPython vt_embedded_python;
}

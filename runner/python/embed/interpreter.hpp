// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Starts the embedded interpreter, once a process, as facts about embedding demand: isolated (no PYTHON*
/// variable, no user site), sys.executable a real python3 (so that multiprocessing works), the runner's
/// signals untouched, UTF-8 whatever the locale.
#pragma once

#include "runner/python/embed/entry.hpp"

#include <string>
#include <vector>

namespace vt::python {

/// How standard output behaves.
enum class Stdio {
    buffered,    ///< as python3's
    unbuffered,  ///< each write goes out, so that nothing is lost when a test ends the process
};

/// Starts the interpreter and leaves the calling thread holding the GIL. Throws vt::Error.
/// \param argv sys.argv; the first is the script, or empty
void start_interpreter(const Startup& startup, const std::vector<std::string>& argv, Stdio stdio);

/// True once it runs.
bool interpreter_runs();

}  // namespace vt::python

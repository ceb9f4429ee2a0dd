// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/python/module/bind.hpp"
#include "runner/python/module/convert.hpp"
#include "runner/support/log.hpp"
#include "runner/support/printable.hpp"

namespace vt::python {
namespace {

/// Python's numeric levels: 10 DEBUG, 20 INFO, 30 WARNING, 40 ERROR, and whatever lies between.
log::Level level_of(int python_level) {
    if (python_level < 20)
        return log::Level::debug;
    if (python_level < 30)
        return log::Level::info;
    return python_level < 40 ? log::Level::warning : log::Level::error;
}

}  // namespace

void bind_log(py::module_& module) {
    module.def(
        "log",
        [](int level, const py::object& logger, const py::object& text) {
            const std::string name = bytes_of(logger);
            const std::string lines = bytes_of(text);
            without_gil([&] { log::write(level_of(level), name, lines); });
        },
        py::arg("level"), py::arg("logger"), py::arg("text"),
        "Writes lines to the log; level as in logging.");
    module.def(
        "printable", [](const py::object& text) { return printable(bytes_of(text)); }, py::arg("text"),
        "Text for a log that people look at: what a terminal would obey is escaped.");
}

}  // namespace vt::python

// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// What every binding needs: text and JSON across the border, and the GIL let go around what may block.
///
/// Text of guests and parameters is bytes that usually are UTF-8. Parameters keep every byte on a round trip
/// (surrogate escapes, as Python treats file names); a guest's output drops what is no text, as aexpect does.
#pragma once

#include "runner/support/deadline.hpp"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <nlohmann/json_fwd.hpp>
#include <pybind11/pybind11.h>

namespace vt::python {

namespace py = pybind11;

/// \p text as a str; bytes that are no UTF-8 become surrogate escapes.
py::str text_from(std::string_view text);
/// The same of a guest's output: bytes that are no UTF-8 are dropped.
py::str output_from(std::string_view output);
/// The bytes of a str, surrogate escapes as the bytes they stand for. Throws TypeError for anything but str
/// and bytes.
std::string bytes_of(py::handle text);

/// JSON's values as Python's.
py::object python_from(const nlohmann::json& value);
/// Python's None, bool, int, float, str, list, tuple and dict as JSON. Throws TypeError naming the type of
/// anything else.
nlohmann::json json_of(py::handle value);

/// A deadline from what Python users pass: seconds, or None for \p fallback.
Deadline deadline_of(const std::optional<double>& seconds, double fallback);
inline std::optional<Seconds> seconds_of(const std::optional<double>& seconds) {
    return seconds ? std::optional(Seconds{*seconds}) : std::nullopt;
}

/// \p call's result, made without the GIL: for everything that may wait. \p call must touch no Python object.
template <typename Call>
auto without_gil(Call&& call) {
    const py::gil_scoped_release release;
    return std::forward<Call>(call)();
}

/// \p object for Python to hold: when Python drops its last reference, the object's end (which may wait for
/// the reading thread, which may wait for the GIL to call a Python function) comes without the GIL.
template <typename T>
std::shared_ptr<T> for_python(std::shared_ptr<T> object) {
    T* raw = object.get();
    return std::shared_ptr<T>(raw, [held = std::move(object)](T*) mutable {
        if (PyGILState_Check() == 0)
            return held.reset();
        const py::gil_scoped_release release;
        held.reset();
    });
}

}  // namespace vt::python

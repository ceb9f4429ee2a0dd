// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/python/module/convert.hpp"

#include <fmt/core.h>
#include <nlohmann/json.hpp>

namespace vt::python {
namespace {

py::str decode(std::string_view text, const char* errors) {
    PyObject* decoded = PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), errors);
    if (decoded == nullptr)
        throw py::error_already_set();
    return py::reinterpret_steal<py::str>(decoded);
}

py::object dict_from(const nlohmann::json& object) {
    py::dict result;
    for (const auto& [key, value] : object.items())
        result[text_from(key)] = python_from(value);
    return result;
}

nlohmann::json integer_of(py::handle value) {
    // QMP has unsigned 64-bit numbers (offsets, MACs); beyond that JSON libraries disagree.
    int overflow = 0;
    const long long number = PyLong_AsLongLongAndOverflow(value.ptr(), &overflow);
    if (overflow == 0)
        return number;
    if (overflow > 0) {
        const unsigned long long large = PyLong_AsUnsignedLongLong(value.ptr());
        if (PyErr_Occurred() == nullptr)
            return large;
        PyErr_Clear();
    }
    throw py::value_error("a number does not fit 64 bits: " + py::str(value).cast<std::string>());
}

}  // namespace

py::str text_from(std::string_view text) {
    return decode(text, "surrogateescape");
}

py::str output_from(std::string_view output) {
    return decode(output, "ignore");
}

std::string bytes_of(py::handle text) {
    if (PyBytes_Check(text.ptr()) != 0)
        return py::reinterpret_borrow<py::bytes>(text);
    if (PyUnicode_Check(text.ptr()) == 0)
        throw py::type_error(fmt::format("text was wanted, not {}", Py_TYPE(text.ptr())->tp_name));
    Py_ssize_t size = 0;
    if (const char* plain = PyUnicode_AsUTF8AndSize(text.ptr(), &size); plain != nullptr)
        return {plain, static_cast<std::size_t>(size)};
    PyErr_Clear();
    const auto encoded =
        py::reinterpret_steal<py::object>(PyUnicode_AsEncodedString(text.ptr(), "utf-8", "surrogateescape"));
    if (!encoded)
        throw py::error_already_set();
    return py::reinterpret_borrow<py::bytes>(encoded);
}

py::object python_from(const nlohmann::json& value) {
    using Type = nlohmann::json::value_t;
    switch (value.type()) {
        case Type::boolean:
            return py::bool_(value.get<bool>());
        case Type::number_integer:
            return py::int_(value.get<std::int64_t>());
        case Type::number_unsigned:
            return py::int_(value.get<std::uint64_t>());
        case Type::number_float:
            return py::float_(value.get<double>());
        case Type::string:
            return text_from(value.get_ref<const std::string&>());
        case Type::object:
            return dict_from(value);
        case Type::array: {
            py::list items;
            for (const auto& item : value)
                items.append(python_from(item));
            return items;
        }
        default:
            return py::none();
    }
}

nlohmann::json json_of(py::handle value) {  // NOLINT(misc-no-recursion)
    if (value.is_none())
        return nullptr;
    if (PyBool_Check(value.ptr()) != 0)
        return value.cast<bool>();
    if (PyLong_Check(value.ptr()) != 0)
        return integer_of(value);
    if (PyFloat_Check(value.ptr()) != 0)
        return value.cast<double>();
    if (PyUnicode_Check(value.ptr()) != 0)
        return bytes_of(value);
    if (PyDict_Check(value.ptr()) != 0) {
        nlohmann::json object = nlohmann::json::object();
        for (const auto& [key, item] : py::reinterpret_borrow<py::dict>(value))
            object[bytes_of(key)] = json_of(item);
        return object;
    }
    if (PyList_Check(value.ptr()) != 0 || PyTuple_Check(value.ptr()) != 0) {
        nlohmann::json array = nlohmann::json::array();
        for (const auto& item : value)
            array.push_back(json_of(item));
        return array;
    }
    throw py::type_error(fmt::format("{} cannot be expressed in JSON", Py_TYPE(value.ptr())->tp_name));
}

Deadline deadline_of(const std::optional<double>& seconds, double fallback) {
    return Deadline::after(Seconds{seconds.value_or(fallback)});
}

}  // namespace vt::python

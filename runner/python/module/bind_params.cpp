// SPDX-License-Identifier: GPL-2.0-or-later
#include "cfg/params.hpp"
#include "runner/python/module/bind.hpp"
#include "runner/python/module/convert.hpp"

#include <memory>
#include <vector>

namespace vt::python {
namespace {

py::list texts_from(const std::vector<std::string>& texts) {
    py::list list;
    for (const auto& text : texts)
        list.append(text_from(text));
    return list;
}

std::unique_ptr<Params> params_of(const py::iterable& pairs) {
    std::vector<std::pair<std::string, std::string>> values;
    for (const auto& pair : pairs) {
        const auto item = py::reinterpret_borrow<py::sequence>(pair);
        values.emplace_back(bytes_of(item[0]), bytes_of(item[1]));
    }
    return std::make_unique<Params>(values);
}

py::object value_of(const Params& params, const py::object& key, const py::object& fallback) {
    if (PyUnicode_Check(key.ptr()) == 0)
        return fallback;
    const auto value = params.find(bytes_of(key));
    return value ? py::object(text_from(*value)) : fallback;
}

py::list keys_of(const Params& params) {
    py::list keys;
    params.for_each([&](std::string_view key, std::string_view) { keys.append(text_from(key)); });
    return keys;
}

py::list items_of(const Params& params) {
    py::list items;
    params.for_each([&](std::string_view key, std::string_view value) {
        items.append(py::make_tuple(text_from(key), text_from(value)));
    });
    return items;
}

py::list counts_of(const Params& params, const py::str& count_key, const py::str& base_name) {
    py::list counts;
    for (const auto& [name, value] : params.object_counts(bytes_of(count_key), bytes_of(base_name)))
        counts.append(py::make_tuple(text_from(name), value ? py::object(text_from(*value)) : py::none()));
    return counts;
}

std::vector<std::string> all_bytes(const py::iterable& texts) {
    std::vector<std::string> result;
    for (const auto& text : texts)
        result.push_back(bytes_of(text));
    return result;
}

}  // namespace

void bind_params(py::module_& module) {
    py::class_<Params>(module, "Params")
        .def(py::init<>())
        .def(py::init<const Params&>())
        .def(py::init(&params_of), py::arg("pairs"))
        .def("get", &value_of, py::arg("key"), py::arg("default") = py::none())
        .def("set", [](Params& self, const py::str& key,
                       const py::object& value) { self.set(bytes_of(key), bytes_of(value)); })
        .def("erase", [](Params& self, const py::str& key) { return self.erase(bytes_of(key)); })
        .def("keys", &keys_of)
        .def("items", &items_of)
        .def("objects",
             [](const Params& self, const py::str& key) { return texts_from(self.objects(bytes_of(key))); })
        .def("object_params",
             [](const Params& self, const py::str& name) { return self.object_params(bytes_of(name)); })
        .def("object_counts", &counts_of)
        .def("copy_from_keys", [](const Params& self,
                                  const py::iterable& keys) { return self.copy_from_keys(all_bytes(keys)); })
        .def("drop_dict_internals", &Params::drop_dict_internals)
        .def("get_boolean", [](const Params& self, const py::str& key,
                               bool fallback) { return self.get_boolean(bytes_of(key), fallback); })
        .def("__len__", &Params::size)
        .def("__contains__", [](const Params& self, const py::object& key) {
            return PyUnicode_Check(key.ptr()) != 0 && self.contains(bytes_of(key));
        });
}

}  // namespace vt::python

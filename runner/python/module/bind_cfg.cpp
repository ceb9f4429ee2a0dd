// SPDX-License-Identifier: GPL-2.0-or-later
#include "cfg/expander.hpp"
#include "cfg/parser.hpp"
#include "runner/python/module/bind.hpp"
#include "runner/python/module/convert.hpp"

#include <memory>
#include <vector>

#include <pybind11/stl.h>

namespace vt::python {
namespace {

/// Dictionaries as Python iterates them, one made at a time.
class Dictionaries {
  public:
    explicit Dictionaries(cfg::Program program) : expander_(std::move(program)) {}

    py::dict next() {
        const cfg::Dictionary* made = without_gil([&] { return expander_.next(); });
        if (made == nullptr)
            throw py::stop_iteration();
        return dict_of(*made);
    }

  private:
    using Map = std::vector<std::pair<std::string_view, std::string_view>>;

    /// The order of keys is upstream's: the names, then the entries with the two maps among them.
    py::dict dict_of(const cfg::Dictionary& made) {
        py::dict dict;
        dict["name"] = text_from(made.name);
        py::list dep;
        for (const auto& name : made.dep)
            dep.append(text_from(name));
        dict["dep"] = dep;
        dict["shortname"] = text_from(made.shortname);
        std::size_t position = 0;
        for (const auto& entry : made.entries) {
            if (position++ == made.maps_position)
                add_maps(dict, made);
            put(dict, entry);
        }
        if (made.maps_position >= made.entries.size())
            add_maps(dict, made);
        return dict;
    }

    void put(const py::dict& dict, const cfg::Entry& entry) {
        const py::str value = text_from(entry.value);
        const py::str key = entry.rank == cfg::Entry::no_rank ? text_from(entry.key) : known_key(entry);
        if (PyDict_SetItem(dict.ptr(), key.ptr(), value.ptr()) != 0)
            throw py::error_already_set();
    }

    /// The same few hundred keys come again in each dictionary: made, and hashed, once.
    const py::str& known_key(const cfg::Entry& entry) {
        if (keys_.size() <= entry.rank)
            keys_.resize(entry.rank + 1);
        auto& key = keys_[entry.rank];
        if (!key)
            key = text_from(entry.key);
        return *key;
    }

    /// Without variants there are none.
    static void add_maps(const py::dict& dict, const cfg::Dictionary& made) {
        if (made.name_map.empty()) {
            return;
        }
        dict["_name_map_file"] = map_of(made.name_map);
        dict["_short_name_map_file"] = map_of(made.short_name_map);
    }

    static py::dict map_of(const Map& map) {
        py::dict dict;
        for (const auto& [file, labels] : map)
            dict[text_from(file)] = text_from(labels);
        return dict;
    }

    cfg::Expander expander_;
    std::vector<std::optional<py::str>> keys_;  ///< by rank
};

std::unique_ptr<cfg::Parser> make_parser(bool defaults, std::vector<std::string> expand_defaults,
                                         bool keep_suffixes) {
    cfg::Options options;
    options.defaults = defaults;
    options.expand_defaults = std::move(expand_defaults);
    options.keep_suffixes = keep_suffixes;
    return std::make_unique<cfg::Parser>(std::move(options));
}

}  // namespace

void bind_cfg(py::module_& module) {
    py::class_<Dictionaries>(module, "Dictionaries")
        .def("__iter__", [](py::object self) { return self; })
        .def("__next__", &Dictionaries::next);
    py::class_<cfg::Parser>(module, "CfgParser")
        .def(py::init(&make_parser), py::arg("defaults"), py::arg("expand_defaults"),
             py::arg("keep_suffixes"))
        .def("parse_file", &cfg::Parser::parse_file, py::call_guard<py::gil_scoped_release>())
        .def("parse_string",
             [](cfg::Parser& self, const py::str& text) {
                 const std::string bytes = bytes_of(text);
                 without_gil([&] { self.parse_string(bytes); });
             })
        .def("dictionaries", [](const cfg::Parser& self) {
            return std::make_unique<Dictionaries>(without_gil([&] { return self.program(); }));
        });
}

}  // namespace vt::python

// SPDX-License-Identifier: GPL-2.0-or-later
/// \file params.hpp
/// The parameters of one test, as users of Avocado-VT know them: an ordered dictionary of strings in which a
/// key with an object's name as its suffix (`mem_vm1`) overrides the plain one (`mem`) for that object.
///
/// A test has about 260 parameters and asks for object parameters hundreds of times, so a `Params` is a small
/// handle: a shared immutable table plus the few keys that differ from it. Copies and `object_params()` cost
/// a scan of the keys and no string; a copy never sees later changes of the original (upstream's semantics,
/// which copies).
///
/// What is ugly: the values upstream keeps as Python objects in the same dictionary (`dep`, a list, and the
/// two file maps) do not fit a dictionary of strings and stand apart. Integers in Python's notation have no
/// sized type, so `get_numeric` refuses what does not fit 64 bits.
#pragma once

#include "runner/support/error.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace vt {

/// A parameter that the test cannot do without is not set; the test ends as SKIP, the reason names the key.
class MissingParam : public Error {
  public:
    explicit MissingParam(const std::string& key);

    /// The key that was asked for.
    const std::string& key() const noexcept { return key_; }

  private:
    std::string key_;
};

/// A parameter is set to something that cannot be read as what was asked for; the message names key and
/// value.
class BadParam : public Error {
  public:
    BadParam(const std::string& key, const std::string& value, const std::string& wanted);
};

/// A file's base name and the dotted labels that came from it.
using FileMap = std::vector<std::pair<std::string, std::string>>;

/// What a dictionary has beside its strings.
struct ParamsExtras {
    std::vector<std::string> dep;
    FileMap name_map;
    FileMap short_name_map;

    bool operator==(const ParamsExtras&) const = default;
};

/// An ordered dictionary of strings. Reading one object from several threads is safe, changing it is not.
class Params {
  public:
    using Pair = std::pair<std::string_view, std::string_view>;

    /// Empty.
    Params();

    /// The pairs in order; of equal keys the last value wins and the first place stays.
    explicit Params(const std::vector<std::pair<std::string, std::string>>& pairs, ParamsExtras extras = {});
    Params(std::initializer_list<Pair> pairs);

    // Defined (as defaults) where Change is complete, since a vector of it is a member.
    Params(const Params&);
    Params(Params&&) noexcept;
    Params& operator=(const Params&);
    Params& operator=(Params&&) noexcept;
    ~Params();

    /// As above from views, whose text is copied once, into one block.
    static Params from_views(const std::vector<Pair>& pairs, ParamsExtras extras = {});

    /// The value, if the key is set. The view lives until this object is changed or destroyed.
    std::optional<std::string_view> find(std::string_view key) const;

    bool contains(std::string_view key) const { return find(key).has_value(); }

    /// The value, or `fallback` if the key is not set. An empty value is a value.
    std::string get(std::string_view key, std::string_view fallback = {}) const;

    /// The value; throws MissingParam if the key is not set.
    std::string at(std::string_view key) const;
    std::string operator[](std::string_view key) const { return at(key); }

    /// true for yes, on, true; false for no, off, false (lower case only); BadParam for any other value.
    bool get_boolean(std::string_view key, bool fallback = false) const;

    /// A decimal integer in Python's notation (blanks around it, `_` between digits); else BadParam.
    std::int64_t get_numeric(std::string_view key, std::int64_t fallback = 0) const;

    /// A number in Python's notation of float; else BadParam.
    double get_double(std::string_view key, double fallback = 0) const;

    /// The words of the value, repeats kept, split at white space, or at `delimiter` where one is given (then
    /// empty words stay). An empty value has no words.
    std::vector<std::string> get_list(std::string_view key, std::string_view fallback = {},
                                      std::optional<std::string_view> delimiter = std::nullopt) const;

    /// The words of the value as `name=value`, split at the first `=`, both trimmed; of equal names the last
    /// value wins. BadParam for a word without `=`.
    std::vector<std::pair<std::string, std::string>> get_dict(
        std::string_view key, std::string_view fallback = {},
        std::optional<std::string_view> delimiter = std::nullopt) const;

    /// The names of the objects in a list (`vms`, `images`, `nics`): its words without repeats, none if not
    /// set.
    std::vector<std::string> objects(std::string_view key) const;

    /// The parameters as one object sees them: each key that ends in `_name` also sets the key cut at its
    /// first
    /// `_name`, the last in order wins. Suffixed keys stay. Chain it from the outer object to the inner one
    /// (`object_params("vm1").object_params("nic1")` reads `mac_nic1_vm1`).
    Params object_params(std::string_view name) const;

    /// (`base1`, value or nothing) … up to the number under `count_key`, 1 if that is not set.
    std::vector<std::pair<std::string, std::optional<std::string>>> object_counts(
        std::string_view count_key, std::string_view base_name) const;

    /// The keys that are set and not empty, in the order given.
    Params copy_from_keys(const std::vector<std::string>& keys) const;

    /// Without the keys that begin with `_`, and without the file maps.
    Params drop_dict_internals() const;

    /// Sets a key: in its place if it is there, at the end if not.
    void set(std::string_view key, std::string_view value);

    /// Removes a key; false if it was not there.
    bool erase(std::string_view key);

    std::size_t size() const noexcept;
    bool empty() const noexcept { return size() == 0; }

    /// Keys and values in order. The views live until this object is changed or destroyed.
    std::vector<Pair> items() const;

    /// Calls `visit(key, value)` for each key in order.
    void for_each(const std::function<void(std::string_view, std::string_view)>& visit) const;

    /// `dep` and the two file maps.
    const ParamsExtras& extras() const noexcept;

    /// Same keys and values, in whatever order, and the same extras (Python's meaning of equal dictionaries).
    bool operator==(const Params& other) const;

  private:
    struct Table;
    struct Change;

    explicit Params(std::shared_ptr<const Table> table);
    template <typename Visit>
    void visit(Visit visit_entry) const;
    const Change* find_change(std::string_view key) const;
    void put(std::string_view key, std::string_view value, std::shared_ptr<const void> owner);
    void rebase();

    std::shared_ptr<const Table> table_;
    std::vector<Change> changes_;  ///< what differs from the table; new keys in order
    std::size_t size_ = 0;
};

}  // namespace vt

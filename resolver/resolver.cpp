// SPDX-License-Identifier: GPL-2.0-or-later
#include "resolver/resolver.hpp"

#include "cfg/cache.hpp"
#include "cfg/errors.hpp"
#include "cfg/expander.hpp"
#include "resolver/data_dir.hpp"
#include "resolver/host_programs.hpp"
#include "resolver/name_filter.hpp"
#include "runner/support/file.hpp"
#include "runner/support/log.hpp"
#include "runner/support/runtime_dirs.hpp"
#include "runner/support/strings.hpp"

#include <algorithm>
#include <limits>
#include <set>

#include <fmt/core.h>

namespace vt::resolver {

namespace fs = std::filesystem;

namespace {

/// Above so many tests it is cheaper to let the engine look for the references than to make all names.
constexpr std::size_t few_tests = 50'000;

template <typename Map>
std::string mapped(const Map& map, std::string_view file) {
    for (const auto& [name, labels] : map) {
        if (name == file) {
            return std::string(labels);
        }
    }
    return {};
}

/// The name that users see, by upstream's rule.
std::string test_name(const Selection& selection, const cfg::Dictionary& dictionary) {
    if (!selection.config.empty() && selection.short_names_when_config) {
        return std::string(dictionary.shortname);
    }
    if (selection.type == "spice") {
        if (std::string name = mapped(dictionary.short_name_map, "tests-variants.cfg"); !name.empty()) {
            return name;
        }
    }
    if (std::string name = mapped(dictionary.short_name_map, "subtests.cfg"); !name.empty()) {
        return name;
    }
    return std::string(dictionary.shortname.empty() ? dictionary.name : dictionary.shortname);
}

/// A fixed number of figures in groups of three.
std::string grouped(std::size_t number) {
    std::string text = std::to_string(number);
    for (std::size_t i = text.size(); i > 3; i -= 3) {
        text.insert(i - 3, ",");
    }
    return text;
}

FoundTest found_test(const Selection& selection, const cfg::Dictionary& dictionary) {
    return {test_name(selection, dictionary), std::string(dictionary.name),
            std::vector<std::string>(dictionary.dep.begin(), dictionary.dep.end())};
}

/// All tests, or nothing if there are too many to hold.
std::optional<std::vector<FoundTest>> all_tests(const Selection& selection, const cfg::Program& program) {
    std::vector<FoundTest> tests;
    cfg::Expander expander(program);
    while (const cfg::Dictionary* dictionary = expander.next()) {
        if (tests.size() == few_tests) {
            return std::nullopt;
        }
        tests.push_back(found_test(selection, *dictionary));
    }
    return tests;
}

cfg::Options options() {
    return {};
}

/// A data directory or config file that is not there is the commonest mistake, so it gets its own words.
void check_there(const Selection& selection) {
    DataDir dir{selection.data_dir};
    if (selection.config.empty() && !dir.bootstrapped(selection.type)) {
        throw NotBootstrappedError(
            fmt::format("There is no test set for type {0} in {1}: run 'avocado vt-bootstrap --vt-type {0}'",
                        selection.type, selection.data_dir.string()));
    }
}

std::vector<std::string> guest_names(const Selection& selection, const std::string& guest_os,
                                     const std::optional<fs::path>& cache_dir) {
    std::vector<std::string> names;
    for (const Guest& guest : guests(selection, guest_os, cache_dir)) {
        names.push_back(guest.name);
    }
    return names;
}

/// Names near to \p wanted: whole test names, and the parts of as many labels as \p wanted has, as people use
/// them for short.
std::vector<std::string> near_tests(const std::string& wanted, const std::vector<FoundTest>& tests) {
    const auto width = static_cast<std::size_t>(std::count(wanted.begin(), wanted.end(), '.')) + 1;
    std::set<std::string> candidates;
    for (const FoundTest& test : tests) {
        candidates.insert(test.name);
        const std::vector<std::string_view> labels = labels_of(test.name);
        for (std::size_t i = 0; i + width <= labels.size(); ++i) {
            const char* end = labels[i + width - 1].data() + labels[i + width - 1].size();
            candidates.emplace(labels[i].data(), end);
        }
    }
    return nearest(wanted, {candidates.begin(), candidates.end()});
}

std::string near_text(const std::vector<std::string>& names) {
    return names.empty() ? std::string() : fmt::format("; near it are {}", join(names, ", "));
}

bool takes_guest(const Selection& selection) {
    return selection.config.empty() && selection.type != "spice" && selection.type != "lvsb";
}

/// That the selection's guest is none of the config set's, with the nearest ones; nothing if it is one.
std::optional<std::string> unknown_guest(const Selection& selection,
                                         const std::optional<fs::path>& cache_dir) {
    const std::string guest_os = effective_guest_os(selection);
    if (!guests(selection, guest_os, cache_dir).empty()) {
        return std::nullopt;
    }
    Selection any;
    any.type = selection.type;
    any.data_dir = selection.data_dir;
    std::vector<std::string> labels;
    for (const std::string& name : guest_names(any, "", cache_dir)) {
        std::vector<std::string_view> parts = labels_of(name);
        for (std::size_t i = 1; i < parts.size(); ++i) {
            labels.emplace_back(parts[i]);
            if (i + 1 < parts.size()) {
                labels.push_back(fmt::format("{}.{}", parts[i], parts[i + 1]));
            }
        }
    }
    return fmt::format(
        "option --vt-guest-os: there is no guest '{}' for architecture '{}' and machine type '{}'{} (see "
        "'avocado vt-list-guests')",
        guest_os, selection.arch.empty() ? "any" : selection.arch,
        selection.machine_type.empty() ? "default" : selection.machine_type,
        near_text(nearest(guest_os, labels)));
}

/// A guest, architecture or machine type that somebody chose has to be one of the config set's, even if some
/// test is called so. Throws SelectionError.
void check_guest(const Selection& selection, const std::optional<fs::path>& cache_dir) {
    if (!takes_guest(selection) || !chooses_guest(selection)) {
        return;
    }
    std::optional<std::string> problem;
    try {
        problem = unknown_guest(selection, cache_dir);
    } catch (const cfg::SourceError&) {
        return;  // a set without machines.cfg or guest-os.cfg has no guests to name
    }
    if (problem) {
        throw SelectionError(*problem);
    }
}

/// Why a selection has no tests at all.
std::string why_empty(const Selection& selection, const std::optional<fs::path>& cache_dir) {
    if (takes_guest(selection)) {
        try {
            if (auto problem = unknown_guest(selection, cache_dir)) {
                return *problem;
            }
        } catch (const cfg::SourceError&) {
            // A set without machines.cfg or guest-os.cfg has no guests to name.
        }
    }
    return "The options and settings leave no test at all";
}

/// Why a text is no filter.
std::string why_no_filter(const std::string& reference, const cfg::ParserError& error) {
    const std::size_t equals = reference.find('=');
    if (equals != std::string::npos && equals > 0 && reference.find_first_of("( ") > equals) {
        return fmt::format(
            "'{0}' is no test. If it is a parameter: the option takes one KEY=VALUE and is "
            "repeated, --vt-extra-params A=1 --vt-extra-params {0}",
            reference);
    }
    return fmt::format("'{}' is no filter of the Cartesian language: {}", reference, error.report().message);
}

/// References as filters, in their order; what is no filter has its reason already.
class Sought {
  public:
    explicit Sought(const std::vector<std::string>& references)
        : filters_(filters_of(references, resolutions)), index_(filters_) {
        for (std::size_t i = 0; i < references.size(); ++i) {
            if (references[i].empty()) {
                everything_.push_back(i);
            }
        }
    }

    /// The places of the references that a test of this full name belongs to.
    std::vector<std::size_t> places_of(std::string_view full_name) const {
        std::vector<std::size_t> places = index_.matches(labels_of(full_name));
        places.insert(places.end(), everything_.begin(), everything_.end());
        return places;
    }

    /// One filter that lets through what any reference has; empty: everything. Nothing if no reference has
    /// anything.
    std::optional<std::string> united() const {
        if (!everything_.empty()) {
            return std::string();
        }
        std::string all;
        for (std::size_t i = 0; i < filters_.size(); ++i) {
            if (filters_[i]) {
                // What may stand at the end of a filter may not stand before a comma.
                std::string_view text = resolutions[i].reference;
                text = text.substr(0, text.find('#'));
                text = text.substr(0, text.find_last_not_of("., \t") + 1);
                all.append(all.empty() ? "" : ", ").append(text);
            }
        }
        return all.empty() ? std::nullopt : std::optional(std::move(all));
    }

    std::vector<Resolution> resolutions;

  private:
    static std::vector<std::optional<NameFilter>> filters_of(const std::vector<std::string>& references,
                                                             std::vector<Resolution>& resolutions) {
        std::vector<std::optional<NameFilter>> filters(references.size());
        for (std::size_t i = 0; i < references.size(); ++i) {
            resolutions.push_back({references[i], {}, {}});
            if (references[i].empty()) {
                continue;
            }
            try {
                filters[i].emplace(references[i]);
            } catch (const cfg::ParserError& error) {
                resolutions[i].info = why_no_filter(references[i], error);
            }
        }
        return filters;
    }

    std::vector<std::optional<NameFilter>> filters_;
    NameFilterIndex index_;
    std::vector<std::size_t> everything_;
};

/// Counts what a walk looks at and finds.
class Tally {
  public:
    explicit Tally(const ListBounds& bounds) : bounds_(bounds) {}

    /// How many names were looked at, with this one.
    std::size_t look() {
        ++names_;
        if (bounds_.progress != nullptr) {
            bounds_.progress->names.store(names_, std::memory_order_relaxed);
        }
        return names_;
    }

    /// Throws ListLimitError.
    void find(std::size_t tests) {
        found_ += tests;
        if (bounds_.progress != nullptr) {
            bounds_.progress->found.store(found_, std::memory_order_relaxed);
        }
        if (found_ > bounds_.limit) {
            throw ListLimitError(fmt::format(
                "The list has more than {} tests (limit vt.list.limit): name fewer of them, or leave some "
                "out with filters; a list that has to be that long needs a higher limit",
                grouped(bounds_.limit)));
        }
    }

  private:
    const ListBounds& bounds_;
    std::size_t names_ = 0;
    std::size_t found_ = 0;
};

/// One walk for all references: names are made for all tests, the rest for those that match. False if there
/// are more names than \p most.
bool find_tests(Sought& sought, const Selection& selection, const cfg::Program& program, Tally tally,
                std::size_t most) {
    cfg::Expander expander(program);
    while (const cfg::Dictionary* dictionary = expander.next_name()) {
        if (tally.look() > most) {
            return false;
        }
        const std::vector<std::size_t> places = sought.places_of(dictionary->name);
        if (places.empty()) {
            continue;
        }
        tally.find(places.size());
        const FoundTest test = found_test(selection, *expander.complete());
        for (const std::size_t place : places) {
            sought.resolutions[place].tests.push_back(test);
        }
    }
    return true;
}

/// For sets too large to make all names: the engine goes only where some reference leads. What comes out is
/// counted before it is kept.
void find_tests_in_large_set(Sought& sought, const Selection& selection, const ListBounds& bounds) {
    const std::optional<std::string> filter = sought.united();
    if (!filter) {
        return;
    }
    std::vector<cfg::Input> statements = inputs(selection);
    if (!filter->empty()) {
        statements.push_back(cfg::Input::only(*filter));
    }
    const cfg::Program program = cfg::parse(statements, options());
    Tally tally(bounds);
    cfg::Expander expander(program);
    while (const cfg::Dictionary* dictionary = expander.next_name()) {
        tally.look();
        tally.find(sought.places_of(dictionary->name).size());
    }
    for (Resolution& resolution : sought.resolutions) {
        resolution.tests.clear();
    }
    find_tests(sought, selection, program, Tally(bounds), std::numeric_limits<std::size_t>::max());
    for (Resolution& resolution : sought.resolutions) {
        if (resolution.tests.empty() && resolution.info.empty()) {
            resolution.info = fmt::format("No test matches '{}'", resolution.reference);
        }
    }
}

/// Why a reference has no test, with the nearest names.
void explain_missing(std::vector<Resolution>& resolutions, const Selection& selection,
                     const cfg::Program& program, const std::optional<fs::path>& cache_dir) {
    std::optional<std::vector<FoundTest>> all;
    for (Resolution& resolution : resolutions) {
        if (!resolution.tests.empty()) {
            continue;
        }
        if (!all) {
            all = all_tests(selection, program).value_or(std::vector<FoundTest>());
        }
        if (all->empty()) {
            resolution.info = why_empty(selection, cache_dir);
        } else if (resolution.info.empty()) {
            resolution.info = fmt::format("No test matches '{}'{}", resolution.reference,
                                          near_text(near_tests(resolution.reference, *all)));
        }
    }
}

void check_digest(const Selection& selection) {
    if (selection.config.empty() || selection.config_digest.empty()) {
        return;
    }
    if (content_digest(read_file(selection.config)) != selection.config_digest) {
        log::warning("{} has changed since the test was found; the parameters are those of its present text",
                     selection.config.string());
    }
}

}  // namespace

std::vector<Resolution> resolve(const std::vector<std::string>& references, const Selection& selection,
                                const std::optional<fs::path>& cache_dir, const ListBounds& bounds) {
    validate(selection);
    check_there(selection);
    check_guest(selection, cache_dir);
    cfg::Program program = cfg::load(inputs(selection), options(), cache_dir);
    Sought sought(references);
    if (find_tests(sought, selection, program, Tally(bounds), few_tests)) {
        explain_missing(sought.resolutions, selection, program, cache_dir);
    } else {
        find_tests_in_large_set(sought, selection, bounds);
    }
    return std::move(sought.resolutions);
}

std::string listed_name(const cfg::Dictionary& dictionary) {
    for (const char* file : {"subtests.cfg", "tests-variants.cfg"}) {
        if (std::string name = mapped(dictionary.short_name_map, file); !name.empty()) {
            return name;
        }
    }
    return std::string(dictionary.shortname);
}

Params expand(const Selection& selection, const std::string& name, const std::string& full_name,
              const std::optional<fs::path>& cache_dir) {
    validate(selection);
    check_there(selection);
    check_digest(selection);
    if (selection.nettype.empty() && selection.config.empty() && network_of_host(selection) == "user") {
        log::debug("Networking is QEMU's user mode: bridge {} is not there, or not for this user",
                   selection.netdst);
    }
    cfg::Program program = cfg::load(inputs(selection), options(), cache_dir);
    std::optional<Params> params;
    if (!full_name.empty()) {
        params = cfg::find_dictionary(program, full_name);
    } else {
        cfg::Expander expander(program);
        while (const cfg::Dictionary* dictionary = expander.next()) {
            if (test_name(selection, *dictionary) == name) {
                params = cfg::find_dictionary(program, std::string(dictionary->name));
                break;
            }
        }
    }
    if (!params) {
        std::optional<std::vector<FoundTest>> all = all_tests(selection, program);
        throw UnknownTestError(fmt::format("There is no test '{}' in the test set any more{}", name,
                                           all ? near_text(near_tests(name, *all)) : std::string()));
    }
    params->set("id", name);
    return *std::move(params);
}

namespace {

/// \param filters empty ones count for nothing \param cut the label that is left out of the names
std::vector<Guest> expand_guests(const Selection& selection, const std::vector<std::string>& filters,
                                 const std::string& cut, const std::optional<fs::path>& cache_dir) {
    fs::path cfg_dir = DataDir{selection.data_dir}.backend_cfg(selection.type);
    std::vector<cfg::Input> statements = {cfg::Input::file((cfg_dir / "machines.cfg").string()),
                                          cfg::Input::file((cfg_dir / "guest-os.cfg").string())};
    for (const std::string& filter : filters) {
        if (!filter.empty()) {
            statements.push_back(cfg::Input::only(filter));
        }
    }
    cfg::Expander expander(cfg::load(statements, options(), cache_dir));
    std::vector<Guest> result;
    while (const cfg::Dictionary* dictionary = expander.next()) {
        Guest guest;
        std::vector<std::string> labels;
        for (std::string_view label : labels_of(dictionary->name)) {
            if (label != cut) {
                labels.emplace_back(label);
            }
        }
        guest.name = join(labels, ".");
        Params params = dictionary->to_params().object_params("image1");
        std::string image = params.get("image_name");
        if (!image.empty()) {
            // A raw device or file is called as it is; else the format is its extension.
            bool raw = params.get("image_raw_device") == "yes";
            guest.image = selection.data_dir /
                          (raw ? image : fmt::format("{}.{}", image, params.get("image_format", "qcow2")));
            std::error_code error;
            guest.image_exists = fs::exists(guest.image, error);
        }
        result.push_back(std::move(guest));
    }
    return result;
}

}  // namespace

std::vector<Guest> guests(const Selection& selection, const std::string& guest_os,
                          const std::optional<fs::path>& cache_dir) {
    validate(selection);
    check_there(selection);
    std::string machine = effective_machine_type(selection);
    return expand_guests(selection, {selection.arch, machine, guest_os}, machine, cache_dir);
}

std::vector<Guest> arch_profiles(const Selection& selection, const std::string& guest_os,
                                 const std::optional<fs::path>& cache_dir) {
    validate(selection);
    check_there(selection);
    return expand_guests(selection, {guest_os}, effective_machine_type(selection), cache_dir);
}

std::optional<fs::path> config_cache_dir() {
    try {
        return user_cache_dir(RuntimeDirs::make());
    } catch (const Error& error) {
        log::info("Compiled configs are not kept: {}", error.what());
        return std::nullopt;
    }
}

}  // namespace vt::resolver
